"""One engine for both databases: transactions that begin as they mean to go on, and the database's own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.store import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql as postgresql_dialect
    from sqlalchemy.dialects import sqlite as sqlite_dialect

BUSY_TIMEOUT = 30.0
CACHE_KIB = 16 * 1024
"""What the connection that writes to SQLite holds of the file: with a million cases in it 30 reads a report, not 50."""
CHECKPOINT_PAGES = 8000
"""Pages of 4 KiB in SQLite's log that go into its file together: what is touched again meanwhile is written once."""
RESTED = 1.0
"""Seconds after which a connection in the pool has to prove that it still stands, before it is used again."""


class StoreUnavailable(Exception):
    """The store cannot be reached or cannot write now; whoever needs it waits and tries again."""


def _away(error: DBAPIError) -> bool:
    """Whether the failure lies with the connection or the server, not with the statement."""
    if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
        return True
    state = str(getattr(error.orig, "sqlstate", "") or "")
    # PostgreSQL: connection exceptions, insufficient resources, operator intervention, read-only transaction.
    return state.startswith(("08", "53", "57P")) or state == "25006"


class Store:
    """The store of one process.

    ``read()`` and ``write()`` are transactions. On SQLite, which has one writer, ``write()`` takes its turn in
    this process before it asks the file (``BEGIN IMMEDIATE``), so that no writer fails half way for a lock.
    Both raise :class:`StoreUnavailable` where the database is away.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._turn = asyncio.Lock()
        # Parameters hold what citizens wrote: no error may bear them.
        options: dict[str, Any] = {"hide_parameters": True}
        # The connection that was used last has its statements and its pages at hand.
        options["pool_use_lifo"] = True
        if self.sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT}
        else:
            options |= {
                "pool_size": pool_size,
                "max_overflow": pool_size,
                "pool_recycle": 1800,
                "connect_args": {"timeout": 5, "command_timeout": 60},
            }
        self.engine: AsyncEngine = create_async_engine(self.url, **options)
        self.writing = self.engine
        """Where ``write()`` has its connections from."""
        if self.sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            # One connection, always the same: what another writes would make it forget the pages that it holds.
            self.writing = create_async_engine(self.url, **options, pool_size=1, max_overflow=0)
            _prepare_sqlite(self.engine)
            _prepare_sqlite(self.writing, f"cache_size={-CACHE_KIB}", f"wal_autocheckpoint={CHECKPOINT_PAGES}")
        else:
            _prepare_postgresql(self.engine)
            _prove_rested(self.engine)

    def insert(self, table: Table) -> sqlite_dialect.Insert | postgresql_dialect.Insert:
        """An insert that may meet a row that is there already: both databases have words for it, and the same."""
        if self.sqlite:
            from sqlalchemy.dialects import sqlite as dialect
        else:
            from sqlalchemy.dialects import postgresql as dialect  # type: ignore[no-redef]
        return dialect.insert(table)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        with _translated():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end, rolled back on any error."""
        with _translated():
            if not self.sqlite:
                async with self.engine.begin() as connection:
                    yield connection
                return
            async with self._turn, self.writing.connect() as plain:
                connection = await plain.execution_options(begin="IMMEDIATE")
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        """Let every connection go; without it aiosqlite's threads keep the process alive."""
        await self.writing.dispose()
        await self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turns the drivers' ways of saying "away" into :class:`StoreUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        if not _away(error):
            raise
        raise StoreUnavailable(type(error.orig).__name__) from error
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable(type(error).__name__) from error


def _prepare_postgresql(engine: AsyncEngine) -> None:
    """Plans that hold for tables of any size.

    A connection keeps the plans it made. Those made while a table is small read it from end to end, and go on doing so
    while it grows, until PostgreSQL counts its rows: a minute or more, and ten times the work. Every statement of ours
    has its index, so whole reads are ruled out. Up to PostgreSQL 17 the price of what is ruled out would have it
    compile statements that take less time than that.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for setting in ("enable_seqscan", "jit"):
            cursor.execute(f"SET {setting} = off")
        cursor.close()
        # A rollback would take them back.
        connection.commit()


def _prove_rested(engine: AsyncEngine) -> None:
    """Ping a connection of PostgreSQL before its use only where it has rested: a ping takes three round trips."""

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(_connection: object, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def wake(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) < RESTED:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # The pool lets it go and makes another.
            raise DisconnectionError from error


def _prepare_sqlite(engine: AsyncEngine, *more: str) -> None:
    """WAL with a sync at every commit, and transactions that SQLAlchemy begins itself instead of the driver.

    ``more`` are further settings of the connections.
    """

    @event.listens_for(engine.sync_engine, "do_connect")
    def creator(_dialect: object, _record: object, _positional: object, options: dict[str, Any]) -> None:
        options["async_creator_fn"] = sqlite.connect

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", *more):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.connection.driver_connection.later(f"BEGIN {mode}")
