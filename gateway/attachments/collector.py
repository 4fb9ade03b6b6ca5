"""The part of the deliver role that fetches files: leases them, streams each into the blob store, settles it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from channels.base import Channel
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater
from config.settings import Settings
from gateway.attachments.queue import Queue
from gateway.attachments.rules import refusal, too_large
from gateway.attachments.shapes import Leased, Outcome, Settlement
from gateway.blobs.base import BlobMissing, Blobs, BlobsUnavailable, BlobTooLarge
from gateway.blobs.raw import raw_of
from gateway.delivery.outcome import backoff
from gateway.metrics import Metrics
from gateway.seams import Seam, reached
from gateway.store.engine import Store, StoreUnavailable

log = structlog.get_logger(__name__)

IDLE_SECONDS = 1.0
COUNT_SECONDS = 5.0
AWAY_SECONDS = 2.0
LEASE_BEYOND = 30.0
"""Seconds of a lease beyond the time that a fetch may take: to settle it, however slow the store."""
STOP_SECONDS = 5.0
"""Seconds that fetches under way get at a stop; what is not done by then is given back."""


class Collector:
    """Fetches the files of all channels of one process; ``owner`` names the process and must be its own."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        settings: Settings,
        store: Store,
        blobs: Blobs,
        metrics: Metrics,
        owner: str,
        source: str,
    ) -> None:
        self._channels = channels
        self._rules = settings.attachments
        self._times = settings.delivery
        self._blobs = blobs
        self._metrics = metrics
        self._queue = Queue(store, owner, cases_topic=settings.topics.cases, source=source)
        self._in_flight: dict[asyncio.Task[None], Leased] = {}
        # Until when, by the monotonic clock, nothing is fetched: of a channel, and (under "") of any.
        self._rests: dict[str, float] = {}
        self._counted = float("-inf")
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be something to fetch."""
        self._wake.set()

    def stop(self) -> None:
        """Lease nothing more; what is nearly done is finished, the rest given back."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Fetch until :meth:`stop`."""
        try:
            while not self._stopping:
                try:
                    leased = await self._lease()
                    await self._count()
                except (StoreUnavailable, DBAPIError) as error:
                    log.warning("attachments.store_away", reason=type(error).__name__)
                    await self._pause(AWAY_SECONDS)
                else:
                    if not leased:
                        await self._pause(IDLE_SECONDS)
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=STOP_SECONDS)
            await self._give_back()
        finally:
            await self._cancel()

    async def _lease(self) -> int:
        """Lease what there is room for and start fetching it; returns how much that was."""
        count = 0
        if not self._rested(""):
            return count
        for name in await self._queue.due():
            room = self._rules.concurrency - sum(one.channel == name for one in self._in_flight.values())
            if name not in self._channels or room <= 0 or not self._rested(name):
                continue
            for leased in await self._queue.lease(name, room, self._rules.timeout + LEASE_BEYOND):
                task = asyncio.create_task(self._fetch(leased), name=f"fetch {leased.event_id}:{leased.position}")
                self._in_flight[task] = leased
                task.add_done_callback(self._landed)
                count += 1
        return count

    def _rested(self, name: str) -> bool:
        return time.monotonic() >= self._rests.get(name, 0.0)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task, None)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("attachments.task_failed", exc_info=task.exception())

    async def _fetch(self, leased: Leased) -> None:
        """Fetch one file, and wait until its outcome is in the store."""
        reached(Seam.FILE_LEASED)
        settlement = await self._attempt(leased)
        reached(Seam.FILE_STORED)
        pause = 0.1
        while True:
            try:
                stands = await self._queue.settle(settlement)
            except (StoreUnavailable, DBAPIError) as error:
                log.warning("attachments.settle_waits", channel=leased.channel, reason=type(error).__name__)
                if self._stopping:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                break
        reached(Seam.FILE_SETTLED)
        if stands:
            self._tally(settlement)
        else:
            log.warning("attachments.lease_lost", channel=leased.channel, event_id=leased.event_id)
        if settlement.outcome == "failed" or (settlement.stored is not None and not stands):
            await self._erase(leased.key)

    async def _attempt(self, leased: Leased) -> Settlement:
        """One attempt, and what it came to."""
        channel = self._channels[leased.channel]
        reason = refusal(leased.file, leased.position, self._rules)
        if reason:
            return _settled(leased, "refused", reason)

        async def raw() -> bytes:
            event = await self._queue.event(leased.event_id)
            if event is None:
                raise Refused("the message was erased", reason="no_message")
            return await raw_of(event, self._blobs)

        try:
            if leased.attempts > 1:
                await self._blobs.delete(leased.key_before)
            async with asyncio.timeout(self._rules.timeout), _closed(channel.download(leased.file, raw)) as pieces:
                stored = await self._blobs.put(pieces, key=leased.key, limit=self._rules.max_size)
        except BlobTooLarge:
            return _settled(leased, "refused", too_large(self._rules))
        except BlobMissing:
            # Perhaps another process keeps its blobs elsewhere: an operator can still put that right.
            lost = RetryLater("the message's payload is not in this blob store", reason="raw_missing")
            return self._failed(leased, lost)
        except (BlobsUnavailable, StoreUnavailable, DBAPIError) as error:
            # Ours to put right, and the same for every file.
            return self._held(leased, "", f"{type(error).__name__}: {error}")
        except Misconfigured as error:
            return self._held(leased, leased.channel, f"{error.reason}: {error}")
        except TimeoutError:
            return self._failed(leased, RetryLater("not fetched within the time allowed", reason="timeout"))
        except ChannelError as error:
            return self._failed(leased, error)
        except Exception as error:
            log.exception("attachments.channel_failed", channel=leased.channel)
            return self._failed(leased, RetryLater(type(error).__name__, reason="bug"))
        return Settlement(leased, "stored", time.time(), stored)

    def _held(self, leased: Leased, whose: str, detail: str) -> Settlement:
        """Not this file's fault: it waits, for as long as it takes, and so does what shares the fault."""
        rest = self._times.breaker_probe
        self._rests[whose] = time.monotonic() + rest
        return _settled(leased, "held", detail, due_in=rest)

    def _failed(self, leased: Leased, error: ChannelError) -> Settlement:
        """A refusal is final; anything else is tried again until a day (``give_up_after``) has passed."""
        detail = f"{error.reason}: {error}"
        if not isinstance(error, RetryLater):
            return _settled(leased, "refused", detail)
        wish = error.retry_after or 0.0
        if error.whole_channel and wish:
            self._rests[leased.channel] = time.monotonic() + wish
        if time.time() - leased.created_at >= self._times.give_up_after:
            return _settled(leased, "failed", detail)
        return _settled(leased, "retry", detail, due_in=max(backoff(leased.attempts, self._times), wish))

    def _tally(self, settlement: Settlement) -> None:
        name = settlement.leased.channel
        self._metrics.attachments.labels(name, settlement.outcome).inc()
        if settlement.stored is not None:
            self._metrics.attachment_bytes.labels(name).inc(settlement.stored.size)
            return
        log.warning(
            "attachments.not_stored",
            channel=name,
            event_id=settlement.leased.event_id,
            position=settlement.leased.position,
            outcome=settlement.outcome,
            detail=settlement.detail,
            attempt=settlement.leased.attempts,
        )

    async def _erase(self, key: str) -> None:
        try:
            await self._blobs.delete(key)
        except BlobsUnavailable as error:
            log.warning("attachments.left_behind", key=key, reason=str(error))

    async def _count(self) -> None:
        if time.monotonic() - self._counted < COUNT_SECONDS:
            return
        self._counted = time.monotonic()
        waiting = await self._queue.waiting()
        for name in self._channels:
            self._metrics.attachments_waiting.labels(name).set(waiting.get(name, 0))

    async def _give_back(self) -> None:
        left = list(self._in_flight.values())
        await self._cancel()
        if left:
            try:
                await self._queue.give_back(left)
            except (StoreUnavailable, DBAPIError):
                log.info("attachments.leases_left_to_lapse", files=len(left))

    async def _cancel(self) -> None:
        tasks = list(self._in_flight)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        """Until woken, at most ``seconds``."""
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        self._wake.clear()


def _settled(leased: Leased, outcome: Outcome, detail: str, *, due_in: float = 0.0) -> Settlement:
    return Settlement(leased, outcome, time.time(), detail=detail, due_in=due_in)


@asynccontextmanager
async def _closed(pieces: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces, and their source let go of at the end: a generator holds a connection until it is closed."""
    try:
        yield pieces
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
