"""What the two databases say differently, as constructs for statements that are written once and kept.

A statement that is built anew for each call costs several times what it costs to execute: SQLAlchemy puts its parts
together and then finds out that it knows them. So the statements on a message's way are constants of their modules.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, BigInteger, BindParameter, ColumnElement, Dialect, Double, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine


class Many(TypeDecorator[Collection[Any]]):
    """Any number of values of a type as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item: type[TypeEngine[Any]]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type."""
        return ARRAY(self.item) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        """The parameter as the driver takes it."""
        values = list(value or ())
        return values if dialect.name == "postgresql" else json.dumps(values)


def texts(name: str) -> BindParameter[Collection[str]]:
    """A parameter of this name that takes any number of texts."""
    return bindparam(name, type_=Many(Text))


def numbers(name: str) -> BindParameter[Collection[int]]:
    """A parameter of this name that takes any number of whole numbers."""
    return bindparam(name, type_=Many(BigInteger))


class _Among(FunctionElement[bool]):
    # As a Boolean it would be compared with 1 on SQLite, which then uses no index for it.
    type = NullType()  # type: ignore[assignment]
    inherit_cache = True


class _Each(FunctionElement[Any]):
    inherit_cache = True


class _Clock(FunctionElement[float]):
    type = Double()
    inherit_cache = True


def among(
    column: ColumnElement[Any], values: BindParameter[Collection[Any]] | Collection[str]
) -> FunctionElement[bool]:
    """``column`` is one of the values: the same statement whatever their number, so that it is prepared once."""
    given = values if isinstance(values, BindParameter) else bindparam(None, values, type_=Many(Text), unique=True)
    return _Among(column, given)


def each(values: BindParameter[Collection[Any]]) -> ColumnElement[Any]:
    """A row for each of the values, as a column to select or to compare with."""
    # PostgreSQL calls the column as the function's alias says, SQLite always by this name.
    column: ColumnElement[Any] = _Each(values).table_valued("value", name="value").c.value
    return column


def clock() -> FunctionElement[float]:
    """The database's own time in Unix seconds, so that leases of several machines run by one clock."""
    return _Clock()


@compiles(_Among)
def _among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"({column} = ANY ({values}))"


@compiles(_Among, "sqlite")
def _among_on_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608 - both come from the compiler


@compiles(_Each)
def _each(element: _Each, compiler: SQLCompiler, **options: Any) -> str:
    return f"unnest({compiler.process(element.clauses, **options)})"


@compiles(_Each, "sqlite")
def _each_on_sqlite(element: _Each, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Clock)
def _clock(_element: _Clock, _compiler: SQLCompiler, **_options: Any) -> str:
    return "CAST(EXTRACT(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(_Clock, "sqlite")
def _clock_on_sqlite(_element: _Clock, _compiler: SQLCompiler, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
