"""Forgetting one sender: every place in turn, from the store's rows to the pages of its files."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from sqlalchemy import exists, func, select, text

from config.settings import Settings
from gateway.blobs.base import Blobs
from gateway.eventlog.base import Record
from gateway.privacy.copies import Blanking, blank_copies
from gateway.privacy.counts import Counts
from gateway.privacy.erase import BATCH, Eraser
from gateway.privacy.find import Who
from gateway.privacy.letters import blank_letters, blank_publications, relayed
from gateway.privacy.spelled import Spelled
from gateway.privacy.wipe import wipe
from gateway.store.audit import record
from gateway.store.engine import Store
from gateway.store.operations import blocks, forgotten
from gateway.store.sql import among
from gateway.store.tables import attachments, cases, deliveries, messages, outbox
from normalizer.event import decode

ACTION = "forget"
FORGOTTEN_SHOWN = "(forgotten)"

Told = Callable[[str, int, int], None]
"""Hears of progress: what is being erased, how much of it is done, and of how much."""


def _untold(_what: str, _done: int, _total: int) -> None:
    return


class Holding(msgspec.Struct, frozen=True):
    """What the store holds of a sender, in numbers."""

    cases: int
    messages: int
    files: int


class Forgotten(msgspec.Struct, frozen=True):
    """What came of it: what was erased, and how many events the dispatcher will still find, already blank."""

    counts: Counts
    waiting: int
    until: float


class Forgetting:
    """Forgets senders in one store, one blob store and the files of one machine's log."""

    def __init__(self, settings: Settings, store: Store, blobs: Blobs) -> None:
        self._settings = settings
        self._store = store
        self._blobs = blobs

    async def holding(self, who: Who) -> Holding:
        """How much there is of a sender. Raises :class:`~gateway.store.engine.StoreUnavailable`."""
        mine = messages.c.sender_key == who.key
        counted = (
            select(func.count()).select_from(cases).where(cases.c.sender_key == who.key),
            select(func.count()).select_from(messages).where(mine),
            select(func.count())
            .select_from(attachments)
            .where(attachments.c.event_id.in_(select(messages.c.event_id).where(mine))),
        )
        async with self._store.read() as connection:
            return Holding(*[(await connection.execute(query)).scalar() or 0 for query in counted])

    async def on_the_log(self, who: Who) -> bool:
        """Whether the embedded log or a spool of this machine holds a message of this sender."""
        found = False

        def look(record: Record, _settled: bool) -> bytes | None:
            nonlocal found
            found = found or record.key == who.key.encode()
            return None

        await blank_copies(self._settings, look)
        return found

    async def forget(self, who: Who, *, by: str, now: float | None = None, told: Told = _untold) -> Forgotten:
        """Erase what came from this sender until ``now`` (Unix seconds), wherever it lies; ``by`` is who asked.

        Cut off at any point it can be called again, and goes on. Raises
        :class:`~gateway.store.engine.StoreUnavailable`, :class:`~gateway.blobs.base.BlobsUnavailable` and
        :class:`~gateway.eventlog.base.LogUnavailable`.
        """
        until = time.time() if now is None else now
        topics, spelled = self._settings.topics, Spelled(who.address, who.kind)
        await self._remember(who, by, until)
        eraser = self._eraser()
        counts = eraser.counts
        # The cases lose their sender last: what is on the log about them is found by their numbers.
        numbers = await self._numbers(who, until)
        bounces = await self._bounces(who)
        await eraser.messages(among(messages.c.event_id, bounces))
        await self._erase_messages(eraser, who, until, told)
        counts.letters = await blank_letters(self._store, numbers=numbers, spelled=spelled)
        counts.publications, waiting = await blank_publications(self._store, topics, numbers, spelled=spelled)
        await relayed(self._store, waiting)
        blanking = Blanking(topics, {who.key: until}, events=bounces, numbers=numbers, spelled=spelled)
        await blank_copies(self._settings, blanking, told=lambda done, total: told("log", done, total))
        await eraser.blobs(blanking.stored)
        counts.records = blanking.changed
        # What a dispatcher wrote meanwhile of what it had read before.
        await self._erase_messages(eraser, who, until, told)
        await self._erase_cases(eraser, who, until, told)
        told("files of the store", 0, 1)
        await wipe(self._store)
        told("files of the store", 1, 1)
        await record(self._store, by[:64], ACTION, who.key, f"{who.type}: {counts.said()}", at=until)
        return Forgotten(counts, blanking.waiting, until)

    def _eraser(self) -> Eraser:
        settings = self._settings
        return Eraser(self._store, self._blobs, cases_topic=settings.topics.cases, source=settings.server.base_url)

    async def _remember(self, who: Who, by: str, until: float) -> None:
        """Write down that this sender is forgotten, before anything is: from here on the dispatcher knows it."""
        insert = self._store.insert(forgotten)
        row = insert.values(sender_key=who.key, type=who.type, until=until, by=by[:64])
        newest = {"until": row.excluded.until, "by": row.excluded.by}
        async with self._store.write() as connection:
            if not self._store.sqlite:
                # Waits for every transaction of a dispatcher that has looked here before and is still to write.
                await connection.execute(text(f"LOCK TABLE {forgotten.name} IN ACCESS EXCLUSIVE MODE"))
            await connection.execute(row.on_conflict_do_update(index_elements=[forgotten.c.sender_key], set_=newest))
            shown = blocks.update().where(blocks.c.sender_key == who.key).values(shown=FORGOTTEN_SHOWN)
            await connection.execute(shown)

    async def _numbers(self, who: Who, until: float) -> list[str]:
        mine = select(cases.c.number).where(cases.c.sender_key == who.key, cases.c.opened_at <= until)
        async with self._store.read() as connection:
            return sorted((await connection.execute(mine)).scalars())

    async def _bounces(self, who: Who) -> list[str]:
        """Receipts of replies to this sender that came in another's name: mail servers that do not tell for whom."""
        mine = select(messages.c.event_id).where(messages.c.sender_key == who.key)
        own = exists().where(
            messages.c.sender_key == who.key, messages.c.kind == "receipt", messages.c.received_at == deliveries.c.at
        )
        # A receipt's step has the very time of its event.
        steps = (
            select(deliveries.c.outbox_id, deliveries.c.at)
            .join(outbox, outbox.c.id == deliveries.c.outbox_id)
            .where(outbox.c.event_id.in_(mine), deliveries.c.step == "receipt", ~own)
        )
        async with self._store.read() as connection:
            found = (await connection.execute(steps)).all()
            if not found:
                return []
            receipts = select(messages.c.event_id, messages.c.document).where(
                messages.c.kind == "receipt", messages.c.received_at.in_({row.at for row in found})
            )
            rows = (await connection.execute(receipts)).all()
        replies = {row.outbox_id for row in found}
        said = [(row.event_id, decode(row.document.encode()).receipt) for row in rows]
        return [id_ for id_, receipt in said if receipt and receipt.delivery in replies]

    async def _erase_messages(self, eraser: Eraser, who: Who, until: float, told: Told) -> None:
        mine = (messages.c.sender_key == who.key, messages.c.received_at <= until)
        query = select(func.count()).select_from(messages).where(*mine)
        async with self._store.read() as connection:
            total = (await connection.execute(query)).scalar() or 0
        done = 0
        while count := (await eraser.messages(*mine))[0]:
            done += count
            told("messages", min(done, total), total)

    async def _erase_cases(self, eraser: Eraser, who: Who, until: float, told: Told) -> None:
        numbers = await self._numbers(who, until)
        for start in range(0, len(numbers), BATCH):
            await eraser.cases(numbers[start : start + BATCH], time.time())
            told("cases", min(start + BATCH, len(numbers)), len(numbers))
        await eraser.senders([who.key], numbers)
