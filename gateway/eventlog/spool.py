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
import contextlib
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import structlog

from gateway.eventlog.base import Consumer, LogFull, LogUnavailable, Record, RecordRefused
from gateway.eventlog.kafka import KafkaLog
from gateway.eventlog.spool_file import Spool, take_free, take_orphans, unwrap

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 500
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 2.0
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
        while self._direct or self._writing:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
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
        if self._way in ("direct", "spooling"):
            way, written = self._submit(ticket, records)
        else:
            way, written = await self._hold(ticket, records)
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
            _, written = await turn
        await self._spooled(records, written)

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
