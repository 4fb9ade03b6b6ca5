"""The files to fetch as a queue: leasing them, and settling them.

As in the outbox, a lease is an owner and a due time in the future. Every lease is an attempt with a number of its
own, and the number is part of the blob's key. So what a process stores that lost its lease never overwrites what
another has settled, and what an attempt left behind is known by its key and erased at the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Attachment
from gateway.attachments.shapes import Leased, Settlement, told
from gateway.store.engine import Store
from gateway.store.sql import clock
from gateway.store.tables import attachments, cases, messages, publications
from normalizer.cloudevents import headers
from normalizer.event import ComplaintEvent, decode
from normalizer.messages import encode

MAX_DETAIL = 500


class Queue:
    """The files to fetch, for one owner. Every method raises :class:`~gateway.store.engine.StoreUnavailable`."""

    def __init__(self, store: Store, owner: str, *, cases_topic: str, source: str) -> None:
        self._store = store
        self._owner = owner
        self._cases_topic = cases_topic
        self._source = source

    async def due(self) -> set[str]:
        """The channels with a file that is due."""
        query = select(attachments.c.channel).where(attachments.c.state == "waiting", self._due()).distinct()
        async with self._store.read() as connection:
            return set((await connection.execute(query)).scalars())

    def _due(self) -> ColumnElement[bool]:
        """Due by the database's clock; what nobody has tried yet is, though its dispatcher's clock may be ahead."""
        untried = and_(attachments.c.attempts == 0, attachments.c.owner.is_(None))
        return or_(attachments.c.due_at <= clock(), untried)

    async def lease(self, channel: str, limit: int, seconds: float) -> list[Leased]:
        """Take up to ``limit`` due files of a channel for ``seconds``, the longest due first.

        Rows that another process is taking at this moment are skipped.
        """
        due = (
            select(attachments.c.event_id, attachments.c.position)
            .where(attachments.c.channel == channel, attachments.c.state == "waiting", self._due())
            .order_by(attachments.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        leased = []
        async with self._store.write() as connection:
            for found in (await connection.execute(due)).all():
                taken = (
                    update(attachments)
                    .where(attachments.c.event_id == found.event_id, attachments.c.position == found.position)
                    .values(owner=self._owner, due_at=clock() + seconds, attempts=attachments.c.attempts + 1)
                    .returning(attachments)
                )
                leased.append(_leased((await connection.execute(taken)).one()))
        return leased

    async def settle(self, settlement: Settlement) -> bool:
        """Write down what an attempt came to, with what downstream hears of it; false where the lease was lost.

        Asked again after an answer that got lost, it finds its own word standing and says true.
        """
        leased, stored = settlement.leased, settlement.stored
        mine = (attachments.c.event_id == leased.event_id, attachments.c.position == leased.position)
        values: dict[str, Any] = {"detail": settlement.detail[:MAX_DETAIL], "owner": None}
        if settlement.outcome in ("retry", "held"):
            values["due_at"] = clock() + settlement.due_in
        else:
            values |= {"state": settlement.outcome, "settled_at": settlement.at}
        if stored is not None:
            values |= {"stored": stored.key, "size": stored.size, "sha256": stored.sha256}
        ours = (
            attachments.c.state == "waiting",
            attachments.c.owner == self._owner,
            attachments.c.attempts == leased.attempts,
        )
        async with self._store.write() as connection:
            done = await connection.execute(update(attachments).where(*mine, *ours).values(values))
            if not done.rowcount:
                standing = (await connection.execute(select(attachments.c.stored).where(*mine))).scalar()
                return stored is not None and standing == stored.key
            if settlement.outcome not in ("retry", "held"):
                await self._tell(connection, settlement)
        return True

    async def give_back(self, leased: Sequence[Leased]) -> None:
        """Let others take these files at once."""
        async with self._store.write() as connection:
            for one in leased:
                await connection.execute(
                    update(attachments)
                    .where(
                        attachments.c.event_id == one.event_id,
                        attachments.c.position == one.position,
                        attachments.c.owner == self._owner,
                        attachments.c.attempts == one.attempts,
                    )
                    .values(owner=None, due_at=clock())
                )

    async def event(self, event_id: str) -> ComplaintEvent | None:
        """The message that a file came with; ``None`` where it was erased."""
        query = select(messages.c.document).where(messages.c.event_id == event_id)
        async with self._store.read() as connection:
            document = (await connection.execute(query)).scalar()
        return decode(document.encode()) if document else None

    async def waiting(self) -> dict[str, int]:
        """How many files wait, or are being fetched, by channel."""
        query = (
            select(attachments.c.channel, func.count().label("waiting"))
            .where(attachments.c.state == "waiting")
            .group_by(attachments.c.channel)
        )
        async with self._store.read() as connection:
            return {row.channel: row.waiting for row in await connection.execute(query)}

    async def _tell(self, connection: AsyncConnection, settlement: Settlement) -> None:
        """Have the relay say on the log what became of a file, where its message is on a case."""
        leased = settlement.leased
        found = await connection.execute(select(cases).where(cases.c.number == leased.case_number))
        case = found.first()
        if case is None:
            return
        said = told(settlement, case)
        await connection.execute(
            publications.insert(),
            {
                "topic": self._cases_topic,
                "key": said.number.encode(),
                "value": encode(said),
                "headers": msgspec.json.encode(headers(said, self._source)),
            },
        )


def _leased(row: Any) -> Leased:
    file = Attachment(row.name, row.media_type, row.size, reference=row.reference)
    return Leased(
        row.event_id,
        row.position,
        file,
        row.channel_type,
        row.channel,
        row.case_number,
        row.created_at,
        row.attempts,
    )
