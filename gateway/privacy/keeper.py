"""The supervised part that keeps what is promised: sweeps after the forgotten, and forgets by age.

One process of a store does it at a time, under a lease. A sweep finds what came in behind a forgetting: copies that a
provider delivers again, rows and dead letters that were on their way. Retention counts in whole days, so that a run
that erases something, and writes an SQLite store anew, comes once a day at most.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select

from config.durations import DAY, HOUR
from config.settings import Settings
from gateway.blobs.base import Blobs, BlobsUnavailable
from gateway.dispatcher.rules import Row
from gateway.eventlog.base import LogUnavailable
from gateway.privacy.blank import NOBODY
from gateway.privacy.copies import Blanking, blank_copies
from gateway.privacy.counts import Counts
from gateway.privacy.erase import BATCH, Eraser
from gateway.privacy.forget import ACTION
from gateway.privacy.letters import blank_letters
from gateway.privacy.wipe import wipe
from gateway.store import leases
from gateway.store.audit import record
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.operations import forgotten
from gateway.store.sql import among
from gateway.store.tables import cases, gatherings, messages

log = structlog.get_logger(__name__)

LEASE = "privacy"
LEASE_SECONDS = 600.0
EVERY_SECONDS = HOUR
AWAY_SECONDS = 60.0
OPERATOR = "retention"


class Keeper:
    """Sweeps once an hour; ``owner`` names the process in the lease."""

    def __init__(self, settings: Settings, store: Store, blobs: Blobs, *, owner: str) -> None:
        self._settings = settings
        self._store = store
        self._blobs = blobs
        self._owner = owner
        self._since: dict[Path, dict[str, int]] = {}
        # Rows were erased, and the store's files still hold what was in them.
        self._unwiped = False
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Leave after the batch under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        while not self._stopping.is_set():
            try:
                if await self._ours():
                    try:
                        await self.once()
                    finally:
                        await leases.release(self._store, LEASE, self._owner)
                pause = EVERY_SECONDS
            except (StoreUnavailable, BlobsUnavailable, LogUnavailable) as error:
                log.warning("privacy.waiting", reason=type(error).__name__, detail=str(error))
                pause = AWAY_SECONDS
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                continue

    async def once(self, now: float | None = None) -> tuple[Counts, Counts]:
        """One sweep and one run of the retention, ``now`` in Unix seconds; returns what each erased.

        Raises :class:`StoreUnavailable`, :class:`BlobsUnavailable` and :class:`LogUnavailable`.
        """
        swept, retained = self._eraser(), self._eraser()
        try:
            await self._sweep(swept)
            await self._retain(retained, time.time() if now is None else now)
        finally:
            self._unwiped = self._unwiped or bool(swept.counts) or bool(retained.counts)
        for why, counts in (("forgotten", swept.counts), ("retention", retained.counts)):
            if counts:
                log.info("privacy.erased", why=why, what=counts.said())
        if self._unwiped:
            await wipe(self._store)
            self._unwiped = False
        return swept.counts, retained.counts

    def _eraser(self) -> Eraser:
        topics, source = self._settings.topics, self._settings.server.base_url
        return Eraser(self._store, self._blobs, cases_topic=topics.cases, source=source)

    async def _messages(self, eraser: Eraser, *which: ColumnElement[bool]) -> None:
        """Erase every message that fits."""
        while not self._stopping.is_set() and (await eraser.messages(*which))[0]:
            await self._ours()

    async def _ours(self) -> bool:
        """Take or renew the lease."""
        return await leases.acquire(self._store, LEASE, self._owner, LEASE_SECONDS)

    async def _sweep(self, eraser: Eraser) -> None:
        """Erase what has turned up again of senders who were forgotten."""
        query = select(forgotten.c.sender_key, forgotten.c.until)
        async with self._store.read() as connection:
            until = {row.sender_key: row.until for row in await connection.execute(query)}
        if not until:
            return
        theirs = messages.c.sender_key.in_(select(forgotten.c.sender_key))
        # Also what the dispatcher took for forgotten though it came later: receipts of replies that are gone.
        due = or_(messages.c.received_at <= forgotten.c.until, messages.c.disposition == Row.FORGOTTEN)
        await self._messages(eraser, theirs, exists().where(messages.c.sender_key == forgotten.c.sender_key, due))
        # A long message that was joined just then has opened its case.
        opened = (cases.c.sender_key == forgotten.c.sender_key, cases.c.opened_at <= forgotten.c.until)
        async with self._store.read() as connection:
            numbers = (await connection.execute(select(cases.c.number).join(forgotten, and_(*opened)))).scalars().all()
        await eraser.cases(numbers, time.time())
        await eraser.senders(until, numbers)
        eraser.counts.letters += await blank_letters(self._store)
        await self._copies(eraser, until)

    async def _copies(self, eraser: Eraser, until: dict[str, float]) -> None:
        """Overwrite what has come onto the log since the last sweep."""
        topics = self._settings.topics
        looking = Blanking(topics, until)
        since = {path: dict(places) for path, places in self._since.items()}
        await blank_copies(self._settings, looking, since=since)
        found = looking
        if looking.later:
            # New messages of a citizen who came back stay; copies of messages that were erased do not.
            copies = select(messages.c.event_id).where(
                among(messages.c.event_id, looking.later), messages.c.sender_key == NOBODY
            )
            async with self._store.read() as connection:
                events = set((await connection.execute(copies)).scalars())
            if events:
                found = Blanking(topics, until, events=events)
                await blank_copies(self._settings, found, since=self._since)
                eraser.counts.records += looking.changed
        eraser.counts.records += found.changed
        await eraser.blobs(looking.stored | found.stored)
        self._since = since

    async def _retain(self, eraser: Eraser, now: float) -> None:
        """Forget cases that nobody has touched for the time that the settings allow, and what is on no case."""
        after = self._settings.retention.after
        if not after:
            return
        cutoff = math.floor((now - after) / DAY) * DAY
        old = and_(cases.c.sender_key != NOBODY, cases.c.updated_at <= cutoff)
        query = select(cases.c.number, cases.c.sender_key).where(old).limit(BATCH)
        while not self._stopping.is_set():
            async with self._store.read() as connection:
                rows = (await connection.execute(query)).all()
            if not rows:
                break
            numbers = [row.number for row in rows]
            joined = select(gatherings.c.id).where(among(gatherings.c.case_number, numbers))
            await self._messages(eraser, among(messages.c.case_number, numbers))
            await self._messages(eraser, messages.c.gathering.in_(joined))
            if self._stopping.is_set():
                break
            await eraser.cases(numbers, now)
            await eraser.senders({row.sender_key for row in rows}, numbers)
            await self._ours()
        await self._retain_caseless(eraser, cutoff)
        eraser.counts.letters += await blank_letters(self._store, before=cutoff)
        if eraser.counts:
            await eraser.senders(None)
            await record(self._store, OPERATOR, ACTION, detail=eraser.counts.said(), at=now)

    async def _retain_caseless(self, eraser: Eraser, cutoff: float) -> None:
        """What is on no case goes by its own age; parts whose message is on one go with it."""
        of_a_case = exists().where(gatherings.c.id == messages.c.gathering, gatherings.c.case_number.is_not(None))
        alone = (messages.c.case_number.is_(None), messages.c.received_at <= cutoff, ~of_a_case)
        count, last = await eraser.messages(*alone, after="")
        while count and not self._stopping.is_set():
            count, last = await eraser.messages(*alone, after=last)
