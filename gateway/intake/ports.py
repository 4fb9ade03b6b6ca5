"""What an intake does besides webhooks and reading: channels' own ports, and telling providers where we are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import structlog

from channels.base import Channel
from channels.errors import ChannelError, Misconfigured, RetryLater
from channels.receiving import Item, Listener, Take
from gateway.eventlog.base import LogUnavailable
from gateway.health.pauses import RETRY_AFTER, Pauses
from gateway.intake.puller import FIRST_REST, LONGEST_REST, MISCONFIGURED_REST, Reading
from gateway.intake.recorder import Recorder

log = structlog.get_logger(__name__)


def taker(name: str, recorder: Recorder, pauses: Pauses) -> Take:
    """What a channel's listener hands its messages to."""

    async def take(items: Sequence[Item]) -> None:
        if pauses.paused(name, "in"):
            raise RetryLater("an operator has paused the channel", reason="paused", retry_after=float(RETRY_AFTER))
        try:
            await recorder.take(items)
        except LogUnavailable as error:
            raise RetryLater(str(error), reason="unavailable") from error

    return take


class Ports:
    """The listeners of all channels of one process."""

    def __init__(
        self, channels: Mapping[str, Channel], recorders: Mapping[str, Recorder], pauses: Pauses | None = None
    ) -> None:
        pauses = pauses or Pauses(known=True)
        self._listeners: dict[str, Listener] = {}
        for name, channel in channels.items():
            if (listener := channel.listener(taker(name, recorders[name], pauses))) is not None:
                self._listeners[name] = listener
        self._open: list[Listener] = []

    def listens(self, channel: str) -> bool:
        """Whether this channel has a port of its own."""
        return channel in self._listeners

    async def start(self) -> None:
        """Open every port. Raises :class:`OSError`; then none is open."""
        try:
            for name, listener in self._listeners.items():
                await listener.start()
                self._open.append(listener)
                log.info("intake.listening", channel=name)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Take nothing more and finish what was begun."""
        listeners, self._open = self._open, []
        await asyncio.gather(*(listener.stop() for listener in listeners))


class Registration:
    """Tells one channel's provider where our webhook is, until it has taken it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stopping = asyncio.Event()
        self.reading = Reading()

    def stop(self) -> None:
        """Try no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Register, however long the provider is away."""
        rest = FIRST_REST
        while not self._stopping.is_set():
            try:
                await self._channel.register()
            except ChannelError as error:
                wait = MISCONFIGURED_REST if isinstance(error, Misconfigured) else rest
                if self.reading.turn("refused" if isinstance(error, Misconfigured) else "retrying", str(error)):
                    log.warning("intake.not_registered", channel=self._channel.name, reason=error.reason, retry_in=wait)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait)
                rest = min(rest * 2, LONGEST_REST)
            else:
                self.reading.turn("reading")
                return
