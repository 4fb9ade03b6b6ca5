"""The shell of every page: headers, languages, errors, files, colours."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.test_utils import unused_port as free_port
from structlog.testing import capture_logs

from gateway.console import words
from gateway.console.guard import HEADERS
from gateway.console.page import count, local_path, when
from gateway.console.shell import needs, redirect
from gateway.console.static import Static
from gateway.console.throttle import address_of
from gateway.store.engine import Store
from tests import inside as whole
from tests.console.site import Site, fresh_store, people, running

CONSOLE = Path(str(resources.files("gateway.console")))


@pytest.mark.parametrize(
    ("path", "signed_in", "status"),
    [
        ("/ops/sign-in", False, 200),
        ("/ops", False, 303),
        ("/ops/nowhere", False, 404),
        ("/ops", True, 200),
        ("/ops/account", True, 200),
        ("/ops/nowhere", True, 404),
        ("/ops/", True, 303),
        ("/ops/fail", True, 500),
        ("/ops/wrong", True, 500),
        ("/ops/sign-in/elsewhere", False, 404),
    ],
)
async def test_every_answer_is_guarded_and_tells_no_detail(site: Site, path: str, signed_in: bool, status: int) -> None:
    async with site.browser() as browser:
        if signed_in:
            await browser.sign_in("budi")
        with capture_logs() as logged:
            answer = await browser.get(path)
    assert answer.status == status
    assert [line["event"] for line in logged] == (["console.failed"] if status == 500 else [])
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "Traceback" not in answer.text
    assert "secret detail" not in answer.text
    if status >= 400:
        assert re.search(r'<a class="button" href="/ops">', answer.text)


async def test_nothing_may_be_loaded_but_from_here() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert all(policy[f"{kind}-src"] == "'self'" for kind in ("script", "style", "connect"))
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("file", sorted(CONSOLE.rglob("*.html")), ids=lambda file: file.name)
def test_templates_need_nothing_from_elsewhere_and_nothing_inline(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"(?:src|href|action)\s*=\s*[\"']?(?:https?:)?//", text)
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|<script(?! src=)", text)


def test_the_style_and_the_script_load_nothing_from_elsewhere() -> None:
    for name in ("style.css", "console.js"):
        text = (CONSOLE / "static" / name).read_text("utf-8")
        assert not re.search(r"https?://|@import|url\((?!\"?data:)", text)


async def test_the_files_are_kept_under_a_name_that_changes_with_them(site: Site) -> None:
    async with site.browser() as browser:
        form = await browser.get("/ops/sign-in")
        named = re.findall(r'(?:href|src)="(/ops/static/[^"]+)"', form.text)
        assert {path.partition("?")[0] for path in named} == {
            f"/ops/static/{n}" for n in ("style.css", "icon.svg", "console.js")
        }
        for path in named:
            answer = await browser.get(path)
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        old = await browser.get("/ops/static/style.css?v=old")
        assert (old.status, old.headers["Cache-Control"], old.headers["Content-Type"]) == (
            200,
            "no-cache",
            "text/css; charset=utf-8",
        )
        assert [(await browser.get(f"/ops/static/{name}")).status for name in ("none.css", "..%2Fshell.py")] == [
            404,
            404,
        ]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "id"),
        ("en", "en"),
        ("en-GB,en;q=0.9,id;q=0.8", "en"),
        ("id-ID,id;q=0.9,en;q=0.8", "id"),
        ("de-DE,de;q=0.9,en;q=0.5", "en"),
        ("de", "id"),
        ("in-ID", "id"),
        ("id;q=0.1, en;q=0.2", "en"),
        ("en;q=0, id;q=0.1", "id"),
        ("en;q=0", "id"),
        ("*;q=x,,;;=,en;q=high", "id"),
        ("en;q=nan", "id"),
    ],
)
def test_the_language_that_a_browser_likes_best(header: str, language: str) -> None:
    assert words.preferred(header) == language


async def test_the_language_is_chosen_and_stays(site: Site) -> None:
    async with site.browser(**{"Accept-Language": "en"}) as browser:
        assert '<html lang="en">' in (await browser.get("/ops/sign-in")).text
        chosen = await browser.submit("/ops/language", on="/ops/sign-in", language="id", next="/ops/sign-in")
        assert chosen.location == "/ops/sign-in"
        assert '<html lang="id">' in (await browser.get("/ops/sign-in")).text
        await browser.sign_in("budi")
        assert '<html lang="id">' in (await browser.get("/ops/account")).text
        await browser.submit("/ops/language", language="en", next="/ops/account")
        assert '<html lang="en">' in (await browser.get("/ops/account")).text
        assert (await browser.submit("/ops/language", language="xx")).status == 400
        assert (await browser.submit("/ops/language", language="id", next="//evil.example")).location == "/ops"
    # It is the account's, in whatever browser.
    async with site.signed_in("budi") as elsewhere:
        assert '<html lang="id">' in (await elsewhere.get("/ops/account")).text


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    gaps = {
        language: {key: sorted(re.findall(r"\{(\w+)\}", text)) for key, text in words.words(language).items()}
        for language in words.LANGUAGES
    }
    assert gaps["id"] == gaps["en"]
    assert all(text.strip() for language in words.LANGUAGES for text in words.words(language).values())


def test_no_table_of_words_is_written_twice() -> None:
    for language in words.LANGUAGES:
        tomllib.loads((CONSOLE / "words" / f"{language}.toml").read_text("utf-8"))


async def test_what_was_done_is_said_only_in_our_own_words(site: Site) -> None:
    async with site.browser() as browser:
        said = await browser.get("/ops/sign-in?said=signed_out")
        assert '<p class="said" role="status">Anda sudah keluar.</p>' in said.text
        for query in ("said=<b>You+won</b>", "said=../error.404.title", "said="):
            assert 'class="said"' not in (await browser.get(f"/ops/sign-in?{query}")).text


def take_away(database: Path) -> None:
    database.rename(database.with_suffix(".away"))
    database.mkdir()


async def test_while_the_store_is_away_a_page_says_so(site: Site) -> None:
    async with site.signed_in("budi") as browser:
        form = await browser.get("/ops/account")
        await site.store.close()
        take_away(Path(str(site.store.url.database)))
        answers = [await browser.get("/ops"), await browser.post("/ops/act", {"csrf": form.csrf})]
        assert [(answer.status, answer.headers["Retry-After"]) for answer in answers] == [(503, "5")] * 2
        assert all("Penyimpanan tidak dapat dihubungi" in answer.text for answer in answers)
        async with site.browser() as stranger:
            assert (await stranger.get("/ops/sign-in")).status == 200
            assert (await stranger.sign_in("budi")).status == 503


async def test_a_handler_without_a_guard_is_a_mistake_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bare(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    store = await fresh_store(f"sqlite+aiosqlite:///{tmp_path}/gateway.db")
    monkeypatch.setattr("tests.console.site.PAGES", (web.get("/ops/bare", bare),))
    with pytest.raises(TypeError, match="/ops/bare is not guarded"):
        async with running(store):
            pass
    await store.close()


def test_a_guard_knows_methods_and_functions() -> None:
    class Page:
        @needs("viewer")
        async def show(self, _request: web.Request) -> web.StreamResponse:
            return web.Response()

    assert getattr(Page().show, "guarded", False)


@pytest.mark.parametrize(
    ("target", "stays"),
    [
        ("/ops", True),
        ("/ops/cases/1?a=b&c=%20", True),
        ("/ops?x", True),
        ("", False),
        ("/", False),
        ("/ops\\evil.example", False),
        ("/\\evil.example", False),
        ("/ops@evil.example", False),
        ("/opsevil", False),
        ("/ops/..//evil.example", False),
        ("/ops/\r\nSet-Cookie: a=b", False),
        ("/ops/\t", False),
        ("/ops/ü", False),
        ("/ops\n", False),
        (" /ops", False),
        ("javascript:alert(1)", False),
        ("//ops", False),
        ("https:/ops", False),
        ("/metrics", False),
        ("/ops/" + "a" * 3000, False),
    ],
)
def test_which_paths_lead_to_the_console(target: str, stays: bool) -> None:
    assert local_path(target) == (target if stays else "/ops")


@pytest.mark.parametrize(
    ("path", "given", "location"),
    [
        ("/ops/letters", {}, "/ops/letters"),
        ("/ops/letters", {"said": "replayed", "n": 12}, "/ops/letters?said=replayed&n=12"),
        ("/ops/letters?stage=deliver", {"said": "replayed"}, "/ops/letters?stage=deliver&said=replayed"),
    ],
)
def test_going_on_with_a_word(path: str, given: dict[str, Any], location: str) -> None:
    answer = redirect(path, **given)
    assert (answer.status, answer.headers["Location"]) == (303, location)


def test_times_and_numbers_are_written_as_the_language_has_them() -> None:
    jakarta = ZoneInfo("Asia/Jakarta")
    assert when(1_795_329_910.4, zone=jakarta, language="id") == (
        '<time datetime="2026-11-22T13:45:10+07:00">22 Nov 2026 13:45:10 WIB</time>'
    )
    assert "5 Agu 2026" in when(1_785_900_000, zone=jakarta, language="id")
    assert "5 Aug 2026" in when(1_785_900_000, zone=jakarta, language="en")
    assert when(None, zone=jakarta, language="en") == "–"
    assert (count(1234567, language="id"), count(1234567, language="en")) == ("1.234.567", "1,234,567")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.66, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("", "", ""),
    ],
)
def test_which_address_a_try_counts_for(peer: str, forwarded: str, address: str) -> None:
    request = make_mocked_request("POST", "/ops/sign-in", headers={"X-Forwarded-For": forwarded} if forwarded else {})
    assert address_of(request.clone(remote=peer), [ip_network("10.0.0.0/8")]) == address


PAIRS = [
    *((ink, ground) for ink in ("ink", "faint", "accent") for ground in ("paper", "sheet", "sunk")),
    *((ink, "sheet") for ink in ("healthy", "degraded", "down", "silent", "paused", "unknown")),
    *((ink, "paper") for ink in ("healthy", "degraded", "down", "silent", "paused", "unknown")),
    *(("ink", ground) for ground in ("problem", "said", "warning")),
    ("on-accent", "accent"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str) -> None:
    """WCAG 2.2, success criteria 1.4.3 (text, 4.5) and 1.4.11 (edges of fields, 3)."""
    blocks = re.findall(r":root \{(.*?)\}", Static()._files["style.css"].body.decode(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", blocks[0]))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", blocks[1]))
    weak = {pair: round(ratio, 2) for pair in PAIRS if (ratio := contrast(colours, *pair)) < 4.5}
    assert not weak
    assert all(contrast(colours, "edge", ground) >= 3 for ground in ("paper", "sheet"))


def contrast(colours: dict[str, str], one: str, other: str) -> float:
    """The contrast ratio, as WCAG defines it."""
    lights = []
    for name in (one, other):
        channels = [int(colours[name][place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


async def test_what_holds_with_both_databases(store: Store) -> None:
    await people(store)
    async with running(store) as site, site.signed_in("budi") as browser:
        assert (await browser.submit("/ops/language", language="en", next="/ops/account")).status == 303
        assert "My account" in (await browser.get("/ops/account")).text


async def test_the_console_stands_where_messages_come_in(tmp_path: Path) -> None:
    async with whole.running(whole.settings(tmp_path)) as inside, aiohttp.ClientSession() as session:
        async with session.get(f"{inside.url}/ops", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/ops/sign-in")
        async with session.get(f"{inside.url}/nowhere") as answer:
            assert answer.content_type == "application/json"
    port = free_port()
    async with (
        whole.running(whole.settings(tmp_path), role="dispatch", port=port),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/ops") as answer,
    ):
        assert answer.status == 404
