"""SQLite's connections: a thread for each, and one turn of it for a statement with all that belongs to it.

aiosqlite goes to the thread and back four times for a query: for the cursor, the statement, the rows, the end of the
cursor. Each way costs more than most statements do, and takes the interpreter from whoever has it. So the four are one
here, and what answers nothing (BEGIN, inserts) goes with what is asked next, the COMMIT at the latest. The inner names
of aiosqlite that this uses are held by ``tests/store/test_sqlite.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL

Rows = list[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]
"""A statement and its parameters."""


class Connection(aiosqlite.Connection):
    """A connection as SQLAlchemy's adapter uses it; anything else is aiosqlite's own."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, of which the thread hears with its first statement."""
        return Cursor(self)

    _at_rest = False
    """Whether all that was asked for is done; a wait that is cancelled leaves its statement in the thread's queue."""
    _before: tuple[Statement, ...] = ()
    _spoilt = False
    """Whether one of the statements before has failed: those behind it were not executed."""

    def later(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement that answers nothing with what is asked next, which raises its :class:`sqlite3.Error`.

        After an error the transaction can only be rolled back.
        """
        self._before = (*self._before, (sql, parameters))

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        self._at_rest = False
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        before, self._before = self._before, ()
        self._tx.put_nowait((None, partial(_work, loop, done, partial(self._with, before, fn, *args, **kwargs))))
        result = await done
        self._at_rest = True
        return result

    def _with(self, before: tuple[Statement, ...], fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Within the thread: what waited, and what is asked for."""
        executed = 0
        try:
            for sql, parameters in before:
                self._conn.execute(sql, parameters)
                executed += 1
        finally:
            # Not every error is one of sqlite3's: a number too large for it is none.
            self._spoilt = self._spoilt or executed < len(before)
        return fn(*args, **kwargs)

    def refuse_if_spoilt(self) -> None:
        """Raise :class:`sqlite3.OperationalError` where what waited has failed.

        It may have been BEGIN, and without it each statement would stand at once.
        """
        if self._spoilt:
            raise sqlite3.OperationalError("a statement of this transaction has failed")

    async def commit(self) -> None:
        """Commit. Raises :class:`sqlite3.Error` for what waited, or failed before."""
        self.refuse_if_spoilt()
        await super().commit()

    def stop(self) -> None:
        """End the thread behind what it has been asked for; nobody waits for that."""
        self._running = False
        self._tx.put_nowait((None, self._end))

    def _end(self) -> object:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return _STOP_RUNNING_SENTINEL

    async def rollback(self) -> None:
        """Roll back; where no transaction can be open, as at most returns to the pool, nobody is asked."""
        self._before = ()
        if not self._at_rest or self.in_transaction:
            await super().rollback()
        self._spoilt = False


class Cursor:
    """The outcome of one statement (PEP 249): its rows were fetched with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Rows = []
        self.description: Sequence[Any] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        """Execute one statement. Raises :class:`sqlite3.Error`."""
        await self._connection._execute(self._run, sqlite3.Cursor.execute, sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        """Execute one statement for each of the parameters. Raises :class:`sqlite3.Error`."""
        await self._connection._execute(self._run, sqlite3.Cursor.executemany, sql, parameters)

    async def fetchall(self) -> Rows:
        """The rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Nothing is open."""

    def _run(self, execute: Any, sql: str, parameters: Any) -> None:
        """Within the connection's thread: the statement, its rows, its end."""
        self._connection.refuse_if_spoilt()
        cursor = self._connection._conn.cursor()
        try:
            execute(cursor, sql, parameters)
            self.description = cursor.description
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
            self._rows = cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()


def _work(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], function: Callable[[], Any]) -> None:
    """Within a connection's thread: what was asked for, and the answer to a loop that may have ended meanwhile."""
    result: Any = None
    error: Exception | None = None
    try:
        result = function()
    except Exception as raised:  # noqa: BLE001 - it is the asker's
        error = raised
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_answer, done, result, error)


def _answer(done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)


def connect(database: str, **options: Any) -> Connection:
    """A connection to be awaited; ``options`` are those of :func:`sqlite3.connect`."""
    connection = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    # One that nobody closed must not keep the process alive.
    connection._thread.daemon = True
    return connection
