"""Many rows by few statements, past SQLAlchemy's handling of each row.

For each row that handling takes several times as long as the database does. It is needed where a type turns Python
values into the driver's; the tables here have only types that both drivers take as they are.

An insert goes further: PostgreSQL takes all rows as one array a column, SQLite as many as fit into a statement. A
statement a row would be planned and begun a row by the one, and give the interpreter lock away a row on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnClause, Dialect, Insert, String, Update
from sqlalchemy.ext.asyncio import AsyncConnection

AT_ONCE = (64, 16, 4, 1)
"""Rows in one insert on SQLite: few sizes, so that the driver finds each statement prepared."""


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
    """
    if not rows:
        return
    prepared = _prepare(statement, tuple(rows[0]), connection.dialect)
    take, constants = itemgetter(*prepared.names), prepared.constants
    values = [take({**constants, **row} if constants else row) for row in rows]
    if not isinstance(statement, Insert):
        await connection.exec_driver_sql(prepared.sql, values)
    elif connection.dialect.name == "postgresql":
        await connection.exec_driver_sql(prepared.sql, tuple(list(column) for column in zip(*values, strict=True)))
    else:
        await _insert_some_at_once(connection, prepared.sql, values)


async def _insert_some_at_once(connection: AsyncConnection, sql: str, values: Sequence[tuple[Any, ...]]) -> None:
    before, _, one = sql.rpartition(" VALUES ")
    done = 0
    for size in AT_ONCE:
        several = f"{before} VALUES {', '.join([one] * size)}"
        while len(values) - done >= size:
            await connection.exec_driver_sql(several, tuple(chain.from_iterable(values[done : done + size])))
            done += size


def _prepare(statement: Insert | Update, keys: tuple[str, ...], dialect: Dialect) -> Prepared:
    known = (statement, keys, dialect.driver)
    found = _prepared.get(known)
    if found is None:
        columns = list(keys) if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        names = tuple(compiled.positiontup or ())
        constants = {name: compiled.params[name] for name in names if name not in keys}
        sql = _unnested(statement, names, dialect) if isinstance(statement, Insert) else ""
        found = _prepared[known] = Prepared(sql or str(compiled), names, constants)
    return found


def _unnested(statement: Insert, names: Sequence[str], dialect: Dialect) -> str:
    """The insert of rows that come as one array a column; ``""`` where the database has none."""
    if dialect.name != "postgresql":
        return ""
    table = statement.table
    quoted = dialect.identifier_preparer
    columns = [table.c[name] for name in names]
    named = ", ".join(quoted.format_column(column) for column in columns)
    arrays = ", ".join(f"${place}::{_item(column, dialect)}[]" for place, column in enumerate(columns, start=1))
    return f"INSERT INTO {quoted.format_table(table)} ({named}) SELECT * FROM unnest({arrays})"  # noqa: S608 - own names


def _item(column: ColumnClause[Any], dialect: Dialect) -> str:
    # A cast to a text of bounded length would cut what is too long, where the column refuses it.
    return "TEXT" if isinstance(column.type, String) else column.type.compile(dialect=dialect)
