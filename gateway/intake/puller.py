"""Reading a channel's sources: one process at a time, from a stored cursor that moves on only behind what is durable.

A lease in the store says which process reads. It is renewed while reading; a process that dies or hangs loses it and
another goes on from the cursor. What both have read is read twice, and the events' ids make that harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Literal

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from channels.base import Channel
from channels.errors import ChannelError, Misconfigured, RetryLater
from channels.receiving import Fetched, Source
from gateway.eventlog.base import LogUnavailable
from gateway.health.pauses import Pauses
from gateway.intake.recorder import Recorder
from gateway.seams import Seam, reached
from gateway.store.cursors import LeaseLost, load_cursor, save_cursor
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire, release

log = structlog.get_logger(__name__)

FIRST_REST, LONGEST_REST = 0.5, 60.0
MISCONFIGURED_REST = 30.0
PAUSED_REST = 1.0

ReadingState = Literal["standby", "reading", "retrying", "refused"]


class Reading(msgspec.Struct):
    """How the reading of one channel stands: ``reason`` says why it is not going on, ``since`` in Unix seconds."""

    state: ReadingState = "standby"
    reason: str = ""
    since: float = msgspec.field(default_factory=time.time)

    def turn(self, state: ReadingState, reason: str = "") -> bool:
        """Change the state; true where it is another than before."""
        if (state, reason) == (self.state, self.reason):
            return False
        if state != self.state:
            self.since = time.time()
        self.state, self.reason = state, reason
        return True


class Puller:
    """Reads the sources of one channel in one process.

    ``owner`` names the process in the lease, ``lease`` is its length in seconds.
    """

    def __init__(
        self,
        channel: Channel,
        recorder: Recorder,
        *,
        store: Store,
        owner: str,
        lease: float,
        pauses: Pauses | None = None,
    ) -> None:
        self._channel = channel
        self._pauses = pauses or Pauses(known=True)
        self._recorder = recorder
        self._store = store
        self._owner = owner
        self._lease = f"pull:{channel.name}"
        self._seconds = lease
        self._stopping = asyncio.Event()
        self._until = 0.0
        self.reading = {source.name: Reading() for source in channel.sources()}

    def stop(self) -> None:
        """Read nothing more; what has been read is recorded."""
        self._stopping.set()

    async def run(self) -> None:
        """Read until :meth:`stop`, whenever the lease is ours."""
        try:
            while not self._stopping.is_set():
                if await self._renew():
                    await self._hold()
                else:
                    self._all("standby")
                    await self._rest(self._seconds / 6)
        finally:
            with contextlib.suppress(StoreUnavailable, DBAPIError):
                await release(self._store, self._lease, self._owner)

    async def _renew(self) -> bool:
        """Take or renew the lease; false where it is another's, or nobody can tell."""
        # Our own clock, read before the question: by the time of the answer some of the lease has passed.
        until = time.monotonic() + self._seconds
        try:
            async with asyncio.timeout(self._seconds / 3):
                ours = await acquire(self._store, self._lease, self._owner, self._seconds)
        except (StoreUnavailable, DBAPIError, TimeoutError) as error:
            log.warning("intake.lease_unknown", channel=self._channel.name, reason=type(error).__name__)
            return False
        if ours:
            self._until = until
        return ours

    async def _hold(self) -> None:
        """Read every source while the lease holds."""
        log.info("intake.reading", channel=self._channel.name, sources=sorted(self.reading))
        sources = self._channel.sources()
        readers = [asyncio.create_task(self._read(source), name=f"read {source.name}") for source in sources]
        stopping = asyncio.create_task(self._stopping.wait(), name="stop reading")
        try:
            # A renewal that fails is tried again while the lease lasts by our own clock.
            while time.monotonic() < self._until:
                done, _ = await asyncio.wait(
                    {stopping, *readers}, timeout=self._seconds / 3, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    break
                await self._renew()
        finally:
            stopping.cancel()
            for reader in readers:
                reader.cancel()
            ends = await asyncio.gather(*readers, return_exceptions=True)
            self._all("standby")
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, LeaseLost):
                self._all("retrying", type(end).__name__)
                raise end

    async def _read(self, source: Source) -> None:
        """Read one source until the stop. Raises :class:`LeaseLost`."""
        rest = FIRST_REST
        reading = self.reading[source.name]
        try:
            while not self._stopping.is_set():
                try:
                    cursor = await load_cursor(self._store, self._channel.name, source.name)
                    while not self._stopping.is_set():
                        if self._pauses.holds(self._channel.name, "in"):
                            await self._rest(PAUSED_REST)
                            continue
                        fetched = await source.fetch(cursor)
                        await self._keep(source, fetched, cursor)
                        cursor = fetched.cursor
                        rest = FIRST_REST
                        if reading.turn("reading"):
                            log.info("intake.source_read", channel=self._channel.name, source=source.name)
                        await self._rest(fetched.rest)
                except (ChannelError, LogUnavailable, StoreUnavailable, DBAPIError) as error:
                    wait = _wait(error, rest)
                    self._failed(source, error, wait)
                    await self._rest(wait)
                    rest = min(rest * 2, LONGEST_REST)
        finally:
            await source.close()

    async def _keep(self, source: Source, fetched: Fetched, cursor: str) -> None:
        """Make durable what was read, then move the cursor on."""
        if fetched.items:
            reached(Seam.FETCHED)
            await self._recorder.take(fetched.items)
        if fetched.cursor != cursor:
            reached(Seam.BEFORE_CURSOR)
            await save_cursor(
                self._store,
                self._channel.name,
                source.name,
                fetched.cursor,
                lease=self._lease,
                owner=self._owner,
            )
            reached(Seam.AFTER_CURSOR)

    def _failed(self, source: Source, error: Exception, wait: float) -> None:
        reason = f"{error.reason}: {error}" if isinstance(error, ChannelError) else f"{type(error).__name__}: {error}"
        if isinstance(error, DBAPIError):
            reason = f"store: {type(error.orig).__name__}"
        if self.reading[source.name].turn("refused" if isinstance(error, Misconfigured) else "retrying", reason):
            log.warning(
                "intake.source_failed",
                channel=self._channel.name,
                source=source.name,
                reason=reason,
                retry_in=round(wait, 1),
            )

    def _all(self, state: ReadingState, reason: str = "") -> None:
        for reading in self.reading.values():
            reading.turn(state, reason)

    async def _rest(self, seconds: float) -> None:
        """Rest, at most until the stop."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


def _wait(error: Exception, rest: float) -> float:
    """Seconds until the next try: what the provider asks for, long for what an operator has to put right."""
    if isinstance(error, Misconfigured):
        return MISCONFIGURED_REST
    if isinstance(error, RetryLater) and error.retry_after is not None:
        return max(error.retry_after, FIRST_REST)
    return rest
