"""The page: in two languages, usable by everyone, asking nothing of anybody else, and closed to other pages."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.sandbox.guard import HEADER, Guard
from tests.inside import running, settings
from tests.sandbox.browser import Browser

pytestmark = pytest.mark.asyncio(loop_scope="package")

FOLDER = Path(str(resources.files("gateway.sandbox")))


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.mark.parametrize(
    ("query", "language", "heading"),
    [
        ("", "id", "Jadilah warga yang melapor"),
        ("?lang=id", "id", "Jadilah warga yang melapor"),
        ("?lang=en", "en", "Be a citizen who complains"),
        ("?lang=xx", "id", "Jadilah warga yang melapor"),
    ],
)
async def test_the_page_speaks_the_readers_language(browser: Browser, query: str, language: str, heading: str) -> None:
    async with browser.http.get(f"/sandbox{query}") as answer:
        html = await answer.text()
    assert f'<html lang="{language}">' in html
    assert f"<h1>{heading}</h1>" in html


async def test_the_page_asks_nobody_else_and_runs_nothing_inline(browser: Browser) -> None:
    async with browser.http.get("/") as answer:
        assert (answer.status, answer.url.path) == (200, "/sandbox")
        html = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'")
    assert "unsafe" not in policy
    page = Elements(html)
    links = [
        value
        for one in page.all("a", "link", "script", "img", "form")
        for value in (one.get("href"), one.get("src"))
        if value
    ]
    assert links
    assert [link for link in links if not re.match(r"[#/](?!/)", link)] == []
    assert [
        tag for tag, attributes in page.found if any(name.startswith("on") or name == "style" for name in attributes)
    ] == []
    assert all(one.get("src") for one in page.all("script"))
    for link in [one for one in links if one.startswith("/sandbox/static/")]:
        async with browser.http.get(link) as file:
            assert file.status == 200, link
            assert "http://" not in (await file.text()).replace("http://www.w3.org", "")


async def test_everything_has_a_name_and_replies_are_read_out(browser: Browser) -> None:
    async with browser.http.get("/sandbox") as answer:
        html = await answer.text()
    page = Elements(html)
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {one["for"] for one in page.all("label") if "for" in one}
    fields = [one for one in page.all("textarea", "select", "input") if one.get("type") != "radio"]
    assert {one["id"] for one in fields} == labelled
    for name in ("aria-labelledby", "aria-describedby"):
        for _, attributes in page.found:
            assert attributes.get(name) in (None, *ids)
    devices = [one for one in page.all("section") if "data-channel" in one]
    assert [one["data-face"] for one in devices] == ["phone", "timeline", "chat", "mailbox"]
    screens = [one for one in page.all("div") if one.get("role") == "log"]
    assert len(screens) == 6
    assert all(one.get("aria-label") and one.get("tabindex") == "0" for one in screens)
    assert all(one.get("aria-label") for one in page.all("form"))


async def test_the_words_are_the_same_in_both_languages() -> None:
    def keys(table: dict[str, Any], front: str = "") -> set[str]:
        found = set()
        for name, value in table.items():
            found |= keys(value, f"{front}{name}.") if isinstance(value, dict) else {f"{front}{name}"}
        return found

    indonesian, english = (
        keys(tomllib.loads((FOLDER / "words" / f"{language}.toml").read_text(encoding="utf-8")))
        for language in ("id", "en")
    )
    assert indonesian == english
    scripts = "".join(path.read_text(encoding="utf-8") for path in (FOLDER / "static").glob("*.js"))
    asked = {f"live.{key}" for key in re.findall(r"(?<!/)\bwords\.(\w+)", scripts)}
    for template in (FOLDER / "templates").rglob("*.html"):
        asked |= set(re.findall(r"\bwords\.(\w+)", template.read_text(encoding="utf-8")))
    tables = {name for key in indonesian for name in (key, key.rpartition(".")[0]) if name}
    assert asked <= tables
    assert {key for key in indonesian if not {key, key.rpartition(".")[0]} & (asked - {"live"})} == {"language"}


TEXT_ON = [
    *(("--ink", ground) for ground in ("--paper", "--sheet", "--sunk", "--citizen", "--gateway", "--chat-mine")),
    *(("--faint", ground) for ground in ("--paper", "--sheet", "--sunk", "--citizen", "--gateway", "--chat-mine")),
    *(("--faint", ground) for ground in ("--phone-screen", "--chat-screen", "--mail-screen")),
    *(("--accent", ground) for ground in ("--paper", "--sheet", "--citizen", "--gateway", "--chat-mine")),
    *(("--down", ground) for ground in ("--paper", "--sheet", "--problem", "--citizen", "--chat-mine")),
    ("--on-accent", "--accent"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(scheme: str) -> None:
    css = (FOLDER / "static/style.css").read_text(encoding="utf-8")
    block = css.split(":root {")[1 if scheme == "light" else 2]
    colours = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block.split("}")[0]))

    def luminance(name: str) -> float:
        channels = [int(colours[name][at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    weak = {}
    for text, ground in TEXT_ON:
        lighter, darker = sorted((luminance(text), luminance(ground)), reverse=True)
        if (ratio := (lighter + 0.05) / (darker + 0.05)) < 4.5:
            weak[text, ground] = round(ratio, 2)
    assert weak == {}


POSTS = ("messages", "troubles", "crowds", "log", "story")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "bad_token"),
        ({HEADER: "guessed"}, "bad_token"),
        ({HEADER: "right", "Origin": "https://elsewhere.example"}, "foreign_page"),
        ({HEADER: "right", "Origin": "null"}, "foreign_page"),
        ({HEADER: "right", "Host": "rebound.example:8080"}, "not_here"),
    ],
    ids=["no token", "wrong token", "another page", "a page without a name", "another name"],
)
async def test_other_pages_can_do_nothing(browser: Browser, path: str, headers: dict[str, str], code: str) -> None:
    given = {name: browser.token if value == "right" else value for name, value in headers.items()}
    async with browser.http.post(f"/sandbox/{path}", data={"away": "true", "on": "true"}, headers=given) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, code)


@pytest.mark.parametrize("path", ["", "/status", "/events", "/static/page.js", "/photos/x"])
async def test_a_strangers_name_for_this_machine_reads_nothing(browser: Browser, path: str) -> None:
    async with browser.http.get(f"/sandbox{path}", headers={"Host": "rebound.example"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    ("remote", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8080", 200),
        ("127.0.0.1", "localhost", 200),
        ("::1", "[::1]:8080", 200),
        ("::1", "[::1]", 200),
        ("127.0.0.1", "127.0.0.1.example:80", 403),
        ("127.0.0.1", "", 403),
        ("192.0.2.7", "127.0.0.1:8080", 403),
        ("", "127.0.0.1:8080", 403),
    ],
)
async def test_only_this_machine_is_answered(remote: str, host: str, status: int) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    request = make_mocked_request("GET", "/sandbox", headers={"Host": host}).clone(remote=remote, host=host)
    assert (await Guard().here(handler)(request)).status == status


async def test_the_pages_own_requests_are_taken(browser: Browser) -> None:
    headers = {HEADER: browser.token, "Origin": browser.url}
    async with browser.http.post("/sandbox/log", data={"away": "false"}, headers=headers) as answer:
        assert answer.status == 200


async def test_without_the_flag_there_is_no_sandbox(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as inside, aiohttp.ClientSession(inside.url) as http:
        for path in ("", "/status", "/events", "/static/page.js"):
            async with http.get(f"/sandbox{path}") as answer:
                assert answer.status == 404
        for path in POSTS:
            async with http.post(f"/sandbox/{path}") as answer:
                assert answer.status == 404
