"""Signing in at an identity provider: the whole trip with a real one's keys, and everything that must not pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select

from config.operations import Console
from gateway.console import accounts
from gateway.console.oidc import NotAllowed, identity
from gateway.store.engine import Store
from gateway.store.operations import audit, operators
from tests.console.provider import CLIENT, SECRET, Provider, provider
from tests.console.site import PASSWORD, Answer, Browser, Site, running

ROLES = {"oidc_role_claim": "realm_access.roles", "oidc_operators": ("lapor-operators",)}


@pytest.fixture
async def issuer() -> AsyncIterator[Provider]:
    async with provider() as made:
        yield made


@asynccontextmanager
async def console(issuer: Provider, store: Store, **more: Any) -> AsyncIterator[Site]:
    given = {
        "oidc_issuer": issuer.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_title": "SSO Negara",
    }
    async with running(store, console=given | ROLES | more) as opened:
        issuer.now = opened.clock
        yield opened


@pytest.fixture
async def site(issuer: Provider, copied: Store) -> AsyncIterator[Site]:
    async with console(issuer, copied) as opened:
        yield opened


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as opened:
        yield opened


async def trip(browser: Browser, issuer: Provider, target: str = "") -> Answer:
    """To the provider and back."""
    away = await browser.get(f"/ops/sign-in/elsewhere?next={target}")
    assert away.status == 303
    back = issuer.authorize(away.location)
    return await browser.get(back.removeprefix(browser.url))


async def test_an_operator_signs_in_elsewhere(site: Site, browser: Browser, issuer: Provider) -> None:
    assert "Masuk dengan SSO Negara" in (await browser.get("/ops/sign-in")).text
    answer = await trip(browser, issuer, "/ops/cases/123")
    assert (answer.status, answer.location) == (303, "/ops/cases/123")
    assert (await browser.get("/ops/act")).text == "citra acts"
    async with site.store.read() as connection:
        account = (await connection.execute(select(operators).where(operators.c.name == "citra"))).one()
        noted = (await connection.execute(select(audit))).one()
    assert (account.role, account.password, account.active) == ("operator", "", True)
    assert (noted.operator, noted.action, noted.detail) == ("citra", "sign_in", "openid")
    # There is no password of theirs to change here.
    own = await browser.get("/ops/account")
    assert 'type="password"' not in own.text
    assert (await browser.post("/ops/account/password", {"csrf": own.csrf})).status == 403


FORGED: list[Any] = [
    pytest.param({"claims": {"nonce": "another"}}, id="another sign-in's nonce"),
    pytest.param({"claims": {"nonce": None}}, id="no nonce"),
    pytest.param({"claims": {"aud": "another-client"}}, id="made for another client"),
    pytest.param({"claims": {"aud": []}}, id="made for nobody"),
    pytest.param({"claims": {"aud": ["another-client", CLIENT]}}, id="made for several, no party named"),
    pytest.param({"claims": {"azp": "another-client"}}, id="made at another client's wish"),
    pytest.param({"claims": {"iss": "https://evil.example"}}, id="another issuer"),
    pytest.param({"claims": {"exp": 1_800_000_000 - 61}}, id="expired"),
    pytest.param({"claims": {"exp": None}}, id="never expires"),
    pytest.param({"claims": {"iat": 1_800_000_000 + 3600}}, id="from the future"),
    pytest.param({"claims": {"sub": None}}, id="about nobody"),
    pytest.param({"signing": "two"}, id="signed with a key that is not published"),
    pytest.param({"signing": "two", "header": {"kid": "one"}}, id="signed with another key under a known name"),
    pytest.param({"header": {"alg": "none"}}, id="not signed"),
    pytest.param({"header": {"alg": "HS256"}}, id="signed with the public key as a secret"),
    pytest.param({"header": {"kid": "e"}}, id="a key that is for encryption"),
    pytest.param({"answer": {"state": "another"}}, id="another state"),
    pytest.param({"answer": {"state": ""}}, id="no state"),
    pytest.param({"answer": {"iss": "https://evil.example"}}, id="an answer of another issuer"),
    pytest.param({"answer": {"code": ""}}, id="no code"),
    pytest.param({"answer": {"code": "guess"}}, id="a code that is not known"),
    pytest.param({"answer": {"code": "", "error": "access_denied"}}, id="the operator says no"),
]


@pytest.mark.parametrize("wrong", FORGED)
async def test_what_proves_nothing_lets_nobody_in(browser: Browser, issuer: Provider, wrong: dict[str, Any]) -> None:
    for name, value in wrong.items():
        setattr(issuer, name, value)
    answer = await trip(browser, issuer)
    assert answer.status == 403
    assert "tidak berhasil" in answer.text
    assert browser.cookie() == ""
    assert (await browser.get("/ops")).status == 303


async def test_a_token_for_several_clients_that_names_us_as_the_party_holds(browser: Browser, issuer: Provider) -> None:
    issuer.claims = {"aud": [CLIENT, "another-client"], "azp": CLIENT}
    assert (await trip(browser, issuer)).status == 303


async def test_changed_keys_are_asked_for(site: Site, issuer: Provider) -> None:
    for name in ("one", "two"):
        issuer.published, issuer.signing = [name], name
        async with site.browser() as browser:
            assert (await trip(browser, issuer)).status == 303


async def test_an_answer_is_good_once(browser: Browser, issuer: Provider) -> None:
    away = await browser.get("/ops/sign-in/elsewhere")
    back = issuer.authorize(away.location).removeprefix(browser.url)
    assert (await browser.get(back)).status == 303
    assert (await browser.get(back)).status == 403
    assert len(issuer.redeemed) == 1


async def test_an_answer_is_good_only_in_the_browser_that_asked(site: Site, browser: Browser, issuer: Provider) -> None:
    away = await browser.get("/ops/sign-in/elsewhere")
    back = issuer.authorize(away.location).removeprefix(browser.url)
    async with site.browser() as victim:
        assert (await victim.get(back)).status == 403
        await victim.get("/ops/sign-in/elsewhere")
        assert (await victim.get(back)).status == 403
    assert issuer.redeemed == []


async def test_a_trip_has_its_time(site: Site, browser: Browser, issuer: Provider) -> None:
    away = await browser.get("/ops/sign-in/elsewhere")
    site.clock.time += 601
    back = issuer.authorize(away.location).removeprefix(browser.url)
    assert (await browser.get(back)).status == 403


@pytest.mark.parametrize("cookie", ["", "x", "bm90IGpzb24=", "eyJwZW5kaW5nIjp7fX0="])
async def test_a_cookie_that_is_none_of_ours(browser: Browser, cookie: str) -> None:
    browser.session.cookie_jar.update_cookies({"lapor_elsewhere": cookie})
    assert (await browser.get("/ops/sign-in/back?state=a&code=b")).status == 403


async def test_one_is_not_sent_elsewhere_afterwards(browser: Browser, issuer: Provider) -> None:
    assert (await trip(browser, issuer, "//evil.example")).location == "/ops"


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=["another issuer", "no endpoint", "no web address"],
)
async def test_a_configuration_that_cannot_be(
    browser: Browser, issuer: Provider, configuration: dict[str, Any]
) -> None:
    issuer.configuration = configuration
    answer = await browser.get("/ops/sign-in/elsewhere")
    assert answer.status == 503
    assert "tidak dapat dihubungi" in answer.text


async def test_a_provider_that_is_away_leaves_the_password(browser: Browser, issuer: Provider) -> None:
    issuer.down = True
    assert (await browser.get("/ops/sign-in/elsewhere")).status == 503
    issuer.down = False
    assert (await trip(browser, issuer)).status == 303


@pytest.mark.parametrize("name", ["ani", "ANI", "gone", "not a name", ""])
async def test_a_name_that_is_somebody_else_s_is_refused(
    site: Site, browser: Browser, issuer: Provider, name: str
) -> None:
    await accounts.add(site.store, "gone", "viewer", PASSWORD)
    await accounts.set_active(site.store, "gone", active=False)
    issuer.claims = {"preferred_username": name}
    answer = await trip(browser, issuer)
    assert answer.status == 403
    assert "tidak punya akses" in answer.text
    assert browser.cookie() == ""


async def test_the_role_follows_the_provider_at_each_sign_in(site: Site, issuer: Provider) -> None:
    seen = []
    for roles in (["lapor-operators"], ["other"], ["lapor-operators"]):
        issuer.claims = {"realm_access": {"roles": roles}}
        async with site.browser() as browser:
            await trip(browser, issuer)
            seen.append((await browser.get("/ops/act")).status)
    assert seen == [200, 403, 200]


async def test_a_provider_that_takes_the_secret_in_the_form(issuer: Provider, copied: Store) -> None:
    issuer.configuration = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    async with console(issuer, copied) as site, site.browser() as browser:
        assert (await trip(browser, issuer)).status == 303
    assert issuer.redeemed[0]["client_secret"] == SECRET


def _cases() -> Iterator[Any]:
    both = {"oidc_role_claim": "groups", "oidc_operators": ("ops",), "oidc_viewers": ("watch",)}
    nested = {"oidc_role_claim": "a.b", "oidc_operators": ("ops",)}
    yield pytest.param({}, {}, "viewer", id="no role claim: everybody is a viewer")
    yield pytest.param(both, {"groups": ["ops"]}, "operator", id="a list")
    yield pytest.param(both, {"groups": "watch ops"}, "operator", id="words in a text")
    yield pytest.param(both, {"groups": ["watch", 7]}, "viewer", id="a viewer")
    yield pytest.param(both, {"groups": ["opsx"]}, "", id="a part of a word is none")
    yield pytest.param(both, {}, "", id="no groups at all")
    yield pytest.param(both, {"groups": {"ops": True}}, "", id="a shape that is neither")
    yield pytest.param(nested, {"a": {"b": ["ops"]}}, "operator", id="a path")
    yield pytest.param(nested, {"a.b": ["ops"]}, "operator", id="a name with a dot")
    yield pytest.param(nested, {"a": "text"}, "viewer", id="a path that leads nowhere")
    yield pytest.param({"oidc_name_claim": "email"}, {}, "", id="no name")


@pytest.mark.parametrize(("settings", "claims", "role"), list(_cases()))
def test_which_role_claims_make(settings: dict[str, Any], claims: dict[str, Any], role: str) -> None:
    console = Console(**settings)
    given = {"preferred_username": "citra", **claims}
    if role:
        assert identity(given, console).role == role
    else:
        with pytest.raises(NotAllowed):
            identity(given, console)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"oidc_issuer": "https://sso.example.go.id"}, "belong together"),
        ({"oidc_scopes": ("profile",)}, "must hold openid"),
        ({"oidc_operators": ("a",)}, "need oidc_role_claim"),
        ({"idle": "13h"}, "at most lifetime"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Console(**settings)
