"""Reads, in a handful of statements for a whole batch, what the store knows that bears on its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import msgspec
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.conversation import Rules
from gateway.dispatcher.facts import CaseFacts, SenderFacts
from gateway.store.operations import blocks
from gateway.store.sql import among, texts
from gateway.store.tables import cases, deliveries, gatherings, messages, outbox, senders
from normalizer.event import ComplaintEvent
from normalizer.text import words_hash

CASE_COLUMNS = [cases.c[name] for name in CaseFacts.__struct_fields__]
SENDER_COLUMNS = [senders.c[name] for name in SenderFacts.__struct_fields__]

_SEEN = select(messages.c.event_id).where(among(messages.c.event_id, texts("ids")))
_SENDERS = select(*SENDER_COLUMNS).where(among(senders.c.key, texts("keys")))
_BLOCKED = select(blocks.c.sender_key).where(among(blocks.c.sender_key, texts("keys")))
_CASES = select(*CASE_COLUMNS).where(among(cases.c.number, texts("numbers")))
_TAKEN = select(cases.c.number).where(among(cases.c.number, texts("numbers")))
_RECENT = select(messages.c.sender_key, messages.c.received_at).where(
    among(messages.c.sender_key, texts("keys")),
    messages.c.received_at > bindparam("since"),
    messages.c.kind == "message",
)
_SAME_WORDS = select(messages.c.words, messages.c.received_at, messages.c.case_number).where(
    among(messages.c.words, texts("words")),
    messages.c.received_at > bindparam("since"),
    messages.c.case_number.is_not(None),
)
# The index that finds a provider's id begins with the channel. A file of an album has no case of its own: it is on the
# case of the message that it was joined to.
_THEIRS = (
    select(
        messages.c.channel,
        messages.c.provider_id,
        func.coalesce(messages.c.case_number, gatherings.c.case_number).label("case_number"),
    )
    .outerjoin(gatherings, gatherings.c.id == messages.c.gathering)
    .where(
        among(messages.c.channel, texts("channels")),
        among(messages.c.provider_id, texts("ids")),
        messages.c.provider_id != "",
    )
)
_OURS = (
    select(deliveries.c.channel, deliveries.c.provider_id, outbox.c.case_number)
    .join(outbox, outbox.c.id == deliveries.c.outbox_id)
    .where(
        among(deliveries.c.channel, texts("channels")),
        among(deliveries.c.provider_id, texts("ids")),
        deliveries.c.provider_id != "",
        outbox.c.case_number.is_not(None),
    )
)

Place = tuple[str, str]
"""A channel and a provider's message id in it."""


class Sighting(msgspec.Struct):
    """A message of the same words: when it came in and whose case it is on."""

    received_at: float
    case_number: str


class Known(msgspec.Struct):
    """The store's answers for one batch; the dispatcher keeps it true while it works through the batch."""

    seen: set[str] = msgspec.field(default_factory=set)
    senders: dict[str, SenderFacts] = msgspec.field(default_factory=dict)
    blocked: set[str] = msgspec.field(default_factory=set)
    cases: dict[str, CaseFacts] = msgspec.field(default_factory=dict)
    placed: dict[Place, str] = msgspec.field(default_factory=dict)
    heard: set[Place] = msgspec.field(default_factory=set)
    words: dict[str, Sighting] = msgspec.field(default_factory=dict)
    recent: dict[str, list[float]] = msgspec.field(default_factory=lambda: defaultdict(list))
    _word_keys: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)

    def words_key(self, event: ComplaintEvent) -> str:
        """Whose words these are, for row 11; ``""`` for a message that is not a person's first version."""
        # A part that came too late to be joined becomes a message of its own: the same id, another kind.
        place = (event.id, event.kind)
        key = self._word_keys.get(place)
        if key is None:
            key = self._word_keys[place] = _words_key(event)
        return key


def _words_key(event: ComplaintEvent) -> str:
    if event.kind != "message" or event.automated:
        return ""
    words = words_hash(event.subject, event.text)
    return event.sender.key[:32] + words[:32] if words else ""


class Lookup:
    """The bulk reads of one batch, over one connection."""

    def __init__(self, connection: AsyncConnection, rules: Rules) -> None:
        self._connection = connection
        self._rules = rules

    async def seen(self, ids: Iterable[str]) -> set[str]:
        """Which of these events the store has already."""
        return set((await self._connection.execute(_SEEN, {"ids": list(ids)})).scalars())

    async def known(self, events: Sequence[ComplaintEvent]) -> Known:
        """Everything the rules may ask about these events."""
        known = Known()
        if not events:
            return known
        keys = {event.sender.key for event in events}
        for row in await self._connection.execute(_SENDERS, {"keys": keys}):
            known.senders[row.key] = SenderFacts(*row)
        known.blocked = set((await self._connection.execute(_BLOCKED, {"keys": keys})).scalars())
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
        if not wanted:
            return
        for row in await self._connection.execute(_CASES, {"numbers": wanted}):
            known.cases[row.number] = CaseFacts(*row)

    async def free_numbers(self, drawn: Sequence[str]) -> list[str]:
        """The drawn numbers that no case bears yet."""
        taken = set((await self._connection.execute(_TAKEN, {"numbers": drawn})).scalars())
        return [number for number in drawn if number not in taken]

    async def _recent(self, known: Known, keys: set[str], earliest: float) -> None:
        since = earliest - self._rules.flood_window
        for row in await self._connection.execute(_RECENT, {"keys": keys, "since": since}):
            known.recent[row.sender_key].append(row.received_at)

    async def _same_words(self, known: Known, events: Sequence[ComplaintEvent], earliest: float) -> None:
        words = {key for event in events if (key := known.words_key(event))}
        if not words:
            return
        since = earliest - self._rules.duplicate_window
        for row in await self._connection.execute(_SAME_WORDS, {"words": words, "since": since}):
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
        places = {"channels": {event.channel.instance for event in events}, "ids": ids}
        for row in await self._connection.execute(_THEIRS, places):
            known.heard.add((row.channel, row.provider_id))
            if row.case_number is not None:
                known.placed[row.channel, row.provider_id] = row.case_number
        for row in await self._connection.execute(_OURS, places):
            known.placed[row.channel, row.provider_id] = row.case_number
