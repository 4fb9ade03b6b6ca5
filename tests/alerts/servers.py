"""The other ends of the sinks, as real servers on free ports: an HTTP server that answers as told, and a mail server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE = 60.0


@dataclass
class Heard:
    """One call: its path, headers and JSON body (``None``: it has none)."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Ear:
    """What a server heard. ``answers`` are for the next calls: a status, and a body; then 200."""

    url: str = ""
    heard: list[Any] = field(default_factory=list)
    answers: deque[tuple[int, Any]] = field(default_factory=deque)
    always: tuple[int, Any] = (200, {"ok": True})
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, one: Any) -> tuple[int, Any]:
        """Note a call; returns its answer."""
        self.heard.append(one)
        self._news.set()
        return self.answers.popleft() if self.answers else self.always

    async def until(self, done: Callable[[list[Any]], bool]) -> list[Any]:
        """Wait until what was heard is as it should be."""
        async with asyncio.timeout(PATIENCE):
            while not done(self.heard):
                self._news.clear()
                await self._news.wait()
        return self.heard


@asynccontextmanager
async def http_server() -> AsyncIterator[Ear]:
    """Takes every call."""
    ear = Ear()

    async def take(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        status, answer = ear.hear(Heard(request.method, request.path, dict(request.headers), body))
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ear.url = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        yield ear
    finally:
        await runner.cleanup()


@asynccontextmanager
async def mail_server() -> AsyncIterator[Ear]:
    """Takes every mail, or answers DATA with the code of the next answer."""
    ear = Ear(always=(250, ""))

    class Handler:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default)
            status, _ = ear.hear((envelope.mail_from, envelope.rcpt_tos, mail))
            return f"{status} as told"

    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(Handler(), loop=loop, enable_SMTPUTF8=False))
        return sessions[-1]

    server = await loop.create_server(session, "127.0.0.1", 0)
    ear.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield ear
    finally:
        server.close()
        for one in sessions:
            if one.transport is not None:
                one.transport.close()
        await server.wait_closed()
