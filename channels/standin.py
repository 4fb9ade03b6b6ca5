"""What the stand-ins of all channels share: a server that plays a provider, with faults to order.

A stand-in speaks the provider's real API on a free port of the loopback. It keeps what the gateway sent and speaks as
the citizen. It serves the tests, the sandbox and the demo; the gateway itself never imports it.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import msgspec
from aiohttp import web

from channels.http import HttpResponse, retry_after

Face = Literal["phone", "timeline", "chat", "mailbox"]
"""What citizens have in their hands, which is how the sandbox draws the channel."""

Trouble = Literal["error", "silent", "credentials", "rate_limit"]
"""What the sandbox can make go wrong at a provider: it answers with an error, takes requests and never answers,
refuses our credentials, or finds that we ask too often."""

LONGEST_PATIENCE = 5.0
"""Seconds after which a provider hands a message over again, even where the gateway asks for more."""


class Fault(msgspec.Struct, kw_only=True):
    """What goes wrong at the provider.

    ``status``: it answers ``status``, with Retry-After if ``retry_after`` (seconds) is set. ``hang``: it never answers.
    ``reset``: the connection breaks. ``slow``: it answers after ``delay`` seconds. ``taken`` tells that the message
    was taken nevertheless, the case where a retry doubles it. ``times`` counts down to the end of the fault; ``None``
    is until further notice. ``probability`` is the share of requests that it strikes.
    """

    kind: Literal["status", "hang", "reset", "slow"]
    status: int = 500
    retry_after: float | None = None
    delay: float = 0.2
    taken: bool = False
    times: int | None = None
    probability: float = 1.0

    def strikes(self) -> bool:
        """Whether it strikes this request; counts ``times`` down."""
        if self.times == 0 or random.random() >= self.probability:  # noqa: S311 - no secret hangs on it
            return False
        if self.times is not None:
            self.times -= 1
        return True


TROUBLES: Mapping[Trouble, Fault] = {
    "error": Fault(kind="status", status=500),
    "silent": Fault(kind="hang"),
    "credentials": Fault(kind="status", status=401),
    "rate_limit": Fault(kind="status", status=429, retry_after=15),
}
"""Each trouble as most providers show it."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen writes; a type takes of it what its citizens can do.

    ``id`` names the draft, so that a provider may use it as the message's own name. ``reply_to`` is the id of a message
    of :class:`Shown` or :class:`Written`; ``press`` the data of a button below it. ``photo`` holds a picture's bytes.
    """

    id: str
    sender: str
    text: str = ""
    subject: str = ""
    private: bool = False
    reply_to: str = ""
    press: str = ""
    photo: bytes = b""


class Written(msgspec.Struct, frozen=True):
    """What became of a draft: its ``id`` at the provider, as the gateway keeps it, and the gateway's answer."""

    id: str
    status: int


class Button(msgspec.Struct, frozen=True):
    """A button below a message."""

    label: str
    data: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the gateway's as the citizen's device shows it. ``reply_to`` is the id of what it answers."""

    id: str
    to: str
    text: str
    subject: str = ""
    private: bool = False
    reply_to: str = ""
    buttons: tuple[Button, ...] = ()


class Heard(Protocol):
    """One message that the gateway sent, as the citizen sees it; a stand-in's own class has more."""

    @property
    def sender(self) -> str:
        """Who it is from: our number, handle, bot or address."""
        ...

    @property
    def to(self) -> str:
        """The citizen's address, written as :meth:`StandInServer.text` takes it."""
        ...

    @property
    def text(self) -> str:
        """What it says."""
        ...


class Passed(Protocol):
    """What became of a citizen's message at the provider's side."""

    @property
    def status(self) -> int:
        """The status of the gateway's answer; 200 where the provider merely keeps it until it is read."""
        ...


H = TypeVar("H", bound=Heard)


class StandInServer(abc.ABC, Generic[H]):
    """The face of every ``channels/<type>/standin.py``'s ``StandIn(*accounts, host=…, port=…)``.

    Use it as ``async with``. ``accounts`` are the settings of the channels whose provider it plays. A fault set on
    ``fault`` strikes what the gateway asks of it.
    """

    url: str
    address: str = ""
    """What citizens write to, for people to read: the first account's number, handle, bot or address."""
    citizen: ClassVar[str]
    """An address to be a citizen with, as :meth:`text` takes it."""
    face: ClassVar[Face] = "phone"
    crowd_seconds: ClassVar[float] = 6.0
    """Seconds between two messages of a light steady traffic that the provider's limits leave room for."""

    def __init__(self) -> None:
        self.sent: list[H] = []
        self.fault: Fault | None = None
        self.on_refusal: Callable[[int], None] | None = None
        """Where it is set, what the gateway answers with a 5xx is handed over again until it is taken, as providers do,
        and each such answer is told here."""
        self._arrived = asyncio.Condition()
        self._closing = asyncio.Event()

    @abc.abstractmethod
    async def __aenter__(self) -> Self: ...

    @abc.abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abc.abstractmethod
    def overrides(self, settings: Any) -> Mapping[str, Any]:
        """The settings that point a channel here, for ``settings.model_copy(update=…)``."""

    @abc.abstractmethod
    async def text(self, webhook_url: str, from_: str, text: str) -> Passed:
        """Write to the gateway as a citizen, the way the first account's settings receive messages.

        Where the gateway reads by itself, ``webhook_url`` is not used. Raises :class:`ValueError` for a ``from_`` that
        nobody has on this channel.
        """

    async def write(self, webhook_url: str, draft: Draft) -> Written:
        """Write to the gateway what a citizen put together on a page. Raises like :meth:`text`."""
        return Written(draft.id, (await self.text(webhook_url, draft.sender, draft.text)).status)

    def shown(self, message: H) -> Shown:
        """One of ``sent`` as the citizen's device shows it."""
        return Shown(id=str(self.sent.index(message)), to=message.to, text=message.text)

    def person(self, number: int) -> str:
        """The address of one of any number of citizens; 0 is :attr:`citizen`."""
        if number == 0:
            return self.citizen
        local, at, domain = self.citizen.partition("@")
        name = local.rstrip("0123456789")
        digits = local[len(name) :]
        counted = f"{int(digits) + number:0{len(digits)}}" if digits else str(number)
        return f"{name}{counted}{at}{domain}"

    async def order(self, trouble: Trouble | None) -> None:
        """Have something go wrong until further notice; with ``None`` all is well, and who hangs is let go."""
        self.fault = TROUBLES[trouble] if trouble else None
        self._let_go()

    def _let_go(self) -> None:
        """End the requests that hang."""
        if not self._closing.is_set():
            # Who waits now is woken, who comes later waits.
            self._closing.set()
            self._closing.clear()

    async def _insist(self, call: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
        """Hand a message over: once, or until it is taken; see :attr:`on_refusal`."""
        response = await call()
        while self.on_refusal is not None and response.status >= 500 and not self._closing.is_set():
            self.on_refusal(response.status)
            pause = min(retry_after(response.headers) or 1.0, LONGEST_PATIENCE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            response = await call()
        return response

    async def wait_for(self, condition: Callable[[Sequence[H]], bool], timeout: float = 30.0) -> list[H]:
        """Wait until ``condition`` holds for what was sent so far; returns it. Raises :class:`TimeoutError`."""
        async with asyncio.timeout(timeout), self._arrived:
            await self._arrived.wait_for(lambda: condition(self.sent))
        return list(self.sent)

    async def _keep(self, message: H) -> None:
        """The gateway sent this."""
        async with self._arrived:
            self.sent.append(message)
            self._arrived.notify_all()

    def _fault(self) -> Fault | None:
        """The fault that strikes this request, if any."""
        return self.fault if self.fault is not None and self.fault.strikes() else None

    async def _fail(self, fault: Fault, request: web.Request) -> web.Response:
        """Answer an HTTP request as a fault has it."""
        if fault.kind == "status":
            headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            return web.Response(status=fault.status, headers=headers, text="a fault of the stand-in")
        if fault.kind == "hang":
            await self._closing.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
