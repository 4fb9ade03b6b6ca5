"""A local server that speaks the send APIs of all dialects, for tests, the sandbox and the demo.

It checks what it receives as the real provider would, answers in the provider's shapes, keeps what it took in
``sent``, and speaks as the citizen and as the telco: :meth:`StandIn.text` and :meth:`StandIn.report`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import ClassVar
from uuid import uuid4

from aiohttp import web

from channels.base import ReceiptOutcome
from channels.http import HttpClient, HttpResponse
from channels.sms.outbound import Call
from channels.sms.settings import DialectName, SmsSettings
from channels.sms.standins import DIALECTS, load
from channels.sms.standins.base import CitizenText, Provider, Received, Reply, StandInMessage
from channels.standin import Draft, Fault, StandInServer, Written

__all__ = ["Fault", "StandIn", "StandInMessage"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StandIn(StandInServer[StandInMessage]):
    """One server for every dialect; ``accounts`` are the settings whose credentials it knows (none: any will do).

    Use it as ``async with StandIn(settings) as standin``, with a channel whose settings are
    ``settings.model_copy(update=standin.overrides(settings))``.
    """

    citizen: ClassVar[str] = "+6281234567890"

    def __init__(self, *accounts: SmsSettings, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.accounts = accounts
        self.url = ""
        self.address = accounts[0].sender if accounts else ""
        self._bind = (host, port)
        self._providers: dict[DialectName, Provider] = {name: load(name)(accounts) for name in DIALECTS}
        self._http = HttpClient(timeout=30.0)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> StandIn:
        application = web.Application()
        for provider in self._providers.values():
            application.router.add_route(provider.method, provider.path, self._taker(provider))
            if provider.probe_path:
                application.router.add_get(provider.probe_path, self._prober(provider))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._bind).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._http.__aexit__(kind, error, trace)
        if self._runner is not None:
            await self._runner.cleanup()

    def overrides(self, settings: SmsSettings) -> dict[str, str]:
        """The settings that point a channel here."""
        return {"send_url": self.url + self._providers[settings.dialect].url(settings)}

    async def text(
        self,
        webhook_url: str,
        from_: str,
        text: str,
        *,
        id: str | None = None,  # noqa: A002 - as the providers call it
        to: str = "",
        at: datetime | None = None,
        settings: SmsSettings | None = None,
    ) -> HttpResponse:
        """Write to the gateway as a citizen, with the token or signature that ``settings`` (the first account) ask for.

        ``id`` is the provider's id: a fresh one unless given, none for ``""``. A long text may take several calls; the
        answer is the first that is not a yes, or the last. Raises like :meth:`channels.http.HttpClient.request`, and
        :class:`ValueError` for a dialect that passes nothing on.
        """
        account = settings or self.accounts[0]
        citizen = CitizenText(
            sender=from_,
            to=to or account.sender,
            text=text,
            id=str(uuid4()) if id is None else id,
            at=at or datetime.now(UTC),
        )
        response: HttpResponse | None = None
        for call in self._providers[account.dialect].passed_on(account, webhook_url, citizen):
            response = await self._call(call)
            if response.status >= 300:
                break
        if response is None:
            raise ValueError(f"nothing comes in from {account.dialect}")
        return response

    async def write(self, webhook_url: str, draft: Draft) -> Written:
        """Text the gateway; however often the provider has to hand it over, it is one message."""
        return Written(draft.id, (await self.text(webhook_url, draft.sender, draft.text, id=draft.id)).status)

    async def report(
        self, message: StandInMessage, outcome: ReceiptOutcome = "delivered", *, settings: SmsSettings | None = None
    ) -> HttpResponse:
        """Send the gateway a receipt of a message in ``sent``. Raises like :meth:`text`."""
        account = settings or next(one for one in self.accounts if one.dialect == message.dialect)
        return await self._call(self._providers[message.dialect].reported(account, message, outcome))

    async def _call(self, call: Call) -> HttpResponse:
        return await self._insist(lambda: self._http.request(call.method, call.url, **call.options()))

    def _prober(self, provider: Provider) -> Handler:
        async def probed(request: web.Request) -> web.Response:
            return _response(provider.probed(await _received(request)))

        return probed

    def _taker(self, provider: Provider) -> Handler:
        async def take(request: web.Request) -> web.StreamResponse:
            fault = self._fault()
            if fault is not None and not fault.taken and fault.kind != "slow":
                return await self._fail(fault, request)
            taken = provider.take(await _received(request), str(uuid4()), datetime.now(UTC))
            if isinstance(taken, Reply):
                return _response(taken)
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay)
            await self._keep(taken)
            if fault is not None and fault.kind != "slow":
                return await self._fail(fault, request)
            return _response(provider.yes(taken))

        return take


async def _received(request: web.Request) -> Received:
    query = {name: request.query[name] for name in request.query}
    return Received(request.method, request.path, query, request.headers, await request.read())


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
