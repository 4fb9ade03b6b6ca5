"""The spool: a local durable queue that takes over while Kafka cannot confirm, and empties itself in order.

The contract of :mod:`gateway.eventlog.base`, and here in particular:

* An append that Kafka does not confirm goes to a file on the local disk, is fsynced, and returns. So durable means
  here: in Kafka, or on this machine's disk on its way there. No room there either: :class:`LogFull`.
* Only the appends that are under way when Kafka goes away wait for its time bound. Those after them go straight to
  the spool until it is empty again; so the records of one key stay in order, whichever way each of them took.
* Each process has a spool of its own, held by a lock: ``log.db``, or ``log.1.db``, ``log.2.db``, … where others hold
  those. What a dead process left behind is drained by the next that starts or looks.
* Draining delivers at least once: what was on its way when the process died is sent again, in order.
* A record that cannot be read, or that Kafka refuses for good, is put aside in the spool's file and holds up nothing.

An append goes one of two ways, and from one to the other through a moment in which arrivals are held::

    direct ── one was not confirmed ──▶ failing ── the other direct ones have settled ──▶ spooling
    spooling ── the spool is empty ──▶ resuming ── writes under way are drained too ──▶ direct

What was held, and what was not confirmed, goes on in the order of its arrival before anything later does.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import structlog

from gateway.eventlog.base import Consumer, LogFull, LogUnavailable, Record, RecordRefused, Taken
from gateway.eventlog.kafka import KafkaLog
from gateway.eventlog.spool_file import Spool, take_free, take_orphans, unwrap
from gateway.seams import Seam, reached

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 500
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 1.0
ORPHANS_SECONDS = 15.0
DISK_SECONDS = 1.0

_Way = Literal["direct", "failing", "spooling", "resuming"]
_Turn = tuple[_Way, asyncio.Future[None]]


class _Held:
    """An append that waits for the way to be decided; it is then told which it has been put on."""

    __slots__ = ("records", "ticket", "turn")

    def __init__(self, ticket: int, records: Sequence[Record]) -> None:
        self.ticket = ticket
        self.records = records
        self.turn: asyncio.Future[_Turn] = asyncio.get_running_loop().create_future()


class SpooledLog:
    """An :class:`~gateway.eventlog.base.EventLog` in front of ``kafka``, with its spool at ``path``.

    ``max_bytes`` bounds what waits in the spool; while less than ``min_free_bytes`` are free on its disk, it takes
    nothing either.
    """

    def __init__(
        self, kafka: KafkaLog, path: Path | str, *, max_bytes: int, min_free_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._kafka = kafka
        self._path = Path(path)
        self._max_bytes = max_bytes
        self._min_free = min_free_bytes
        self._way: _Way = "direct"
        self._ticket = 0
        self._direct = 0
        self._writing = 0
        self._held: list[_Held] = []
        self._idle: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._own: Spool | None = None
        self._orphans: list[Spool] = []
        self._drainer: asyncio.Task[None] | None = None
        self._at_once = 1
        self._free = 0
        self._free_at = -DISK_SECONDS
        self.spooled = 0
        """Records that took the way over the spool since the start."""
        self.put_aside = 0
        """Records that could not be delivered and were put aside since the start."""

    @property
    def depth(self) -> int:
        """Records that wait in the spools that this process holds."""
        return sum(spool.depth for spool in self._spools())

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(spool.bytes for spool in self._spools())

    @property
    def oldest(self) -> float | None:
        """When the oldest of them was spooled (Unix seconds); ``None`` where none waits."""
        return min((spool.oldest for spool in self._spools() if spool.oldest is not None), default=None)

    async def start(self) -> None:
        """Start Kafka, take a spool of our own and those that nobody holds, and begin to drain."""
        await self._kafka.start()
        await self._take_spools()
        if self.depth or not self._kafka.ready()[0]:
            self._way = "spooling"
            self._wake.set()
        self._drainer = asyncio.create_task(self._drain(), name="spool-drain")

    async def close(self) -> None:
        """Finish the appends under way and let go; what waits in the spool waits for the next start."""
        if self._drainer is not None:
            self._drainer.cancel()
            await asyncio.wait([self._drainer])
            self._drainer = None
        await self._until_idle()
        await self._kafka.close()
        for spool in self._spools():
            await spool.close()
        self._own = None
        self._orphans.clear()

    async def append(self, records: Sequence[Record]) -> None:
        """Make all of the records durable, in Kafka or in the spool, in the order of each key.

        Raises :class:`RecordRefused`; :class:`LogFull` where Kafka is away and the spool has no room; and
        :class:`LogUnavailable` where the spool cannot be written.
        """
        if not records:
            return
        self._ticket += 1
        ticket = self._ticket
        way, written = self._submit(records) if self._open else await self._turn(self._hold(ticket, records))
        if way == "direct":
            try:
                await written
            except RecordRefused:
                raise
            except LogUnavailable as error:
                self._fail(str(error))
                turn = self._hold(ticket, records)
            else:
                return
            finally:
                self._direct -= 1
                self._settled()
            _, written = await self._turn(turn)
        try:
            await written
            reached(Seam.SPOOLED)
        finally:
            self._writing -= 1
            self._settled()

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """A new member of ``group``, on Kafka."""
        return self._kafka.consumer(group, topics)

    def ready(self) -> tuple[bool, str]:
        """True while Kafka or the spool takes records; where it is the spool, the reason tells so."""
        able, why = self._kafka.ready()
        if self._way == "direct" and able:
            return True, why
        try:
            self._check_room()
        except LogUnavailable as error:
            return False, f"{error}; {why}" if why else str(error)
        return True, f"{self.depth} records wait in the spool" + (f"; {why}" if why else "")

    @property
    def _open(self) -> bool:
        """Whether an append need not be held."""
        return self._way in ("direct", "spooling")

    def _submit(self, records: Sequence[Record]) -> _Turn:
        """Put an append on the way that is open, now; raises what no other way could mend."""
        if self._way == "direct":
            try:
                written = self._kafka.submit(records)
            except RecordRefused:
                raise
            except LogUnavailable as error:
                self._fail(str(error))
                written = asyncio.get_running_loop().create_future()
                written.set_exception(error)
            self._direct += 1
            return "direct", written
        own = self._check_room()
        written = own.submit(records)
        self._writing += 1
        self.spooled += len(records)
        return "spooling", written

    async def _turn(self, turn: asyncio.Future[_Turn]) -> _Turn:
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # It has been put on its way already, and nobody is left to see it arrive.
                way, written = turn.result()
                written.add_done_callback(lambda _: self._abandoned(way))
            raise

    def _abandoned(self, way: _Way) -> None:
        if way == "direct":
            self._direct -= 1
        else:
            self._writing -= 1
        self._settled()

    def _hold(self, ticket: int, records: Sequence[Record]) -> asyncio.Future[_Turn]:
        held = _Held(ticket, records)
        self._held.append(held)
        return held.turn

    def _release(self, way: _Way) -> None:
        """Open a way, and put on it what was held, in the order of arrival, before anybody else can come."""
        if way != self._way:
            log.info("log.spool.way", way=way, waiting=self.depth, held=len(self._held))
        self._way = way
        held, self._held = sorted(self._held, key=lambda one: one.ticket), []
        for one in held:
            if one.turn.done():
                continue
            if not self._open:
                self._held.append(one)
                continue
            try:
                one.turn.set_result(self._submit(one.records))
            except LogUnavailable as error:
                one.turn.set_exception(error)
        if way == "spooling":
            self._wake.set()

    def _fail(self, reason: str) -> None:
        """Kafka has not confirmed, or what others left is to be drained first: no new append goes directly."""
        if self._way == "direct":
            log.warning("log.spool.taking_over", reason=reason)
            self._way = "failing"

    def _settled(self) -> None:
        """An append has come to its end; the last of the direct ones opens the way to the spool."""
        if self._way == "failing" and not self._direct:
            self._release("spooling")
        if self._idle is not None and not self._idle.done() and not self._direct and not self._writing:
            self._idle.set_result(None)

    async def _until_idle(self) -> None:
        while self._direct or self._writing:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    async def _drain(self) -> None:
        """Empty the spools whenever there is something in them; look for orphans now and then."""
        backoff = FIRST_BACKOFF
        while True:
            try:
                await self._look_for_orphans()
                if self._way == "spooling":
                    await self._empty()
                self._wake.clear()
                backoff = FIRST_BACKOFF
            except LogUnavailable:
                self._at_once = 1
                await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                backoff = min(backoff * 2, LONGEST_BACKOFF)
            except Exception:
                log.exception("log.spool.drain_failed")
                await asyncio.sleep(LONGEST_BACKOFF)

    async def _look_for_orphans(self) -> None:
        """Wait until there is something to drain; meanwhile see now and then what dead processes left."""
        try:
            async with asyncio.timeout(ORPHANS_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            await self._take_spools()
            if self._orphans:
                # Whoever wrote to their process may write to this one now.
                self._fail("a dead process left a spool")
                self._settled()

    async def _empty(self) -> None:
        """Drain all spools and open the direct way. Raises :class:`LogUnavailable` where Kafka stays away."""
        able, why = self._kafka.ready()
        if not able:
            raise LogUnavailable(why)
        if self._own is None:
            await self._take_spools()
        while self._orphans:
            await self._empty_one(self._orphans[0])
            await self._orphans.pop(0).discard()
        if self._own is not None:
            await self._empty_one(self._own)
        self._way = "resuming"
        way: _Way = "spooling"
        try:
            await self._until_idle()
            if self._own is not None:
                await self._empty_one(self._own)
                self._own.emptied()
            way = "direct"
        finally:
            self._release(way)

    async def _empty_one(self, spool: Spool) -> None:
        while head := await spool.head(self._at_once):
            records = [unwrap(one) for one in head]
            reached(Seam.BEFORE_SPOOL_DRAIN)
            try:
                await self._kafka.append([record for record in records if record is not None])
                reached(Seam.AFTER_SPOOL_DRAIN)
            except RecordRefused as error:
                if len(head) > 1:
                    self._at_once = 1
                    continue
                await self._put_aside(spool, head[0], str(error))
            for one, record in zip(head, records, strict=True):
                if record is None:
                    await self._put_aside(spool, one, "it does not tell its topic")
            await spool.delivered(len(head))
            reached(Seam.AFTER_SPOOL_REMOVAL)
            self._at_once = min(self._at_once * 2, MOST_AT_ONCE)

    async def _put_aside(self, spool: Spool, one: Taken, reason: str) -> None:
        log.error("log.spool.record_put_aside", spool=spool.path.name, offset=one.offset, reason=reason)
        self.put_aside += 1
        await spool.put_aside(one, reason)

    async def _take_spools(self) -> None:
        """Take a spool of our own if we have none, and those that nobody holds."""
        try:
            found = await asyncio.to_thread(self._find_spools)
        except OSError as error:
            log.warning("log.spool.none", reason=type(error).__name__)
            return
        for spool in found:
            try:
                await spool.open()
            except LogUnavailable as error:
                log.warning("log.spool.not_opened", spool=spool.path.name, reason=str(error))
                await spool.close()
                continue
            if self._own is None:
                self._own = spool
            elif spool.depth:
                self._orphans.append(spool)
            else:
                await spool.discard()
                continue
            log.info("log.spool.opened", spool=spool.path.name, waiting=spool.depth)

    def _find_spools(self) -> list[Spool]:
        own = [take_free(self._path)] if self._own is None else []
        return [*own, *take_orphans(self._path)]

    def _spools(self) -> list[Spool]:
        return [*self._orphans, *([self._own] if self._own is not None else [])]

    def _check_room(self) -> Spool:
        """The spool that takes writes. Raises :class:`LogUnavailable` where there is none, :class:`LogFull`."""
        own = self._own
        if own is None:
            raise LogUnavailable("no spool can be opened")
        able, why = own.ready()
        if not able:
            raise LogUnavailable(why)
        if own.bytes >= self._max_bytes:
            raise LogFull("the spool has reached its bound")
        now = asyncio.get_running_loop().time()
        if now - self._free_at >= DISK_SECONDS:
            self._free = shutil.disk_usage(self._path.parent).free
            self._free_at = now
        if self._free < self._min_free:
            raise LogFull("the spool's disk has no room left")
        return own
