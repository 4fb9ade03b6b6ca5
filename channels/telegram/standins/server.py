"""The stand-in's server: the Bot API over HTTP, the queue behind it, and faults to order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from channels.http import HttpClient
from channels.standin import Fault, StandInServer
from channels.telegram.settings import TelegramSettings
from channels.telegram.standins.methods import Refusal, check_text, check_webhook, method_of
from channels.telegram.standins.queue import Conflict
from channels.telegram.standins.shapes import Json
from channels.telegram.standins.world import World

USERNAME = "lapor1708_bot"


class StandInMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message that the gateway sent. ``to`` is the citizen whom it answers, as :meth:`StandIn.text` takes it.

    ``keyboard`` holds the rows of buttons; ``reply_to`` and ``topic`` are 0 for none.
    """

    sender: str
    to: str
    text: str
    chat: int
    id: int
    reply_to: int
    topic: int
    keyboard: list[list[Json]]
    at: datetime


class Call(msgspec.Struct, frozen=True):
    """One call of the API: its parameters in their types, and the whole answer."""

    method: str
    parameters: Json
    status: int
    answer: Json


class Server(StandInServer[StandInMessage]):
    """One server for any number of bots; ``accounts`` are the settings whose tokens it knows (none: any will do).

    ``fault`` strikes every call but getUpdates, ``poll_fault`` that one. ``calls`` and ``updates`` are all there were.
    The world of the first account's bot is :attr:`world`.
    """

    citizen = "500001"
    face = "chat"

    def __init__(self, *accounts: TelegramSettings, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.accounts = accounts
        self.url = ""
        self.poll_fault: Fault | None = None
        self.calls: list[Call] = []
        self.updates: list[Json] = []
        self._bind = (host, port)
        self._worlds = {account.token.get_secret_value(): _world(account) for account in accounts}
        self.address = f"@{self.world.me['username']}" if accounts else ""
        self.spelled: dict[int, str] = {}
        self.http = HttpClient(timeout=30.0)
        self._runner: web.AppRunner | None = None

    @property
    def world(self) -> World:
        """What the first bot knows."""
        return next(iter(self._worlds.values()))

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/bot{token:[^/]+}/{method}", self._called)
        application.router.add_get("/file/bot{token:[^/]+}/photos/{file}.jpg", self._file)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._bind).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for world in self._worlds.values():
            world.queue.close()
        await self.http.__aexit__(kind, error, trace)
        if self._runner is not None:
            await self._runner.cleanup()

    def overrides(self, settings: TelegramSettings) -> dict[str, str]:
        """The settings that point a channel here."""
        del settings
        return {"api_url": self.url}

    async def _called(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        parameters: Json = {}
        try:
            world = self._world_of(request.match_info["token"])
            parameters = method_of(method).read(await _parameters(request))
            fault = self._struck(method)
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay)
            elif fault is not None and not fault.taken:
                return await self._fail(fault, request)
            result = await self._do(world, method, parameters)
            if fault is not None and fault.kind != "slow":
                return await self._fail(fault, request)
            status, answer = 200, {"ok": True, "result": result}
        except Refusal as refusal:
            status, answer = refusal.status, refusal.document
        self.calls.append(Call(method, parameters, status, answer))
        return web.json_response(answer, status=status)

    def _world_of(self, token: str) -> World:
        """The world of a token's bot. Raises :class:`Refusal` for a token that no account has."""
        if token not in self._worlds:
            if self.accounts:
                raise Refusal(401, "Unauthorized")
            self._worlds[token] = World(USERNAME, 1708)
        return self._worlds[token]

    async def _do(self, world: World, method: str, call: Json) -> Any:
        match method:
            case "getMe":
                return world.me
            case "getUpdates":
                return await self._updates(world, call)
            case "setWebhook":
                check_webhook(call["url"], call.get("secret_token", ""))
                world.webhook = call
            case "deleteWebhook":
                world.webhook = {}
            case "sendMessage":
                return await self._send(world, call)
            case "answerCallbackQuery":
                world.answered.append(call)
            case "getFile":
                return world.file(call["file_id"])
        return True

    async def _updates(self, world: World, call: Json) -> list[Json]:
        if world.webhook:
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active")
        if not 1 <= call.get("limit", 100) <= 100:
            raise Refusal(400, "Bad Request: limit is out of range")
        try:
            return await world.queue.ask(
                call.get("offset", 0), call.get("limit", 100), call.get("timeout", 0), call.get("allowed_updates")
            )
        except Conflict as conflict:
            raise Refusal(409, "Conflict: terminated by other getUpdates request") from conflict

    async def _send(self, world: World, call: Json) -> Json:
        check_text(call["text"])
        message = world.take(call)
        answered = message.get("reply_to_message", {})
        citizen = answered.get("from", {}).get("id") if call["chat_id"] < 0 else call["chat_id"]
        await self._keep(
            StandInMessage(
                sender=world.me["username"],
                to=self.spelled.get(citizen, str(citizen or call["chat_id"])),
                text=call["text"],
                chat=call["chat_id"],
                id=message["message_id"],
                reply_to=answered.get("message_id", 0),
                topic=call.get("message_thread_id", 0),
                keyboard=call.get("reply_markup", {}).get("inline_keyboard", []),
                at=datetime.now(UTC),
            )
        )
        return message

    async def _file(self, request: web.Request) -> web.StreamResponse:
        fault = self._struck("file")
        if fault is not None and fault.kind != "slow":
            return await self._fail(fault, request)
        try:
            world = self._world_of(request.match_info["token"])
        except Refusal as refusal:
            return web.json_response(refusal.document, status=refusal.status)
        data = world.files.get(request.match_info["file"])
        return web.Response(status=404) if data is None else web.Response(body=data)

    def _struck(self, method: str) -> Fault | None:
        if method != "getUpdates":
            return self._fault()
        return self.poll_fault if self.poll_fault is not None and self.poll_fault.strikes() else None

    async def _fail(self, fault: Fault, request: web.Request) -> web.Response:
        """As Telegram fails: with its error document."""
        if fault.kind != "status":
            return await super()._fail(fault, request)
        wait = {} if fault.retry_after is None else {"retry_after": int(fault.retry_after)}
        refusal = Refusal(fault.status, "a fault of the stand-in", **wait)
        return web.json_response(refusal.document, status=refusal.status)


def _world(account: TelegramSettings) -> World:
    return World(account.username or USERNAME, account.bot_id or 1708)


async def _parameters(request: web.Request) -> Mapping[str, Any]:
    if request.content_type == "application/json":
        given: Json = await request.json()
        return dict(request.query) | given
    return dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
