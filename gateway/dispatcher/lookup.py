"""Reads, in a handful of statements for a whole batch, what the store knows that bears on its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.conversation import Rules
from gateway.dispatcher.facts import CaseFacts, SenderFacts
from gateway.store.engine import Store
from gateway.store.operations import blocks
from gateway.store.tables import cases, deliveries, gatherings, messages, outbox, senders
from normalizer.event import ComplaintEvent
from normalizer.text import words_hash

CASE_COLUMNS = [cases.c[name] for name in CaseFacts.__dataclass_fields__]
SENDER_COLUMNS = [senders.c[name] for name in SenderFacts.__dataclass_fields__]

Place = tuple[str, str]
"""A channel and a provider's message id in it."""


@dataclass(slots=True)
class Sighting:
    """A message of the same words: when it came in and whose case it is on."""

    received_at: float
    case_number: str


@dataclass(slots=True)
class Known:
    """The store's answers for one batch; the dispatcher keeps it true while it works through the batch."""

    seen: set[str] = field(default_factory=set)
    senders: dict[str, SenderFacts] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    cases: dict[str, CaseFacts] = field(default_factory=dict)
    placed: dict[Place, str] = field(default_factory=dict)
    heard: set[Place] = field(default_factory=set)
    words: dict[str, Sighting] = field(default_factory=dict)
    recent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def words_key(event: ComplaintEvent) -> str:
    """Whose words these are, for row 11; ``""`` for a message that is not a person's first version."""
    if event.kind != "message" or event.automated:
        return ""
    words = words_hash(event.subject, event.text)
    return event.sender.key[:32] + words[:32] if words else ""


class Lookup:
    """The bulk reads of one batch, over one connection."""

    def __init__(self, store: Store, connection: AsyncConnection, rules: Rules) -> None:
        self._store = store
        self._connection = connection
        self._rules = rules

    async def seen(self, ids: Iterable[str]) -> set[str]:
        """Which of these events the store has already."""
        rows = await self._rows([messages.c.event_id], messages.c.event_id, set(ids))
        return {row.event_id for row in rows}

    async def known(self, events: Sequence[ComplaintEvent]) -> Known:
        """Everything the rules may ask about these events."""
        known = Known()
        if not events:
            return known
        keys = {event.sender.key for event in events}
        for row in await self._rows(SENDER_COLUMNS, senders.c.key, keys):
            known.senders[row.key] = SenderFacts(*row)
        known.blocked = {row.sender_key for row in await self._rows([blocks.c.sender_key], blocks.c.sender_key, keys)}
        earliest = min(event.received_at for event in events).timestamp()
        await self._recent(known, keys, earliest)
        await self._same_words(known, events, earliest)
        await self._places(known, events)
        numbers = {number for event in events for number in event.numbers}
        numbers |= {s.case_number for s in known.words.values()}
        numbers |= set(known.placed.values())
        for sender in known.senders.values():
            numbers |= {n for n in (sender.latest_case, sender.wrote_in_case) if n}
        await self.cases(known, numbers)
        return known

    async def cases(self, known: Known, numbers: Collection[str]) -> None:
        """Read the cases of these numbers into ``known``; the ones there already stay as they are."""
        wanted = {number for number in numbers if number not in known.cases}
        for row in await self._rows(CASE_COLUMNS, cases.c.number, wanted):
            known.cases[row.number] = CaseFacts(*row)

    async def free_numbers(self, drawn: Sequence[str]) -> list[str]:
        """The drawn numbers that no case bears yet."""
        taken = {row.number for row in await self._rows([cases.c.number], cases.c.number, drawn)}
        return [number for number in drawn if number not in taken]

    async def _recent(self, known: Known, keys: set[str], earliest: float) -> None:
        since = and_(messages.c.received_at > earliest - self._rules.flood_window, messages.c.kind == "message")
        columns = [messages.c.sender_key, messages.c.received_at]
        for row in await self._rows(columns, messages.c.sender_key, keys, since):
            known.recent[row.sender_key].append(row.received_at)

    async def _same_words(self, known: Known, events: Sequence[ComplaintEvent], earliest: float) -> None:
        words = {key for event in events if (key := words_key(event))}
        since = and_(
            messages.c.received_at > earliest - self._rules.duplicate_window,
            messages.c.case_number.is_not(None),
        )
        columns = [messages.c.words, messages.c.received_at, messages.c.case_number]
        for row in await self._rows(columns, messages.c.words, words, since):
            older = known.words.get(row.words)
            if older is None or older.received_at < row.received_at:
                known.words[row.words] = Sighting(row.received_at, row.case_number)

    async def _places(self, known: Known, events: Sequence[ComplaintEvent]) -> None:
        """Which cases the messages belong to that these events reply to, edit or delete: citizens' and ours."""
        ids = {ref for event in events for ref in event.channel.thread.replies_to}
        ids |= {event.channel.message_id for event in events if event.kind in ("edit", "deletion")}
        ids.discard("")
        if not ids:
            return
        # The index that finds a provider's id begins with the channel.
        channels = {event.channel.instance for event in events}
        # A file of an album has no case of its own: it is on the case of the message that it was joined to.
        case_number = func.coalesce(messages.c.case_number, gatherings.c.case_number)
        theirs = (
            select(messages.c.channel, messages.c.provider_id, case_number.label("case_number"))
            .outerjoin(gatherings, gatherings.c.id == messages.c.gathering)
            .where(
                self._store.among(messages.c.channel, channels),
                self._store.among(messages.c.provider_id, ids),
                messages.c.provider_id != "",
            )
        )
        for row in await self._connection.execute(theirs):
            known.heard.add((row.channel, row.provider_id))
            if row.case_number is not None:
                known.placed[row.channel, row.provider_id] = row.case_number
        ours = (
            select(deliveries.c.channel, deliveries.c.provider_id, outbox.c.case_number)
            .join(outbox, outbox.c.id == deliveries.c.outbox_id)
            .where(
                self._store.among(deliveries.c.channel, channels),
                self._store.among(deliveries.c.provider_id, ids),
                deliveries.c.provider_id != "",
                outbox.c.case_number.is_not(None),
            )
        )
        for row in await self._connection.execute(ours):
            known.placed[row.channel, row.provider_id] = row.case_number

    async def _rows(
        self,
        columns: Sequence[ColumnElement[Any]],
        column: ColumnElement[Any],
        values: Collection[str],
        condition: ColumnElement[bool] | None = None,
    ) -> Sequence[Any]:
        if not values:
            return ()
        query = select(*columns).where(self._store.among(column, values))
        if condition is not None:
            query = query.where(condition)
        return (await self._connection.execute(query)).all()
