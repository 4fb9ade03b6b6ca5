"""A console with all its pages over a store in which citizens have written: through the real dispatcher and desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from sqlalchemy import select

from channels.base import InboundMessage, Sender, Thread
from config.settings import Settings
from gateway.blobs.folder import Folder
from gateway.channelset import load_channels
from gateway.console.page import Renderer
from gateway.console.pages import add_pages
from gateway.console.shell import Console
from gateway.eventlog.sqlite import SqliteLog
from gateway.replay import Replayer
from gateway.replies import Replies
from gateway.store.engine import Store
from gateway.store.operations import audit
from gateway.store.tables import cases
from gateway.updates.desk import Desk
from gateway.updates.writer import Context
from normalizer.event import ComplaintEvent
from normalizer.normalize import Normalizer
from tests.console.site import Browser, people
from tests.dispatcher.test_dispatcher import Bench
from tests.inside import KANNEL

KEY = "a key of sixteen or more"
NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
PHONE, NAME = "+6281298765432", "Siti Rahmawati"
TELEGRAM = {"type": "telegram", "token": "123456:" + "A" * 35, "mode": "polling"}


class World:
    """The console under test, its store, and ways to fill it."""

    def __init__(self, url: str, console: Console, bench: Bench) -> None:
        self.url = url
        self.console = console
        self.store = console.store
        self.bench = bench

    @asynccontextmanager
    async def browser(self, name: str, language: str = "en") -> AsyncIterator[Browser]:
        """A browser in which ``ani`` (an operator) or ``budi`` (a viewer) has signed in."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar, headers={"Accept-Language": language}) as session:
            browser = Browser(self.url, session)
            assert (await browser.sign_in(name)).status == 303
            yield browser

    async def rows(self, table: Any, *order: Any) -> Sequence[Any]:
        """Every row of a table."""
        async with self.store.read() as connection:
            return (await connection.execute(select(table).order_by(*order))).all()

    async def acts(self) -> Sequence[Any]:
        """The audit's rows, the oldest first, without who signed in."""
        rows = await self.rows(audit, audit.c.id)
        return [row for row in rows if not row.action.startswith("sign")]

    async def add(self, table: Any, *rows: dict[str, Any]) -> None:
        """Put rows into a table."""
        async with self.store.write() as connection:
            await connection.execute(table.insert(), list(rows))

    async def case(self, *events: ComplaintEvent) -> str:
        """Have the dispatcher take the events; returns the number of the newest case."""
        await self.bench.take(*(events or (said(),)))
        return str((await self.rows(cases, cases.c.opened_at.desc()))[0].number)


def said(
    text: str = "Jalan Merdeka rusak parah",
    *,
    address: str = PHONE,
    kind: Any = "phone",
    name: str = NAME,
    after: float = 0.0,
    id_: str = "m-1",
    channel: tuple[str, str] = ("sms", "sms"),
    raw: bytes | None = None,
    **more: Any,
) -> ComplaintEvent:
    """The event of a citizen's message, with a payload that holds their address and name."""
    payload = raw if raw is not None else f"from={address.replace('+', '%2B')}&name={name}&text={text}".encode()
    message = InboundMessage(
        sender=Sender(address, kind, name),
        provider_id=id_,
        text=text,
        raw=payload,
        raw_type="application/x-www-form-urlencoded",
        **({"thread": Thread()} | more),
    )
    return Normalizer(*channel, secret=KEY.encode()).event(message, NOON + timedelta(seconds=after))


@cache
def _replies() -> Replies:
    """Their templates take longer to compile than most tests to run."""
    return Replies(override=None, default_language="id", channel_types=("sms", "telegram"))


@cache
def _renderer() -> Renderer:
    """The same of the pages."""
    return Renderer(ZoneInfo("Asia/Jakarta"))


@asynccontextmanager
async def opened(store: Store, folder: Path, **sections: Any) -> AsyncIterator[World]:
    """A running console over a migrated store."""
    port = unused_port()
    given: dict[str, Any] = {
        "server": {"port": port},
        "privacy": {"key": KEY},
        "channels": {"sms": KANNEL, "telegram": TELEGRAM},
    }
    settings = Settings(**given | sections)
    log = SqliteLog(folder / "log.db", retention_seconds=3600)
    await log.start()
    bench = Bench(log, store, settings)
    desk = Desk(
        store=store,
        context=Context(_replies(), settings.topics.cases, "https://gateway.test", ZoneInfo("Asia/Jakarta")),
        metrics=bench.metrics,
        letters_topic=settings.topics.dead_letters,
    )
    replayer = Replayer(
        store=store,
        log=log,
        topic=settings.topics.complaints,
        updates_topic=settings.topics.case_updates,
        source="https://gateway.test",
        doors={},
    )
    channels = load_channels(settings)
    console = Console(
        settings,
        channels,
        store,
        blobs=Folder(folder / "blobs"),
        desk=desk,
        replay=replayer.replay,
        on_replies=lambda: None,
        now=lambda: NOON.timestamp() + 60,
    )
    console.renderer = _renderer()
    await people(store)
    app = web.Application()
    add_pages(console, app)
    async with TestServer(app, port=port) as server:
        yield World(str(server.make_url("")).rstrip("/"), console, bench)
    await log.close()


class Page(HTMLParser):
    """What a page says to people: its texts, headings, links, buttons, forms and labelled fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.forms: list[str] = []
        self.buttons: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)

    @property
    def text(self) -> str:
        """All its words."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if tag == "form" and named.get("method") == "post":
            self.forms.append(str(named["action"]))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        for heap, tags in ((self.buttons, ("button",)), (self.headings, ("h1", "h2", "h3"))):
            if tag in tags:
                heap.append("")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            continue

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "button" in self._open and self.buttons:
            self.buttons[-1] = f"{self.buttons[-1]}{data}".strip()
        if self._open and any(tag in self._open for tag in ("h1", "h2", "h3")):
            self.headings[-1] = " ".join(f"{self.headings[-1]} {data}".split())
        if self.rows and self.rows[-1] and any(tag in self._open for tag in ("td", "th")):
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def hidden(text: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    return unescape(found[1]) if found else ""
