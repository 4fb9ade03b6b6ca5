"""Signing in and out: who gets in, who is slowed down, and which forms are taken."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from sqlalchemy import select

from gateway.console import accounts
from gateway.console.throttle import LONGEST_WAIT, wait_after
from gateway.store.engine import Store
from gateway.store.operations import audit, operators, sessions, sign_in_failures
from tests.console.site import BOTH, PASSWORD, Browser, Site, running

FORM_TYPE = "application/x-www-form-urlencoded"


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as opened:
        yield opened


@BOTH
async def test_an_operator_signs_in_looks_and_signs_out(site: Site, browser: Browser) -> None:
    assert (await browser.sign_in("ani")).location == "/ops"
    assert (await browser.get("/ops")).text == "ani looks"
    left = await browser.submit("/ops/sign-out")
    assert (left.status, left.location) == (303, "/ops/sign-in?said=signed_out")
    assert (await browser.get("/ops")).location == "/ops/sign-in"
    async with site.store.read() as connection:
        rows = (await connection.execute(select(audit.c.operator, audit.c.action).order_by(audit.c.id))).all()
        assert (await connection.execute(select(sessions))).all() == []
    assert [tuple(row) for row in rows] == [("ani", "sign_in"), ("ani", "sign_out")]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("ani", "another password", id="wrong password"),
        pytest.param("nobody", PASSWORD, id="unknown account"),
        pytest.param("gone", PASSWORD, id="disabled account"),
        pytest.param("sso", "", id="account without a password, empty password"),
        pytest.param("", "", id="nothing at all"),
        pytest.param("a\x00b", PASSWORD, id="a null byte"),
        pytest.param("ani", "x" * 100_000, id="an endless password"),
        pytest.param("<script>", PASSWORD, id="markup"),
    ],
)
async def test_whoever_is_not_let_in_hears_the_same_words(
    site: Site, browser: Browser, name: str, password: str
) -> None:
    await accounts.add(site.store, "gone", "operator", PASSWORD)
    await accounts.set_active(site.store, "gone", active=False)
    await accounts.from_elsewhere(site.store, "sso", "operator")
    answer = await browser.sign_in(name, password)
    assert answer.status == 403
    assert "Akun atau kata sandi salah." in answer.text
    assert "<script>" not in answer.text.lower().replace("<script src", "")
    assert browser.cookie() == ""
    assert (await browser.get("/ops")).status == 303


async def test_a_name_is_the_same_in_any_spelling(browser: Browser) -> None:
    assert (await browser.sign_in("  ANI ")).status == 303
    assert (await browser.get("/ops")).text == "ani looks"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/ops/cases/123?tab=1", "/ops/cases/123?tab=1"),
        ("/ops?from=mail", "/ops?from=mail"),
        ("https://evil.example/ops", "/ops"),
        ("//evil.example/ops", "/ops"),
    ],
)
async def test_after_the_sign_in_one_stays_in_the_console(browser: Browser, target: str, location: str) -> None:
    answer = await browser.sign_in("ani", target=target)
    assert (answer.status, answer.location) == (303, location)
    # Who has signed in already is sent on at once, as safely.
    assert (await browser.get(f"/ops/sign-in?next={quote(target)}")).location == location


async def test_one_comes_back_to_the_page_that_was_asked_for(browser: Browser) -> None:
    asked = await browser.get("/ops/cases/4829137065?all=1&x=a%26b")
    assert asked.location == "/ops/sign-in?next=/ops/cases/4829137065%3Fall%3D1%26x%3Da%2526b"
    form = await browser.get(asked.location)
    target = re.search(r'name="next" value="([^"]*)"', form.text)
    assert target is not None
    back = await browser.sign_in("ani", target=target[1].replace("&amp;", "&"))
    assert back.location == "/ops/cases/4829137065?all=1&x=a%26b"


async def test_the_sign_in_begins_a_session_that_nobody_knew_before(site: Site, browser: Browser) -> None:
    await browser.get("/ops/sign-in")
    browser.session.cookie_jar.update_cookies({"lapor_session": "chosen-by-somebody-else"})
    answer = await browser.sign_in("ani")
    token = answer.cookies["lapor_session"].value
    assert token != "chosen-by-somebody-else"
    assert len(token) >= 43
    async with site.browser() as other:
        other.session.cookie_jar.update_cookies({"lapor_session": "chosen-by-somebody-else"})
        assert (await other.get("/ops")).status == 303
    async with site.store.read() as connection:
        kept = (await connection.execute(select(sessions))).one()
    assert token not in tuple(kept)


@BOTH
async def test_another_sign_in_from_a_browser_ends_its_session(site: Site) -> None:
    async with site.signed_in("ani") as first:
        old, csrf = first.cookie(), (await first.get("/ops/account")).csrf
        answer = await first.post("/ops/sign-in", {"csrf": csrf, "name": "budi", "password": PASSWORD})
        assert answer.status == 303
        assert (await first.get("/ops")).text == "budi looks"
    async with site.browser() as other:
        other.session.cookie_jar.update_cookies({"lapor_session": old})
        assert (await other.get("/ops")).status == 303


FORMS = [
    pytest.param({}, {}, 403, id="no token"),
    pytest.param({"csrf": ""}, {}, 403, id="an empty token"),
    pytest.param({"csrf": "guess"}, {}, 403, id="a wrong token"),
    pytest.param({"csrf": "ümlaut\x00"}, {}, 403, id="a strange token"),
    pytest.param({"csrf": "another session's"}, {}, 403, id="the token of another session"),
    pytest.param({"csrf": "its own"}, {}, 200, id="its own token"),
    pytest.param({}, {"X-CSRF-Token": "its own"}, 200, id="its own token as a header"),
    pytest.param({"csrf": "its own"}, {"X-CSRF-Token": "guess"}, 403, id="a wrong header beside it"),
    pytest.param({"csrf": "its own"}, {"Origin": "https://evil.example"}, 403, id="another site's page"),
    pytest.param({"csrf": "its own"}, {"Origin": "null"}, 403, id="a page from nowhere"),
    pytest.param({"csrf": "its own"}, {"Origin": ""}, 403, id="an empty origin"),
]


@pytest.mark.parametrize(("form", "headers", "status"), FORMS)
async def test_only_a_form_of_this_session_is_taken(
    site: Site, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with site.signed_in("ani") as browser, site.signed_in("ani") as other:
        tokens = {
            "its own": (await browser.get("/ops/account")).csrf,
            "another session's": (await other.get("/ops/account")).csrf,
        }
        sent = {name: tokens.get(value, value) for name, value in form.items()}
        with_headers = {name: tokens.get(value, value) for name, value in headers.items()}
        assert (await browser.post("/ops/act", sent, with_headers)).status == status


@pytest.mark.parametrize(
    ("site_says", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200), (None, 200)]
)
async def test_without_an_origin_the_browser_is_believed(site: Site, site_says: str | None, status: int) -> None:
    async with site.signed_in("ani") as browser:
        headers = {"X-CSRF-Token": (await browser.get("/ops/account")).csrf}
        if site_says is not None:
            headers["Sec-Fetch-Site"] = site_says
        async with browser.session.post(f"{browser.url}/ops/act", headers=headers) as response:
            assert response.status == status


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n' * 1000 + b"--x--\r\n",
        ),
        ({"Content-Type": FORM_TYPE}, b"a&" * 70_000),
        ({"Content-Type": FORM_TYPE, "Content-Encoding": "gzip"}, gzip.compress(b"a&" * 1000)),
        ({"Content-Type": FORM_TYPE, "Transfer-Encoding": "chunked"}, b"name=ani"),
    ],
    ids=["a thousand files", "70,000 fields", "packed", "of no length told"],
)
async def test_a_form_that_none_of_ours_is_like_is_not_read(
    site: Site, headers: dict[str, str], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where a header bears the token, so that the form is not needed to check it."""
    monkeypatch.setattr("tempfile.TemporaryFile", None)
    async with site.browser() as browser:
        token = (await browser.get("/ops/sign-in")).csrf
        sent = {"X-CSRF-Token": token, "Origin": site.url} | headers
        async with browser.session.post(f"{site.url}/ops/sign-in", data=body, headers=sent) as answer:
            assert answer.status in (400, 413)


async def test_the_sign_in_form_itself_is_checked(browser: Browser) -> None:
    form = {"name": "ani", "password": PASSWORD}
    assert (await browser.post("/ops/sign-in", form)).status == 403
    await browser.get("/ops/sign-in")
    assert (await browser.post("/ops/sign-in", form | {"csrf": "guess"})).status == 403
    assert browser.cookie() == ""


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 400),
        ("application/x-www-form-urlencoded; charset=no-such", b"csrf=a", 400),
        ("application/x-www-form-urlencoded", b"csrf=" + b"a" * 2_000_000, 413),
        ("application/x-www-form-urlencoded", b"\xff\xfe%00%ff", 400),
    ],
)
async def test_a_body_that_is_no_form_is_no_trouble(site: Site, content_type: str, body: bytes, status: int) -> None:
    async with site.signed_in("ani") as browser:
        headers = {"Content-Type": content_type, "Origin": browser.url}
        async with browser.session.post(f"{browser.url}/ops/act", data=io.BytesIO(body), headers=headers) as response:
            assert response.status == status
            assert "Traceback" not in await response.text()


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [
        ("budi", "GET", "/ops", 200),
        ("budi", "GET", "/ops/act", 403),
        ("budi", "POST", "/ops/act", 403),
        ("budi", "POST", "/ops/sign-out", 303),
        ("ani", "GET", "/ops/act", 200),
        ("ani", "POST", "/ops/act", 200),
        ("", "GET", "/ops/act", 303),
        ("", "POST", "/ops/act", 401),
        ("", "GET", "/ops/session", 303),
        ("ani", "GET", "/ops/session", 204),
        ("", "GET", "/ops/account", 303),
        ("", "POST", "/ops/account/password", 401),
        ("", "POST", "/ops/sign-out", 401),
    ],
)
async def test_what_a_role_may(site: Site, name: str, method: str, path: str, status: int) -> None:
    async with site.browser() as browser:
        if name:
            await browser.sign_in(name)
        answer = await browser.get(path) if method == "GET" else await browser.submit(path)
        assert answer.status == status


async def test_a_stream_of_events_is_no_page(browser: Browser) -> None:
    assert (await browser.get("/ops", Accept="text/event-stream")).status == 401


def test_the_waits_grow() -> None:
    assert [wait_after("account", n) for n in range(1, 8)] == [0, 0, 0, 0, 2, 4, 8]
    assert [wait_after("account", n) for n in (12, 13, 14, 1000)] == [256, 512, LONGEST_WAIT, LONGEST_WAIT]
    assert [wait_after("address", n) for n in (19, 20, 21)] == [0, 2, 4]


@BOTH
async def test_guessing_at_one_account_is_slowed_down(site: Site, browser: Browser) -> None:
    statuses = [(await browser.sign_in("ani", f"guess number {n}")).status for n in range(7)]
    assert statuses == [403, 403, 403, 403, 403, 429, 429]
    # Not even the right password is tried meanwhile; the wait is told in both ways.
    answer = await browser.sign_in("ani")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    assert "dalam 2 detik" in answer.text
    waits = [2]
    for _ in range(4):
        site.clock.time += waits[-1]
        assert (await browser.sign_in("ani", "guess")).status == 403
        waits.append(int((await browser.sign_in("ani", "guess")).headers["Retry-After"]))
    assert waits == [2, 4, 8, 16, 32]
    site.clock.time += 32
    assert (await browser.sign_in("ani")).status == 303


async def test_an_unknown_account_is_slowed_down_alike(browser: Browser) -> None:
    statuses = [(await browser.sign_in("nobody", f"guess number {n}")).status for n in range(7)]
    assert statuses == [403, 403, 403, 403, 403, 429, 429]


@BOTH
async def test_guessing_from_one_address_is_slowed_down_over_all_accounts(site: Site, browser: Browser) -> None:
    statuses = [(await browser.sign_in(f"name{n}", "guess")).status for n in range(22)]
    assert statuses == [403] * 20 + [429] * 2
    # One's own account does not set the others' guesser free: it gives back one try, its own.
    site.clock.time += 2
    assert (await browser.sign_in("ani")).status == 303
    async with site.browser() as other:
        assert [(await other.sign_in(f"new{n}", "guess")).status for n in range(2)] == [403, 429]


@BOTH
async def test_tries_are_forgotten_after_a_while(site: Site, browser: Browser) -> None:
    for n in range(4):
        await browser.sign_in("ani", f"guess number {n}")
    site.clock.time += 3601
    assert [(await browser.sign_in("ani", "guess")).status for _ in range(5)] == [403] * 5
    site.clock.time += 3700
    assert (await browser.sign_in("budi")).status == 303
    async with site.store.read() as connection:
        rows = (await connection.execute(select(sign_in_failures))).all()
    assert [row.failures for row in rows] == [0]


async def test_a_success_gives_an_account_all_its_tries(browser: Browser, site: Site) -> None:
    for n in range(4):
        await browser.sign_in("ani", f"guess number {n}")
    assert (await browser.sign_in("ani")).status == 303
    async with site.browser() as other:
        assert [(await other.sign_in("ani", "guess")).status for _ in range(5)] == [403] * 5


async def test_what_was_typed_is_not_kept(site: Site, browser: Browser) -> None:
    await browser.sign_in("my secret password", "guess")
    async with site.store.read() as connection:
        rows = (await connection.execute(select(sign_in_failures))).all()
    assert len(rows) == 2
    assert not any("secret" in row.key for row in rows)


@pytest.mark.parametrize(
    ("current", "fresh", "again", "status"),
    [
        pytest.param(PASSWORD, "twelve and more", "twelve and more", 303, id="as it should be"),
        pytest.param("wrong", "twelve and more", "twelve and more", 403, id="the present one is wrong"),
        pytest.param(PASSWORD, "twelve and more", "twelve and less", 400, id="typed differently"),
        pytest.param(PASSWORD, "eleven char", "eleven char", 400, id="too short"),
        pytest.param(PASSWORD, "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", 400, id="one letter"),
        pytest.param(PASSWORD, "x1y2" * 100, "x1y2" * 100, 400, id="too long"),
    ],
)
async def test_changing_the_password(site: Site, current: str, fresh: str, again: str, status: int) -> None:
    async with site.signed_in("ani") as browser, site.signed_in("ani") as elsewhere, site.signed_in("budi") as other:
        answer = await browser.submit("/ops/account/password", current=current, fresh=fresh, again=again)
        assert answer.status == status
        changed = status == 303
        assert (await browser.get("/ops")).status == 200
        assert (await elsewhere.get("/ops")).status == (303 if changed else 200)
        assert (await other.get("/ops")).status == 200
    async with site.browser() as later:
        assert (await later.sign_in("ani", fresh if changed else PASSWORD)).status == 303


async def test_the_present_password_cannot_be_guessed_in_a_session(site: Site) -> None:
    async with site.signed_in("ani") as browser:
        form = {"fresh": "twelve and more", "again": "twelve and more"}
        tries = [await browser.submit("/ops/account/password", current=f"guess {n}", **form) for n in range(7)]
        assert [answer.status for answer in tries] == [403] * 5 + [429] * 2


@BOTH
async def test_disabling_an_account_ends_its_sessions(site: Site) -> None:
    async with site.signed_in("ani") as browser:
        await accounts.set_active(site.store, "ani", active=False)
        assert (await browser.get("/ops")).status == 303


async def test_a_role_taken_away_holds_at_once(site: Site) -> None:
    async with site.signed_in("ani") as browser:
        async with site.store.write() as connection:
            await connection.execute(operators.update().where(operators.c.name == "ani").values(role="viewer"))
        assert (await browser.submit("/ops/act")).status == 403


@pytest.mark.parametrize(
    ("public_url", "name", "secure"),
    [("", "lapor_session", False), ("https://gateway.example.go.id", "__Host-lapor_session", True)],
)
async def test_how_the_cookie_is_kept(copied: Store, public_url: str, name: str, secure: bool) -> None:
    async with running(copied, server={"public_url": public_url}) as opened, opened.browser() as browser:
        form = await browser.get("/ops/sign-in")
        # A client without TLS does not send a Secure cookie back, so it is given by hand.
        crumbs = {"Cookie": "; ".join(f"{key}={morsel.value}" for key, morsel in form.cookies.items())}
        sent = {"csrf": form.csrf, "name": "ani", "password": PASSWORD}
        cookie = (await browser.post("/ops/sign-in", sent, crumbs)).cookies[name]
        assert bool(cookie["httponly"])
        assert bool(cookie["secure"]) is secure
        assert (cookie["samesite"], cookie["path"], cookie["domain"], cookie["max-age"]) == ("Lax", "/", "", "")
