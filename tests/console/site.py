"""The console on a real server, and a browser of sorts: a client that keeps cookies and knows the form's token."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.test_utils import unused_port as free_port

from config.settings import Settings
from gateway.console import accounts
from gateway.console.shell import Console, needs, operator_of, page
from gateway.store import operations
from gateway.store.engine import Store

PASSWORD = "a long enough password"
START = 1_800_000_000.0


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time


class Answer:
    """An answer, read."""

    def __init__(self, response: aiohttp.ClientResponse, text: str) -> None:
        self.status = response.status
        self.headers = response.headers
        self.cookies = response.cookies
        self.text = text

    @property
    def location(self) -> str:
        """Where it leads."""
        return self.headers.get("Location", "")

    @property
    def csrf(self) -> str:
        """The token that the forms of this page bear."""
        found = re.search(r'name="csrf" value="([^"]*)"', self.text)
        return found[1] if found else ""


class Browser:
    """Keeps cookies as a browser does, and follows no redirect by itself."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, path: str, **headers: str) -> Answer:
        """Open a page; ``headers`` have underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.url + path, allow_redirects=False, headers=named) as response:
            return Answer(response, await response.text())

    async def post(self, path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
        """Send a form as it is."""
        sent = {"Origin": self.url} | (headers or {})
        options: dict[str, Any] = {"allow_redirects": False, "headers": sent}
        async with self.session.post(self.url + path, data=form, **options) as response:
            return Answer(response, await response.text())

    async def submit(self, path: str, *, on: str = "/ops/account", **form: str) -> Answer:
        """Send a form of the page ``on``, with its token."""
        return await self.post(path, {"csrf": (await self.get(on)).csrf, **form})

    async def sign_in(self, name: str, password: str = PASSWORD, target: str = "") -> Answer:
        """Fill in the sign-in."""
        return await self.submit("/ops/sign-in", on="/ops/sign-in", name=name, password=password, next=target)

    def cookie(self, name: str = "lapor_session") -> str:
        """What the browser keeps under a name."""
        return next((cookie.value for cookie in self.session.cookie_jar if cookie.key == name), "")


class Site:
    """A running console with its store and its clock."""

    def __init__(self, url: str, store: Store, clock: Clock) -> None:
        self.url = url
        self.store = store
        self.clock = clock

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[Browser]:
        """A browser of its own."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
            yield Browser(self.url, session)

    @asynccontextmanager
    async def signed_in(self, name: str, **headers: str) -> AsyncIterator[Browser]:
        """A browser in which somebody has signed in."""
        async with self.browser(**headers) as browser:
            answer = await browser.sign_in(name)
            assert answer.status == 303, answer.text
            yield browser


@needs("viewer")
async def look(request: web.Request) -> web.StreamResponse:
    """What everybody who has signed in may see."""
    return web.Response(text=f"{operator_of(request).name} looks")


@needs("operator")
async def act(request: web.Request) -> web.StreamResponse:
    """What only an operator may do."""
    return web.Response(text=f"{operator_of(request).name} acts")


@needs("viewer")
async def fail(_request: web.Request) -> web.StreamResponse:
    """A page with a bug."""
    raise ZeroDivisionError("a secret detail")


@needs("viewer")
async def wrong(request: web.Request) -> web.StreamResponse:
    """A page whose template names what it was not given."""
    return page(request, "signin")


PAGES = (
    web.get("/ops", look),
    web.get("/ops/cases/{number}", look),
    web.post("/ops/act", act),
    web.get("/ops/act", act),
    web.get("/ops/fail", fail),
    web.get("/ops/wrong", wrong),
)


BOTH = pytest.mark.parametrize("site", ["sqlite", "postgresql"], indirect=True)
"""Runs a test of the fixture ``site`` on each database: for what lies in the statements."""


async def fresh_store(url: str) -> Store:
    """An empty store with the tables there are now: quicker to make than by every migration."""
    store = Store(url)
    async with store.write() as connection:
        await connection.run_sync(operations.operators.metadata.create_all)
    return store


@asynccontextmanager
async def running(store: Store, **sections: dict[str, Any]) -> AsyncIterator[Site]:
    """A console over a migrated store, with a few pages of the tests' own; ``sections`` are settings."""
    port, clock = free_port(), Clock()
    given: dict[str, Any] = {"server": {"port": port} | sections.pop("server", {}), **sections}
    nothing = cast("Any", None)
    console = Console(
        Settings(**given),
        {},
        store,
        blobs=nothing,
        desk=nothing,
        replay=nothing,
        on_replies=lambda: None,
        now=clock,
    )
    app = web.Application()
    console.add_to(app, PAGES)
    async with TestServer(app, port=port) as server:
        yield Site(str(server.make_url("")).rstrip("/"), store, clock)


async def people(store: Store) -> None:
    """An operator ``ani`` and a viewer ``budi``."""
    await accounts.add(store, "ani", "operator", PASSWORD)
    await accounts.add(store, "budi", "viewer", PASSWORD)
