"""A channel at its stand-in, and the least of a gateway around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from channels.base import InboundMessage, OutboundMessage, Thread
from channels.errors import Malformed, Unverified
from channels.http import HttpClient
from channels.telegram import TelegramChannel, TelegramSettings
from channels.telegram.standin import StandIn
from tests.channels.host import FakeHost, request
from tests.channels.telegram.kit import SECRET, TOKEN

SARI = "812345678"


def account(**changes: Any) -> TelegramSettings:
    """The settings of a bot that is polled."""
    return TelegramSettings.model_validate({"type": "telegram", "token": TOKEN} | changes)


def hooked(**changes: Any) -> TelegramSettings:
    """The settings of a bot whose webhook we are."""
    return account(mode="webhook", webhook_secret=SECRET, **changes)


@asynccontextmanager
async def at(api_url: str, settings: TelegramSettings | None = None) -> AsyncIterator[TelegramChannel]:
    """A channel at a Bot API server."""
    own = (settings or account()).model_copy(update={"api_url": api_url})
    channel = TelegramChannel("telegram", own, FakeHost())
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def pair(settings: TelegramSettings | None = None) -> AsyncIterator[tuple[StandIn, TelegramChannel]]:
    """A stand-in and a channel at it."""
    settings = settings or account()
    async with StandIn(settings) as standin, at(standin.url, settings) as channel:
        yield standin, channel


def reply(
    text: str = "Nomor: 482 913 7065",
    *,
    chat: int | str = SARI,
    to: str = SARI,
    thread: Thread | None = None,
    purpose: str = "",
) -> OutboundMessage:
    """A reply into a chat, or into a thread."""
    thread = Thread(conversation=str(chat)) if thread is None else thread
    return OutboundMessage(delivery="d-1", to=to, text=text, thread=thread, purpose=purpose)


class Gateway:
    """As much of an intake as the webhook of a channel needs."""

    def __init__(self, channel: TelegramChannel) -> None:
        self.channel = channel
        self.messages: list[InboundMessage] = []
        self.url = ""

    async def __aenter__(self) -> Gateway:
        application = web.Application()
        application.router.add_route("*", "/webhooks/telegram", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks/telegram"
        self.channel.host = FakeHost(HttpClient(), self.url.removesuffix("/webhooks/telegram"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, incoming: web.Request) -> web.Response:
        body = await incoming.read()
        given = request(
            channel="telegram", method="POST", body=body, content_type="application/json", headers=incoming.headers
        )
        try:
            self.channel.verify(given)
            self.messages += self.channel.parse(given)
        except (Unverified, Malformed) as error:
            return web.Response(status=401 if isinstance(error, Unverified) else 400, text=error.reason)
        return web.Response()
