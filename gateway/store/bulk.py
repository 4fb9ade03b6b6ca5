"""Many rows by few statements, past SQLAlchemy's handling of each row.

For each row that handling takes several times as long as the database does. It is needed where a type turns Python
values into the driver's; the tables here have only types that both drivers take as they are.

An insert goes further. A statement a row would be begun and ended a row by PostgreSQL, and would give the interpreter
lock away a row in SQLite's thread. So the one takes all rows by COPY, the other as many as fit into a statement, with
what the transaction asks next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Insert, Update, literal, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection

AT_ONCE = (64, 16, 4, 1)
"""Rows in one insert on SQLite: few sizes, so that the driver finds each statement prepared."""

_BEGIN = select(literal(1))


class Prepared(NamedTuple):
    """``sql`` in the driver's own words, ``names`` of its parameters in order, and those that are always the same."""

    sql: str
    names: tuple[str, ...]
    constants: dict[str, Any]


_prepared: dict[tuple[Insert | Update, tuple[str, ...], str], Prepared] = {}


async def execute_each(
    connection: AsyncConnection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute ``statement`` for each of the rows, which all have the keys of the first; nothing for no rows.

    Keep the statement: it is compiled once and remembered for as long as the program runs. An insert sets the columns
    that the keys name, in the order of the rows; an update the parameters. It needs two parameters or more.
    Raises :class:`~sqlalchemy.exc.DBAPIError`, as any statement does; on SQLite that may come with the next one, or
    with the commit, and the transaction is lost.
    """
    if not rows:
        return
    prepared = _prepare(statement, tuple(rows[0]), connection.dialect)
    take, constants = itemgetter(*prepared.names), prepared.constants
    values = [take({**constants, **row} if constants else row) for row in rows]
    if not isinstance(statement, Insert):
        await connection.exec_driver_sql(prepared.sql, values)
        return
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.name == "postgresql":
        await _copy(connection, driver, statement.table.name, prepared, values)
    else:
        _insert_some_at_once(driver, prepared.sql, values)


async def _copy(
    connection: AsyncConnection, driver: Any, table: str, prepared: Prepared, values: Sequence[tuple[Any, ...]]
) -> None:
    """By the driver's own hand, and with errors as SQLAlchemy tells them."""
    from asyncpg import IntegrityConstraintViolationError, PostgresError
    from asyncpg import InterfaceError as DriverError

    if not driver.is_in_transaction():
        # SQLAlchemy begins the transaction with its first statement; the driver would copy outside of any.
        await connection.execute(_BEGIN)
    try:
        await driver.copy_records_to_table(table, records=values, columns=prepared.names)
    except (PostgresError, DriverError, TypeError, ValueError, OverflowError) as error:
        if driver.is_closed():
            await connection.invalidate()
        # What cannot be encoded is no fault of the connection's, though the driver has a DriverError for that, too.
        kinds = {
            IntegrityConstraintViolationError: IntegrityError,
            PostgresError: DBAPIError,
            ValueError: DataError,
            DriverError: InterfaceError,
        }
        kind = next((kind for known, kind in kinds.items() if isinstance(error, known)), DataError)
        raise kind(prepared.sql, None, error, hide_parameters=True) from error


def _insert_some_at_once(driver: Any, sql: str, values: Sequence[tuple[Any, ...]]) -> None:
    before, _, one = sql.rpartition(" VALUES ")
    done = 0
    for size in AT_ONCE:
        several = f"{before} VALUES {', '.join([one] * size)}"
        while len(values) - done >= size:
            driver.later(several, tuple(chain.from_iterable(values[done : done + size])))
            done += size


def _prepare(statement: Insert | Update, keys: tuple[str, ...], dialect: Dialect) -> Prepared:
    known = (statement, keys, dialect.driver)
    found = _prepared.get(known)
    if found is None:
        columns = list(keys) if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        names = tuple(compiled.positiontup or ())
        constants = {name: compiled.params[name] for name in names if name not in keys}
        found = _prepared[known] = Prepared(str(compiled), names, constants)
    return found
