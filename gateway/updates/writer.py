"""Brings updates into the store: the state, the news in the outbox, what downstream hears, in one transaction."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatcher.outgoing import outbox_row, reachable_apart
from gateway.dispatcher.rules import Template
from gateway.privacy.blank import NOBODY
from gateway.replies import Replies
from gateway.store.bell import ring
from gateway.store.engine import Store
from gateway.store.sql import among
from gateway.store.tables import cases, messages, outbox, publications, senders, updates
from gateway.updates.rules import Heard, Outcome, Standing, heard, moved
from normalizer.cloudevents import headers
from normalizer.event import ComplaintEvent, Privacy, decode
from normalizer.messages import CaseChange, CaseChannel, CaseEvent, CaseUpdate, encode
from normalizer.tracking import shown

LOOK_BACK = 100
"""Messages that are looked through for one to answer, the newest first."""


class Recorded(msgspec.Struct, frozen=True):
    """An update as it was taken, and what was done: the same at every repetition.

    ``state_changed`` tells whether it changed the state of the case, ``citizen`` what the citizen hears: ``told``,
    ``told_in_public`` (one general sentence), ``stopped`` (they want no news), ``unreachable``, ``silent`` (no text).
    """

    id: str
    number: str
    received_at: datetime
    state_changed: bool
    citizen: Outcome


class Refusal(StrEnum):
    """Why an update was not taken."""

    UNKNOWN_NUMBER = "unknown_number"
    ID_REUSED = "id_reused"


class Context(msgspec.Struct, frozen=True):
    """What writing needs beside the store: texts, and how the gateway names itself and its topic.

    ``private_types`` are the channel types on which a citizen can be written to alone.
    """

    replies: Replies
    cases_topic: str
    source: str
    zone: ZoneInfo
    private_types: frozenset[str] = frozenset()


class Written(msgspec.Struct):
    """What a transaction wrote: a result for each update, in order, of which ``fresh`` were not there before."""

    results: list[Recorded | Refusal] = []
    fresh: list[Recorded] = []
    replies: int = 0
    publications: int = 0


async def apply_updates(
    connection: AsyncConnection, store: Store, given: Sequence[CaseUpdate], context: Context, *, language: str = ""
) -> Written:
    """Apply the updates (already :func:`~gateway.updates.rules.cleaned`) in order; the caller commits.

    ``language`` is that of what stands round the words, ``""`` for the one of the citizen's message.

    The rows of their cases are locked first, so that two transactions with one update do one after the other what
    each would do alone. Two with one id for two cases meet at the key: an :class:`~sqlalchemy.exc.IntegrityError`,
    after which another try finds the first one's row.
    """
    work = _Work(connection, store, context, time.time(), language)
    await work.look(given)
    for one in given:
        work.written.results.append(await work.take(one))
    await work.write()
    return work.written


class _Work:
    """One transaction: what is known and what it changes."""

    def __init__(self, connection: AsyncConnection, store: Store, context: Context, now: float, language: str) -> None:
        self._connection = connection
        self._store = store
        self._context = context
        self._now = now
        self._language = language
        self._cases: Mapping[str, Any] = {}
        self._senders: Mapping[str, Any] = {}
        self._recorded: dict[str, Recorded] = {}
        self._standing: dict[str, Standing] = {}
        self._updates: list[dict[str, Any]] = []
        self._outbox: list[dict[str, Any]] = []
        self._publications: list[dict[str, Any]] = []
        self.written = Written()

    async def look(self, given: Sequence[CaseUpdate]) -> None:
        """Lock the cases, then read what bears on the updates."""
        # In the order in which the dispatcher updates them, so that neither waits for the other in a circle.
        locked = (
            select(cases)
            .where(among(cases.c.number, {one.number for one in given}))
            .order_by(cases.c.number)
            .with_for_update()
        )
        self._cases = {row.number: row for row in await self._connection.execute(locked)}
        self._standing = {number: Standing(row.state, row.state_at) for number, row in self._cases.items()}
        known = select(updates).where(among(updates.c.id, {one.id for one in given}))
        self._recorded = {row.id: _recorded(row) for row in await self._connection.execute(known)}
        keys = {row.sender_key for row in self._cases.values()}
        about = select(senders).where(among(senders.c.key, keys))
        self._senders = {row.key: row for row in await self._connection.execute(about)}

    async def take(self, given: CaseUpdate) -> Recorded | Refusal:
        """Take one update, once."""
        before = self._recorded.get(given.id)
        if before is not None:
            return before if before.number == given.number else Refusal.ID_REUSED
        case = self._cases.get(given.number)
        if case is None:
            return Refusal.UNKNOWN_NUMBER
        old = self._standing[given.number]
        new = self._standing[given.number] = moved(old, given, self._now)
        if new.state != old.state:
            self._tell(given, case, "state_changed")
        way = await self._way(given, case)
        if way.template is not None and way.event is not None:
            self._answer(given, case, way.template, way.event, below=way.below)
            if way.outcome is Outcome.TOLD_IN_PUBLIC and reachable_apart(way.event, self._context.private_types):
                # The words, which may not get there: a bot cannot begin a chat, direct messages can be closed.
                self._answer(given, case, Template.NEWS, way.event, below=False, apart=True)
        row = {
            "id": given.id,
            "number": given.number,
            "status": given.status,
            "text": given.text,
            "agency": given.agency,
            "at": given.at.timestamp(),
            "received_at": self._now,
            "state_changed": new.state != old.state,
            "outcome": way.outcome.value,
        }
        self._updates.append(row)
        taken = Recorded(given.id, given.number, _time(self._now), new.state != old.state, way.outcome)
        self._recorded[given.id] = taken
        self.written.fresh.append(taken)
        return taken

    async def write(self) -> None:
        """Write everything, a statement a table."""
        for number in sorted({row["number"] for row in self._updates}):
            standing, updated = self._standing[number], max(self._cases[number].updated_at, self._now)
            await self._connection.execute(
                update(cases)
                .where(cases.c.number == number)
                .values(state=standing.state, state_at=standing.since, updated_at=updated)
            )
        for table, rows in ((updates, self._updates), (outbox, self._outbox), (publications, self._publications)):
            if rows:
                await self._connection.execute(table.insert(), rows)
        await ring(self._connection, {row["channel"] for row in self._outbox})
        self.written.replies = len(self._outbox)
        self.written.publications = len(self._publications)

    async def _way(self, given: CaseUpdate, case: Any) -> Heard:
        """How the text reaches the citizen; where there is none, nothing is looked up."""
        sender = self._senders.get(case.sender_key)
        stopped = sender is not None and sender.stopped_at is not None
        if not given.text or stopped or case.sender_key == NOBODY:
            return heard(given, stopped=stopped, messages=(), private=None)
        mine = messages.c.sender_key == case.sender_key
        on_case = await self._messages(mine, messages.c.case_number == case.number, kinds=("message", "deletion"))
        newest = next((event for event in on_case if event.kind == "message"), None)
        private = None
        if newest is not None and newest.channel.thread.public:
            anywhere = await self._messages(mine, messages.c.channel_type == newest.channel.type, kinds=("message",))
            private = next((e for e in anywhere if not e.channel.thread.public and not e.automated), None)
        return heard(given, stopped=stopped, messages=on_case, private=private)

    async def _messages(self, *conditions: Any, kinds: Collection[str]) -> list[ComplaintEvent]:
        query = (
            select(messages.c.document)
            .where(*conditions, messages.c.kind.in_(kinds))
            .order_by(messages.c.received_at.desc())
            .limit(LOOK_BACK)
        )
        return [decode(document.encode()) for document in (await self._connection.execute(query)).scalars()]

    def _answer(
        self,
        given: CaseUpdate,
        case: Any,
        template: Template,
        event: ComplaintEvent,
        *,
        below: bool,
        apart: bool = False,
    ) -> None:
        sender = self._senders.get(case.sender_key)
        text = self._context.replies.render(
            template.value,
            language=self._language
            or event.language
            or (sender.language if sender is not None else "")
            or case.language,
            channel_type=event.channel.type,
            number=shown(case.number),
            typed=case.number,
            state=self._standing[case.number].state,
            agency=given.agency,
            text=given.text,
            when=_time(self._now).astimezone(self._context.zone).strftime("%d-%m-%Y %H:%M"),
        )
        self._outbox.append(
            outbox_row(
                event,
                text,
                template=template.value,
                case_number=case.number,
                # It is the update that is answered for, not the citizen's message of perhaps weeks ago.
                asked_at=self._now,
                now=self._now,
                below=below,
                apart=apart,
            )
        )
        if apart:
            return
        self._tell(given, case, "citizen_answered", given.text if template == Template.NEWS else "")

    def _tell(self, given: CaseUpdate, case: Any, change: CaseChange, text: str = "") -> None:
        """Have the relay tell downstream; nobody hears who the citizen is."""
        told = CaseEvent(
            id=hashlib.sha256(f"{change}:{given.number}:{given.id}".encode()).hexdigest()[:32],
            number=given.number,
            change=change,
            at=_time(self._now),
            channel=CaseChannel(case.channel_type, case.channel),
            state=self._standing[given.number].state,
            text=text,
            region=case.region,
            privacy=Privacy(case.anonymous, case.confidential),
            update_id=given.id,
        )
        self._publications.append(
            {
                "topic": self._context.cases_topic,
                "key": given.number.encode(),
                "value": encode(told),
                "headers": msgspec.json.encode(headers(told, self._context.source)),
            }
        )


def _recorded(row: Any) -> Recorded:
    return Recorded(row.id, row.number, _time(row.received_at), row.state_changed, Outcome(row.outcome))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
