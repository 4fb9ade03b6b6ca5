"""Ledgers in the store: a row of ``cursors`` for each sink, beside the changes of health that it is told from.

A ledger holds its sink's queue, so that what was taken in is told to each sink in its own time, whichever process
holds the lease then. A change is marked as alerted once every sink has been told, or has nothing to be told, of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, or_, select, update

from gateway.alerts.rules import Change, Ledger, Stand, subject
from gateway.store.cursors import load_cursor, save_cursor
from gateway.store.engine import Store
from gateway.store.operations import health, health_changes
from gateway.store.sql import clock

LEASE: Final = "alerts"
AT_ONCE: Final = 1000
"""Changes taken in with one look."""
NO_CHANNEL: Final = ""


async def load(store: Store, sink: str) -> Ledger:
    """The ledger of a sink; an empty one where it has none. Raises :class:`~gateway.store.engine.StoreUnavailable`."""
    value = await load_cursor(store, NO_CHANNEL, _name(sink))
    return msgspec.json.decode(value, type=Ledger) if value else Ledger()


async def save(store: Store, sink: str, ledger: Ledger, *, owner: str) -> None:
    """Keep the ledger of a sink.

    Raises :class:`~gateway.store.cursors.LeaseLost` where ``owner`` does not hold the lease, and
    :class:`~gateway.store.engine.StoreUnavailable`.
    """
    value = msgspec.json.encode(ledger).decode()
    await save_cursor(store, NO_CHANNEL, _name(sink), value, lease=LEASE, owner=owner)


async def changes_after(store: Store, upto: int) -> list[Change]:
    """The oldest changes that are not alerted, behind the id ``upto``, of channels and of the gateway itself."""
    table = health_changes.c
    query = (
        select(table.id, table.at, table.channel, table.part, table.state, table.reason)
        .where(table.alerted_at.is_(None), table.id > upto, _whole(table.channel, table.part))
        .order_by(table.id)
        .limit(AT_ONCE)
    )
    async with store.read() as connection:
        return [Change(*row) for row in await connection.execute(query)]


async def standing(store: Store) -> dict[str, Stand]:
    """How every channel, and every role of the gateway, stands, as the watch last saw it."""
    query = select(health.c.channel, health.c.part, health.c.state, health.c.since)
    query = query.where(_whole(health.c.channel, health.c.part))
    async with store.read() as connection:
        return {subject(row.channel, row.part): Stand(row.state, row.since) for row in await connection.execute(query)}


async def settle(store: Store, sinks: Sequence[str]) -> None:
    """Mark as alerted what no sink of these has still to be told. The rows of parts are never told by themselves."""
    ledgers = [await load(store, sink) for sink in sinks]
    upto = min((ledger.upto for ledger in ledgers), default=0)
    waiting = {one for ledger in ledgers for one in ledger.waiting() if one <= upto}
    mark = update(health_changes).where(health_changes.c.alerted_at.is_(None), health_changes.c.id <= upto)
    async with store.write() as connection:
        await connection.execute(
            mark.where(health_changes.c.id.not_in(waiting) if waiting else health_changes.c.id <= upto).values(
                alerted_at=clock()
            )
        )


def _whole(channel: ColumnElement[str], part: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(part == "", channel == "")


def _name(sink: str) -> str:
    return f"alerts:{sink}"
