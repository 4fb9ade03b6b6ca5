"""Carries what transactions had to say from the store to the log, in order, after they stand.

One relay works at a time, under a lease that is given back as soon as nothing waits. A crash between the append and the
delete says it twice; readers tell by the CloudEvents id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import delete, select

from gateway.eventlog.base import EventLog, LogUnavailable, Record, RecordRefused
from gateway.pace import Pace
from gateway.seams import Seam, reached
from gateway.store import leases
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.sql import among, numbers
from gateway.store.tables import publications

log = structlog.get_logger(__name__)

LEASE = "relay"
LEASE_SECONDS = 15.0
BATCH = 500
IDLE_SECONDS = 1.0
AWAY_SECONDS = 2.0
PACE_SECONDS = 0.1
"""Between two batches: no citizen waits for them."""

_ANY = select(publications.c.id).limit(1)
_OLDEST = select(publications).order_by(publications.c.id).limit(BATCH)
_headers = msgspec.json.Decoder(tuple[tuple[str, bytes], ...]).decode
_SAID = delete(publications).where(among(publications.c.id, numbers("ids")))


class Relay:
    """The relay of one process; ``wake`` tells it that a transaction left something to say."""

    def __init__(self, *, store: Store, log: EventLog, owner: str) -> None:
        self._store = store
        self._log = log
        self._owner = owner
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There is something new to say."""
        self._wake.set()

    def stop(self) -> None:
        """Leave after the batch under way."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        pace = Pace(PACE_SECONDS)
        while not self._stopping:
            try:
                said = await self._carry()
                pause = 0.0 if said == BATCH else IDLE_SECONDS
            except (LogUnavailable, StoreUnavailable) as error:
                log.warning("relay.waiting", reason=type(error).__name__, detail=str(error))
                pause = AWAY_SECONDS
                # Another process's way to the log may be open.
                await self._release()
            await self._rest(pause)
            if pause:
                await pace.turn()
        await self._release()

    async def _release(self) -> None:
        try:
            await leases.release(self._store, LEASE, self._owner)
        except StoreUnavailable:
            log.info("relay.lease_left_to_lapse")

    async def _carry(self) -> int:
        if not await self._waiting():
            return 0
        async with self._store.write() as connection:
            if not await leases.acquired(connection, self._store, LEASE, self._owner, LEASE_SECONDS):
                return 0
            rows: Sequence[Any] = (await connection.execute(_OLDEST)).all()
            if not rows:
                await leases.give_back(connection, LEASE, self._owner)
                return 0
        reached(Seam.BEFORE_RELAY)
        # Well within the lease: a log that takes longer raises LogUnavailable by its own bound.
        try:
            await self._log.append([_record(row) for row in rows])
        except RecordRefused:
            await self._one_by_one(rows)
        reached(Seam.AFTER_RELAY_APPEND)
        async with self._store.write() as connection:
            await connection.execute(_SAID, {"ids": [row.id for row in rows]})
            if len(rows) < BATCH:
                # Nobody has to wait for the lease of a process that dies while it has nothing to say.
                await leases.give_back(connection, LEASE, self._owner)
        reached(Seam.AFTER_RELAY)
        return len(rows)

    async def _one_by_one(self, rows: Sequence[Any]) -> None:
        """Carry what the log takes; what it will never take must not hold up the rest. The store still has it."""
        for row in rows:
            try:
                await self._log.append([_record(row)])
            except RecordRefused as error:
                log.warning(
                    "relay.refused", topic=row.topic, publication=row.id, size=len(row.value), reason=str(error)
                )

    async def _waiting(self) -> bool:
        async with self._store.read() as connection:
            return (await connection.execute(_ANY)).first() is not None

    async def _rest(self, seconds: float) -> None:
        if seconds and not self._stopping:
            try:
                await asyncio.wait_for(self._wake.wait(), seconds)
            except TimeoutError:
                return
            self._wake.clear()


def _record(row: Any) -> Record:
    return Record(row.topic, row.key, row.value, _headers(row.headers))
