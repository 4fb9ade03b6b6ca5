"""Making the store's files let go of what its rows do not hold any more."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from typing import Any

from sqlalchemy.exc import DBAPIError

from gateway.store.engine import Store, StoreUnavailable
from gateway.store.tables import (
    attachments,
    cases,
    dead_letters,
    deliveries,
    gatherings,
    messages,
    outbox,
    publications,
    senders,
    updates,
)

TABLES = (attachments, cases, dead_letters, deliveries, gatherings, messages, outbox, publications, senders, updates)
BUSY_SECONDS = 60.0
WAL_SECONDS = 30.0
VACUUM_SECONDS = 3600.0


async def wipe(store: Store) -> None:
    """On SQLite write the file anew, without the free space in which old rows linger, and empty its write-ahead log.

    On PostgreSQL let go of dead rows (VACUUM): their space is free for others to overwrite, and what still lies in it
    no statement reads. Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    if store.sqlite:
        try:
            await asyncio.to_thread(_rewrite, str(store.url.database))
        except sqlite3.Error as error:
            detail = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise StoreUnavailable(f"the file cannot be written anew ({detail})") from error
        return
    from asyncpg.exceptions import PostgresError  # not for SQLite, which has no use for it

    try:
        async with store.engine.connect() as connection:
            # Past SQLAlchemy: no transaction may be open, and the time for one statement is not enough for this one.
            driver: Any = (await connection.get_raw_connection()).driver_connection
            for table in TABLES:
                await driver.execute(f"VACUUM {table.name}", timeout=VACUUM_SECONDS)
    except (DBAPIError, PostgresError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"the tables cannot be vacuumed ({type(error).__name__})") from error


def _rewrite(path: str) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        deadline = time.monotonic() + WAL_SECONDS
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > deadline:
                raise sqlite3.OperationalError("a reader holds the write-ahead log")
            time.sleep(0.05)
