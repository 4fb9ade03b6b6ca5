"""What the stand-ins of all channels share: a server that plays a provider, with faults to order.

A stand-in speaks the provider's real API on a free port of the loopback. It keeps what the gateway sent and speaks as
the citizen. It serves the tests, the sandbox and the demo; the gateway itself never imports it.
"""

from __future__ import annotations

import abc
import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import msgspec
from aiohttp import web


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

    def __init__(self) -> None:
        self.sent: list[H] = []
        self.fault: Fault | None = None
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

    async def wait_for(self, condition: Callable[[Sequence[H]], bool], timeout: float = 10.0) -> list[H]:
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
