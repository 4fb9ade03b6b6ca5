"""How far each source of a pulled channel has been read, and the small texts that a channel keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.errors import RetryLater
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire, release
from gateway.store.sql import clock
from gateway.store.tables import cursors, leases

KEPT = "kept:"
"""Before the names of kept texts, so that none can be taken for a source's cursor."""
TURN_SECONDS = 30.0
ASK_SECONDS = 0.2


class LeaseLost(Exception):
    """The lease under which something was to be written is another process's by now; nothing was written."""


async def load_cursor(store: Store, channel: str, source: str) -> str:
    """The cursor of a source, ``""`` before the first reading. Raises :class:`StoreUnavailable`."""
    return await _get(store, channel, source)


async def save_cursor(store: Store, channel: str, source: str, value: str, *, lease: str, owner: str) -> None:
    """Move a source's cursor on, while the lease of this name is ours.

    Raises :class:`LeaseLost` where it is not: a process that was paused must not take a cursor back. Raises
    :class:`StoreUnavailable`.
    """
    ours = select(leases.c.name).where(leases.c.name == lease, leases.c.owner == owner, leases.c.until > clock())
    async with store.write() as connection:
        if (await connection.execute(ours)).first() is None:
            raise LeaseLost(lease)
        await _put(store, connection, channel, source, value)


class StoreKept:
    """A channel's :class:`channels.receiving.Kept` in the store. ``owner`` names the process."""

    def __init__(self, store: Store, channel: str, owner: str) -> None:
        self._store = store
        self._channel = channel
        self._owner = owner
        self._turns: dict[str, asyncio.Lock] = {}

    async def get(self, name: str) -> str:
        """The text of this name, ``""`` where there is none."""
        try:
            return await _get(self._store, self._channel, KEPT + name)
        except StoreUnavailable as error:
            raise _away(error) from error

    async def put(self, name: str, value: str) -> None:
        """Keep a text."""
        try:
            async with self._store.write() as connection:
                await _put(self._store, connection, self._channel, KEPT + name, value)
        except StoreUnavailable as error:
            raise _away(error) from error

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """One process at a time, and in it one task; another waits its turn."""
        return self._lease(f"{KEPT}{self._channel}:{name}")

    @asynccontextmanager
    async def _lease(self, name: str) -> AsyncIterator[None]:
        async with self._turns.setdefault(name, asyncio.Lock()):
            try:
                ours = await acquire(self._store, name, self._owner, TURN_SECONDS)
                while not ours:
                    await asyncio.sleep(ASK_SECONDS)
                    ours = await acquire(self._store, name, self._owner, TURN_SECONDS)
            except StoreUnavailable as error:
                raise _away(error) from error
            try:
                yield
            finally:
                try:
                    await release(self._store, name, self._owner)
                except StoreUnavailable as error:
                    raise _away(error) from error


def _away(error: StoreUnavailable) -> RetryLater:
    return RetryLater(f"the store is away ({error})", reason="store_away")


async def _get(store: Store, channel: str, name: str) -> str:
    place: tuple[ColumnElement[bool], ...] = (cursors.c.channel == channel, cursors.c.name == name)
    async with store.read() as connection:
        found: Any = (await connection.execute(select(cursors.c.value).where(*place))).scalar()
    return str(found or "")


async def _put(store: Store, connection: AsyncConnection, channel: str, name: str, value: str) -> None:
    insert = store.insert(cursors)
    row = insert.values(channel=channel, name=name, value=value, at=clock())
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[cursors.c.channel, cursors.c.name],
            set_={"value": row.excluded.value, "at": row.excluded.at},
        )
    )
