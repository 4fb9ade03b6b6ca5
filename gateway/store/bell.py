"""Tells deliverers in other processes that there are replies to send: NOTIFY and LISTEN of PostgreSQL.

A ring is part of the transaction that writes the replies, and is heard when that stands. It may get lost with the
connection that listens; so whoever hears also looks from time to time, as it does on SQLite, which has no such thing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Text, column, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import Store, StoreUnavailable
from gateway.store.sql import texts

NAME = "lapor_replies"
"""The channel of NOTIFY; what it carries is the name of a channel instance."""

_RING = select(func.pg_notify(literal(NAME, Text), column("name"))).select_from(
    func.unnest(texts("channels")).alias("name")
)


async def ring(connection: AsyncConnection, channels: Collection[str]) -> None:
    """Say that replies of these channels were written, once the transaction stands."""
    if channels and connection.dialect.name == "postgresql":
        await connection.execute(_RING, {"channels": channels})


class Bell:
    """Calls ``rung`` with the name of a channel for which another process, or this one, has written replies."""

    def __init__(self, store: Store, rung: Callable[[str], None]) -> None:
        self._store = store
        self._rung = rung
        self._connection: AsyncConnection | None = None
        self._driver: Any = None

    async def hang(self) -> None:
        """Listen, unless that is so already. Raises :class:`StoreUnavailable`."""
        if self._store.sqlite or (self._driver is not None and not self._driver.is_closed()):
            return
        await self.take_down()
        from asyncpg import InterfaceError, PostgresError

        try:
            self._connection = await self._store.engine.connect()
            driver: Any = (await self._connection.get_raw_connection()).driver_connection
            await driver.add_listener(NAME, self._heard)
        except (PostgresError, InterfaceError, OSError, TimeoutError) as error:
            await self.take_down()
            raise StoreUnavailable(type(error).__name__) from error
        self._driver = driver

    async def take_down(self) -> None:
        """Listen no more; the connection is not used for anything else."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    def _heard(self, _driver: Any, _pid: int, _name: str, channel: str) -> None:
        self._rung(channel)
