"""Erasing rows of the store: what tells of a citizen becomes empty; numbers, times, states and ids stay.

The rows of a message, and then those of a case, change in one transaction and lose their sender's key in it. So what
still bears a key is what is still to be done, and a run that was killed is finished by the next. Blobs go before the
rows that name them: a crash in between leaves names of nothing, not files without a name.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, case, exists, null, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.blobs.base import Blobs, key_for
from gateway.privacy.blank import NOBODY, blank_event
from gateway.privacy.counts import Counts
from gateway.store.engine import Store
from gateway.store.sql import among
from gateway.store.tables import (
    attachments,
    cases,
    deliveries,
    gatherings,
    messages,
    outbox,
    publications,
    senders,
    updates,
)
from normalizer.cloudevents import headers
from normalizer.event import Privacy, decode, encode
from normalizer.messages import CaseChannel, CaseEvent
from normalizer.messages import encode as encode_message

BATCH = 200
"""Messages or cases of one transaction."""
DELETES_AT_ONCE = 8
DROPPED = "forgotten"
"""The state of a reply or a file that was waiting when its citizen was forgotten."""


class Eraser:
    """Erases rows of a store, and the blobs that they name; ``counts`` is what was erased so far.

    Methods raise :class:`~gateway.store.engine.StoreUnavailable` and :class:`~gateway.blobs.base.BlobsUnavailable`.
    """

    def __init__(self, store: Store, blobs: Blobs, *, cases_topic: str, source: str) -> None:
        self._store = store
        self._blobs = blobs
        self._cases_topic = cases_topic
        self._source = source
        self._erased: set[str] = set()
        self.counts = Counts()

    async def messages(self, *which: ColumnElement[bool], after: str | None = None) -> tuple[int, str]:
        """Erase up to :data:`BATCH` messages that still bear a key and fit ``which``; returns how many.

        What is erased bears no key any more, so the next call goes on by itself. Where ``which`` is found by no index,
        ``after`` makes all calls together one pass: ``""`` at first, then the last id, which is returned too.
        """
        query = select(messages.c.event_id, messages.c.document, messages.c.gathering)
        query = query.where(messages.c.sender_key != NOBODY, *which).limit(BATCH)
        if after is not None:
            query = query.where(messages.c.event_id > after).order_by(messages.c.event_id)
        async with self._store.read() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return 0, ""
        ids = [row.event_id for row in rows]
        await self._erase_blobs(ids, rows)
        async with self._store.write() as connection:
            await self._blank_messages(connection, rows)
            await self._blank_files(connection, ids)
            await self._blank_replies(connection, among(outbox.c.event_id, ids))
            if parts := {row.gathering for row in rows if row.gathering is not None}:
                # A message whose parts are gone is never joined.
                await connection.execute(
                    update(gatherings).where(gatherings.c.id.in_(parts)).values(sender_key=NOBODY, ref="", joined=True)
                )
        self.counts.messages += len(rows)
        return len(rows), max(ids)

    async def cases(self, numbers: Collection[str], now: float) -> None:
        """Take these cases (their messages are erased already) from their sender, and tell downstream, once each."""
        mine = and_(among(cases.c.number, numbers), cases.c.sender_key != NOBODY)
        async with self._store.write() as connection:
            found = (await connection.execute(select(cases).where(mine).order_by(cases.c.number))).all()
            if not found:
                return
            taken = [row.number for row in found]
            await connection.execute(update(cases).where(among(cases.c.number, taken)).values(sender_key=NOBODY))
            await self._blank_replies(connection, among(outbox.c.case_number, taken))
            said = update(updates).where(among(updates.c.number, taken), updates.c.text != "")
            self.counts.updates += (await connection.execute(said.values(text=""))).rowcount
            await connection.execute(
                update(gatherings)
                .where(among(gatherings.c.case_number, taken))
                .values(sender_key=NOBODY, ref="", joined=True)
            )
            await connection.execute(publications.insert(), [self._told(row, now) for row in found])
        self.counts.cases += len(taken)

    async def senders(self, keys: Collection[str] | None, numbers: Collection[str] = ()) -> None:
        """Erase the senders (``None``: any) of whom nothing is left; the others lose sight of these cases."""
        of = (messages.c.sender_key, cases.c.sender_key)
        left = or_(*(exists().where(key == senders.c.key) for key in of))
        theirs = true() if keys is None else among(senders.c.key, keys)
        async with self._store.write() as connection:
            self.counts.senders += (await connection.execute(senders.delete().where(theirs, ~left))).rowcount
            for column in (senders.c.latest_case, senders.c.wrote_in_case) if numbers else ():
                gone = among(column, numbers)
                await connection.execute(update(senders).where(theirs, gone).values({column: null()}))

    async def blobs(self, keys: Collection[str]) -> None:
        """Erase blobs; one that is not there is none to erase."""
        turns = asyncio.Semaphore(DELETES_AT_ONCE)

        async def erase(key: str) -> None:
            async with turns:
                await self._blobs.delete(key)

        await asyncio.gather(*map(erase, keys))
        self._erased.update(keys)
        self.counts.blobs = len(self._erased)

    async def _erase_blobs(self, ids: Sequence[str], rows: Sequence[Any]) -> None:
        """Erase what these messages have in the blob store; a fetch under way settles nothing and erases its own."""
        theirs = among(attachments.c.event_id, ids)
        async with self._store.write() as connection:
            waiting = update(attachments).where(theirs, attachments.c.state == "waiting")
            await connection.execute(waiting.values(state=DROPPED, owner=null(), settled_at=time.time()))
        async with self._store.read() as connection:
            files = (await connection.execute(select(attachments).where(theirs))).all()
        keys = {row.stored for row in files if row.stored}
        for row in files:
            if row.state == DROPPED:
                # Where an attempt that was cut off may have left it: the last one, and the one before.
                attempts = range(max(1, row.attempts - 1), row.attempts + 1)
                keys |= {key_for("files", row.event_id, str(row.position), str(n)) for n in attempts}
        for row in rows:
            raw = decode(row.document.encode()).raw
            if raw is not None and raw.stored:
                keys.add(raw.stored)
        await self.blobs(keys)

    async def _blank_messages(self, connection: AsyncConnection, rows: Sequence[Any]) -> None:
        statement = (
            update(messages)
            .where(messages.c.event_id == bindparam("at_id"))
            .values(sender_key=NOBODY, provider_id="", words=null(), document=bindparam("to_document"))
        )
        blank = [
            {"at_id": row.event_id, "to_document": encode(blank_event(decode(row.document.encode()))).decode()}
            for row in rows
        ]
        await connection.execute(statement, blank)

    async def _blank_files(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        statement = (
            update(attachments)
            .where(among(attachments.c.event_id, ids))
            .values(name="", reference="", stored="", sha256="", detail="")
        )
        self.counts.files += (await connection.execute(statement)).rowcount

    async def _blank_replies(self, connection: AsyncConnection, which: ColumnElement[bool]) -> None:
        """Blank these replies with their steps; those that were waiting are never sent."""
        found = (
            await connection.execute(
                select(outbox.c.id, outbox.c.state).where(which, outbox.c.sender_key != NOBODY).with_for_update()
            )
        ).all()
        if not found:
            return
        theirs = among(outbox.c.id, [row.id for row in found])
        waits = outbox.c.state == "waiting"
        await connection.execute(
            update(outbox)
            .where(theirs)
            .values(
                sender_key=NOBODY,
                address="",
                subject="",
                text="",
                thread="",
                owner=null(),
                state=case((waits, DROPPED), else_=outbox.c.state),
                settled_at=case((waits, time.time()), else_=outbox.c.settled_at),
            )
        )
        steps = among(deliveries.c.outbox_id, [row.id for row in found])
        await connection.execute(update(deliveries).where(steps).values(provider_id="", detail=""))
        self.counts.replies += len(found)
        self.counts.dropped += sum(row.state == "waiting" for row in found)

    def _told(self, row: Any, now: float) -> dict[str, Any]:
        told = CaseEvent(
            id=hashlib.sha256(f"forgotten:{row.number}".encode()).hexdigest()[:32],
            number=row.number,
            change="forgotten",
            at=datetime.fromtimestamp(now, UTC),
            channel=CaseChannel(row.channel_type, row.channel),
            state=row.state,
            privacy=Privacy(row.anonymous, row.confidential),
        )
        return {
            "topic": self._cases_topic,
            "key": row.number.encode(),
            "value": encode_message(told),
            "headers": msgspec.json.encode(headers(told, self._source)),
        }
