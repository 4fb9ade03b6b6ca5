"""One statement for many rows, past SQLAlchemy's handling of each row.

For each row that handling takes several times as long as the database does. It is needed where a type turns Python
values into the driver's; the tables here have only types that both drivers take as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Insert, Update
from sqlalchemy.ext.asyncio import AsyncConnection

Prepared = tuple[str, tuple[str, ...], dict[str, Any]]
"""A statement in the driver's own words, the names of its parameters in order, and those that are always the same."""

_prepared: dict[tuple[Insert | Update, tuple[str, ...], str], Prepared] = {}


async def execute_each(
    connection: AsyncConnection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute ``statement`` for each of the rows, which all have the keys of the first; nothing for no rows.

    Keep the statement: it is compiled once and remembered for as long as the program runs. An insert sets the columns
    that the keys name, an update the parameters. It needs two parameters or more.
    """
    if not rows:
        return
    sql, names, constants = _prepare(statement, tuple(rows[0]), connection.dialect)
    values = itemgetter(*names)
    whole = [{**constants, **row} for row in rows] if constants else rows
    await connection.exec_driver_sql(sql, [values(row) for row in whole])


def _prepare(statement: Insert | Update, keys: tuple[str, ...], dialect: Dialect) -> Prepared:
    known = (statement, keys, dialect.driver)
    found = _prepared.get(known)
    if found is None:
        columns = list(keys) if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        names = tuple(compiled.positiontup or ())
        constants = {name: compiled.params[name] for name in names if name not in keys}
        found = _prepared[known] = (str(compiled), names, constants)
    return found
