"""Pauses: a channel's directions that an operator has stopped for a while. Nothing is lost by one.

While "out" is paused replies wait in the outbox. While "in" is paused a webhook answers 503 with Retry-After, a port of
the channel's own says "later", and nothing is read: the provider keeps the messages. Receipts are still taken.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Literal

from sqlalchemy import delete, select

from gateway.store import audit
from gateway.store.engine import Store
from gateway.store.operations import pauses

Direction = Literal["in", "out"]
RETRY_AFTER = 30
"""Seconds after which a provider may offer again what a paused channel did not take."""


class Pauses:
    """What is paused, as this process last read it; shared by its parts and read anew with every heartbeat.

    ``known`` tells whether it has been read at all.
    """

    def __init__(self, paused: Collection[tuple[str, str]] = (), *, known: bool = False) -> None:
        self._paused = frozenset(paused)
        self.known = known

    def paused(self, channel: str, direction: Direction) -> bool:
        """Whether the direction is known to be paused."""
        return (channel, direction) in self._paused

    def holds(self, channel: str, direction: Direction) -> bool:
        """Whether to hold back: it is paused, or nobody has been able to tell yet.

        For whoever cannot work without the store anyway.
        """
        return not self.known or (channel, direction) in self._paused

    def learn(self, paused: Collection[tuple[str, str]]) -> None:
        """From now on these are paused, and no others."""
        self._paused = frozenset(paused)
        self.known = True

    async def load(self, store: Store) -> None:
        """Read what is paused. Raises :class:`~gateway.store.engine.StoreUnavailable`."""
        async with store.read() as connection:
            rows = await connection.execute(select(pauses.c.channel, pauses.c.direction))
            self.learn([(row.channel, row.direction) for row in rows])


async def pause(store: Store, channel: str, direction: Direction, by: str, reason: str = "") -> bool:
    """Pause a direction of a channel; false where it is paused already, and then nothing changes.

    The pause and its row in the audit stand together, or neither does. Every process heeds it from its next heartbeat
    on. Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    insert = store.insert(pauses)
    row = insert.values(channel=channel, direction=direction, by=by, reason=reason, at=time.time())
    async with store.write() as connection:
        done = bool((await connection.execute(row.on_conflict_do_nothing())).rowcount)
        if done:
            await audit.record(connection, by, "pause", channel, f"{direction}: {reason}")
    return done


async def resume(store: Store, channel: str, direction: Direction, by: str) -> bool:
    """End a pause, and put it into the audit; false where there is none.

    Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    statement = delete(pauses).where(pauses.c.channel == channel, pauses.c.direction == direction)
    async with store.write() as connection:
        done = bool((await connection.execute(statement)).rowcount)
        if done:
            await audit.record(connection, by, "resume", channel, direction)
    return done
