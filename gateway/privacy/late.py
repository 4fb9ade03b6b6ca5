"""What the dispatcher does with messages that were forgotten before it came to them, and with copies of such messages.

They are recorded, so that their ids stay known, without what is personal: they open no case and get no answer. What
they name in the blob store is erased by the next sweep (:mod:`gateway.privacy.keeper`), which finds the rows by the
sender's key that is still on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.privacy.blank import NOBODY, blank_event
from gateway.store.operations import forgotten
from gateway.store.sql import among, texts
from gateway.store.tables import messages, outbox
from normalizer.event import ComplaintEvent, encode

_FORGOTTEN = select(forgotten.c.sender_key, forgotten.c.until).where(among(forgotten.c.sender_key, texts("keys")))
_ERASED = select(outbox.c.id).where(among(outbox.c.id, texts("ids")), outbox.c.sender_key == NOBODY)


async def forgotten_senders(connection: AsyncConnection, events: Sequence[ComplaintEvent]) -> Mapping[str, float]:
    """Until when (Unix seconds) the senders of these events were forgotten, by key; only those who were."""
    if not events:
        return {}
    rows = await connection.execute(_FORGOTTEN, {"keys": {event.sender.key for event in events}})
    return {row.sender_key: row.until for row in rows}


async def late_ones(
    connection: AsyncConnection, fresh: Sequence[ComplaintEvent], senders: Mapping[str, float]
) -> dict[str, ComplaintEvent]:
    """Of the events that the store has not seen, by id and blanked: those received before their sender was forgotten.

    And receipts of replies that were erased with their sender, whenever they come.
    """
    theirs = [event for event in fresh if event.sender.key in senders]
    late = [event for event in theirs if event.received_at.timestamp() <= senders[event.sender.key]]
    replies = {e.receipt.delivery for e in fresh if e.receipt and e.receipt.delivery}
    erased: set[str] = set()
    if replies:
        erased = set((await connection.execute(_ERASED, {"ids": replies})).scalars())
    late += [event for event in fresh if event.receipt and event.receipt.delivery in erased]
    return {event.id: _blanked(event) for event in late}


async def note_copies(connection: AsyncConnection, copies: Sequence[ComplaintEvent]) -> None:
    """Copies of forgotten messages that came again: have the sweep erase the payloads that came with them."""
    for event in copies:
        if event.raw and event.raw.stored:
            await connection.execute(
                update(messages)
                .where(messages.c.event_id == event.id, messages.c.sender_key == NOBODY)
                .values(sender_key=event.sender.key, document=encode(_blanked(event)).decode())
            )


def _blanked(event: ComplaintEvent) -> ComplaintEvent:
    return blank_event(event, key=event.sender.key, stored=event.raw.stored if event.raw else "")
