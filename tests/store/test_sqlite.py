"""Connections to SQLite: one turn of the thread for a statement, and none of a transaction left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Integer, Text, column, table, text
from sqlalchemy.exc import IntegrityError

from gateway.store.bulk import execute_each
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.sqlite import Connection, connect


class Counted:
    """Between a connection and its thread: counts what is asked."""

    def __init__(self, connection: Connection) -> None:
        self._queue = connection._tx
        self.count = 0
        connection._tx = self  # type: ignore[assignment]

    def put_nowait(self, item: Any) -> None:
        """One more turn."""
        self.count += 1
        self._queue.put_nowait(item)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    """A connection to a file with one table of numbers."""
    made = connect(str(tmp_path / "numbers.db"), isolation_level=None, timeout=5)
    await made
    await made.cursor().execute("create table numbers (n integer)")
    yield made
    await made.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store that is only SQLite, with the same table."""
    made = Store(f"sqlite+aiosqlite:///{tmp_path}/store.db")
    async with made.write() as one:
        await one.execute(text("create table numbers (n integer)"))
    yield made
    await made.close()


async def test_a_statement_and_its_rows_take_one_turn_of_the_thread(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("insert into numbers values (1), (2)"))
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert isinstance(driver, Connection)
        counted = Counted(driver)
        found = await connection.execute(text("select n from numbers order by n"))
        assert (found.scalars().all(), counted.count) == ([1, 2], 1)


async def test_a_cursor_tells_what_python_s_own_would(connection: Connection) -> None:
    cursor = connection.cursor()
    await cursor.executemany("insert into numbers values (?)", [(1,), (2,), (3,)])
    assert (cursor.rowcount, cursor.description, await cursor.fetchall()) == (3, None, [])
    await cursor.execute("select n, n + 1 as next from numbers where n > ? order by n", (1,))
    assert [column[0] for column in cursor.description or ()] == ["n", "next"]
    assert await cursor.fetchall() == [(2, 3), (3, 4)]
    assert await cursor.fetchall() == []


async def test_an_error_of_sqlite_is_raised_where_it_was_asked(connection: Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.cursor().execute("select * from letters")
    cursor = connection.cursor()
    await cursor.execute("select count(*) from numbers")
    assert await cursor.fetchall() == [(0,)]


async def test_what_answers_nothing_goes_with_what_is_asked_next(connection: Connection) -> None:
    counted, cursor = Counted(connection), connection.cursor()
    connection.later("begin immediate")
    connection.later("insert into numbers values (?), (?)", (1, 2))
    connection.later("update numbers set n = 10 * n")
    await cursor.execute("select n from numbers order by n")
    assert (await cursor.fetchall(), counted.count) == ([(10,), (20,)], 1)
    connection.later("delete from numbers where n = 10")
    await connection.commit()
    await cursor.execute("select n from numbers")
    assert (await cursor.fetchall(), counted.count) == ([(20,)], 3)


async def test_what_waited_and_failed_spoils_its_transaction(connection: Connection) -> None:
    connection.later("begin immediate")
    connection.later("insert into numbers values (1)")
    connection.later("insert into letters values (2)")
    connection.later("insert into numbers values (3)")
    cursor = connection.cursor()
    with pytest.raises(sqlite3.OperationalError, match="letters"):
        await cursor.execute("select 1")
    with pytest.raises(sqlite3.OperationalError, match="transaction has failed"):
        await connection.commit()
    await connection.rollback()
    connection.later("begin immediate")
    connection.later("insert into numbers values (4)")
    await connection.commit()
    await cursor.execute("select n from numbers")
    assert await cursor.fetchall() == [(4,)]


@pytest.mark.parametrize(
    ("waits", "error"),
    [
        (("insert into letters values (2)", ()), sqlite3.OperationalError),
        (("insert into numbers values (?)", (2**64,)), OverflowError),
        (("insert into numbers values (?)", ("\ud800",)), UnicodeEncodeError),
    ],
)
async def test_nothing_is_done_behind_what_failed_until_the_rollback(
    connection: Connection, waits: tuple[str, tuple[object, ...]], error: type[Exception]
) -> None:
    cursor = connection.cursor()
    # Without BEGIN, which may be what failed, each statement would stand at once.
    connection.later(*waits)
    with pytest.raises(error):
        await cursor.execute("insert into numbers values (5)")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="transaction has failed"):
            await cursor.execute("insert into numbers values (6)")
        with pytest.raises(sqlite3.OperationalError, match="transaction has failed"):
            await connection.commit()
    await connection.rollback()
    await cursor.execute("select count(*) from numbers")
    assert await cursor.fetchall() == [(0,)]


async def test_a_rollback_forgets_what_waited(connection: Connection) -> None:
    counted, cursor = Counted(connection), connection.cursor()
    connection.later("begin immediate")
    connection.later("insert into numbers values (1)")
    await connection.rollback()
    assert counted.count == 0
    await cursor.execute("select n from numbers")
    assert (await cursor.fetchall(), connection.in_transaction) == ([], False)


async def test_a_transaction_of_many_rows_takes_one_turn(store: Store) -> None:
    pairs = table("pairs", column("n", Integer), column("word", Text))
    async with store.write() as connection:
        await connection.execute(text("create table pairs (n integer, word text)"))
        driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, Connection)
    counted = Counted(driver)
    async with store.write() as connection:
        await execute_each(connection, pairs.insert(), [{"n": n, "word": "a"} for n in range(100)])
    assert counted.count == 1
    async with store.read() as connection:
        assert (await connection.execute(text("select count(*) from pairs"))).scalar_one() == 100


async def test_a_row_that_is_refused_fails_the_transaction(store: Store) -> None:
    once = table("once", column("n", Integer), column("word", Text))
    async with store.write() as connection:
        await connection.execute(text("create table once (n integer primary key, word text)"))
    with pytest.raises(IntegrityError):
        async with store.write() as connection:
            await execute_each(connection, once.insert(), [{"n": 1, "word": "a"}, {"n": 1, "word": "b"}])
    async with store.write() as connection:
        await execute_each(connection, once.insert(), [{"n": 1, "word": "c"}])
    async with store.read() as connection:
        assert (await connection.execute(text("select word from once"))).scalars().all() == ["c"]


async def test_a_rollback_without_a_transaction_asks_nobody(connection: Connection) -> None:
    counted = Counted(connection)
    await connection.rollback()
    assert counted.count == 0


async def test_a_transaction_that_begins_after_its_caller_has_gone_is_rolled_back(connection: Connection) -> None:
    busy = Event()
    connection._tx.put_nowait((None, busy.wait))
    begun = asyncio.ensure_future(connection.cursor().execute("begin immediate"))
    await asyncio.sleep(0)
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)
    assert not connection.in_transaction, "the thread has not come to it yet"
    rolled = asyncio.ensure_future(connection.rollback())
    await asyncio.sleep(0)
    busy.set()
    await rolled
    assert not connection.in_transaction


async def test_cancelled_writers_leave_the_next_one_a_clean_connection(store: Store) -> None:
    async def write(n: int) -> None:
        async with store.write() as connection:
            await connection.execute(text("insert into numbers values (:n)"), {"n": n})

    for turns in range(40):
        writer = asyncio.ensure_future(write(turns))
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
    await write(1000)
    async with store.read() as connection:
        assert (await connection.execute(text("select n from numbers where n = 1000"))).scalars().all() == [1000]


def test_a_loop_that_ends_before_the_thread_answers_leaves_nothing_behind(tmp_path: Path) -> None:
    busy = Event()

    async def leave_in_the_middle() -> Connection:
        made = connect(str(tmp_path / "numbers.db"))
        await made
        made._tx.put_nowait((None, busy.wait))
        asked = asyncio.ensure_future(made.cursor().execute("select 1"))
        await asyncio.sleep(0)
        asked.cancel()
        made.stop()
        return made

    made = asyncio.run(leave_in_the_middle())
    busy.set()
    # What goes wrong in the thread now fails the test: warnings are errors here.
    made._thread.join(20)
    assert not made._thread.is_alive()


async def test_a_file_that_cannot_be_opened_is_a_store_that_is_away(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/store.db")
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreUnavailable):
        async with store.read():
            pass
    await store.close()
