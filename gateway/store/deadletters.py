"""Dead letters: what could not be read, decided or delivered, with its raw bytes and a reason, until someone acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import Store
from gateway.store.sql import among
from gateway.store.tables import dead_letters
from normalizer.messages import DeadLetter


async def bury(connection: AsyncConnection, store: Store, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Keep the letters; returns the ones that were not there yet."""
    if not letters:
        return []
    ids = [letter.id for letter in letters]
    known = select(dead_letters.c.id).where(among(dead_letters.c.id, ids))
    seen = set((await connection.execute(known)).scalars())
    new = list({letter.id: letter for letter in letters if letter.id not in seen}.values())
    if new:
        insert = store.insert(dead_letters)
        await connection.execute(insert.on_conflict_do_nothing(), [_row(letter) for letter in new])
    return new


async def listing(store: Store, *, limit: int = 50, waiting_only: bool = True) -> Sequence[Any]:
    """The newest letters, without their raw bytes."""
    columns = [c for c in dead_letters.c if c.name != "raw"]
    query = select(*columns).order_by(dead_letters.c.at.desc()).limit(limit)
    if waiting_only:
        query = query.where(dead_letters.c.replayed_at.is_(None), dead_letters.c.discarded_at.is_(None))
    async with store.read() as connection:
        return (await connection.execute(query)).all()


async def find(store: Store, prefix: str) -> Sequence[Any]:
    """The letters whose id begins with ``prefix`` (at most two: enough to tell that it is ambiguous)."""
    query = select(dead_letters).where(dead_letters.c.id.startswith(prefix, autoescape=True)).limit(2)
    async with store.read() as connection:
        return (await connection.execute(query)).all()


async def settle(connection: AsyncConnection, identifier: str, *, at: float, outcome: str) -> None:
    """Write down that a letter is replayed, and what comes of it."""
    statement = update(dead_letters).where(dead_letters.c.id == identifier).values(replayed_at=at, outcome=outcome)
    await connection.execute(statement)


async def discard(connection: AsyncConnection, identifier: str, *, at: float, reason: str) -> bool:
    """Decide that nothing is to be done about a letter; false where it waits no longer, or never did."""
    statement = (
        update(dead_letters)
        .where(
            dead_letters.c.id == identifier,
            dead_letters.c.replayed_at.is_(None),
            dead_letters.c.discarded_at.is_(None),
        )
        .values(discarded_at=at, outcome=reason)
    )
    return bool((await connection.execute(statement)).rowcount)


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "stage": letter.stage,
        "channel": letter.channel,
        "reason": letter.reason[:64],
        "detail": letter.detail,
        "at": letter.at.timestamp(),
        "reference": letter.event_id,
        "raw": letter.raw,
        "raw_type": letter.raw_type,
    }
