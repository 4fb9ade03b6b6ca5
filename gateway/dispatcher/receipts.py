"""Delivery receipts (DLR): what the provider says later of a reply that it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import bindparam, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import execute_each
from gateway.store.sql import among, texts
from gateway.store.tables import deliveries, outbox
from normalizer.event import ComplaintEvent

# A receipt never takes back a later word: phones confirm late, networks repeat themselves.
_OPEN = ("waiting", "sent")

_STEP = deliveries.insert()
_SETTLE = (
    update(outbox)
    .where(outbox.c.id == bindparam("at_id"))
    .values(state=bindparam("to_state"), settled_at=bindparam("to_at"), owner=null())
)
_COLUMNS = (outbox.c.id, outbox.c.channel, outbox.c.case_number, outbox.c.state, outbox.c.attempts)
_BY_ID = select(*_COLUMNS).where(among(outbox.c.id, texts("ids")))
# The index that finds a provider's id begins with the channel, which a receipt comes back on.
_BY_PROVIDER = (
    select(*_COLUMNS, deliveries.c.provider_id)
    .join(deliveries, deliveries.c.outbox_id == outbox.c.id)
    .where(
        among(deliveries.c.channel, texts("channels")),
        among(deliveries.c.provider_id, texts("ids")),
        deliveries.c.provider_id != "",
    )
)


class Settled(msgspec.Struct, frozen=True):
    """One reply that a receipt settled: ``state`` is ``delivered`` or ``failed``."""

    outbox_id: str
    channel: str
    case_number: str | None
    state: Literal["delivered", "failed"]
    attempt: int
    at: float
    code: str


async def apply_receipts(connection: AsyncConnection, receipts: Sequence[ComplaintEvent]) -> list[Settled]:
    """Write every receipt down as a step of its reply's way, and settle the replies that are still open.

    A receipt for a reply that is not ours, or unknown, is only evidence. One that overtakes our own commit of the
    provider's yes finds the reply by our id and settles it just the same.
    """
    if not receipts:
        return []
    rows = await _replies(connection, receipts)
    steps, settled = [], []
    for event in receipts:
        receipt = event.receipt
        row = receipt and (rows.get(receipt.delivery) or rows.get(receipt.provider_id))
        if not receipt or not row or row.channel != event.channel.instance:
            continue
        at = event.received_at.timestamp()
        steps.append(
            {
                "outbox_id": row.id,
                "channel": row.channel,
                "step": "receipt",
                "at": at,
                "outcome": receipt.outcome,
                # Only attempts bear the provider's id, so that a later look-up finds each reply once.
                "detail": f"{receipt.code} {receipt.provider_id}".strip(),
            }
        )
        if receipt.outcome != "accepted" and row.state in _OPEN:
            settled.append(
                Settled(row.id, row.channel, row.case_number, receipt.outcome, row.attempts, at, receipt.code)
            )
    if steps:
        await execute_each(connection, _STEP, steps)
    if settled:
        values = [{"at_id": s.outbox_id, "to_state": s.state, "to_at": s.at} for s in settled]
        await execute_each(connection, _SETTLE, values)
    return settled


async def _replies(connection: AsyncConnection, receipts: Sequence[ComplaintEvent]) -> dict[str, Any]:
    """The replies that the receipts speak of, by our id and by the provider's."""
    ours = {e.receipt.delivery for e in receipts if e.receipt and e.receipt.delivery}
    theirs = {e.receipt.provider_id for e in receipts if e.receipt and e.receipt.provider_id}
    found: dict[str, Any] = {}
    if theirs:
        channels = {event.channel.instance for event in receipts}
        rows = await connection.execute(_BY_PROVIDER, {"channels": channels, "ids": theirs})
        found |= {row.provider_id: row for row in rows}
    if ours:
        found |= {row.id: row for row in await connection.execute(_BY_ID, {"ids": ours})}
    return found
