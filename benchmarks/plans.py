"""How a database carries out the statements of a program: heard while they are executed, then asked for one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import event

from gateway.store.engine import Store

LARGE = ("cases", "messages", "outbox", "deliveries", "senders", "attachments", "updates", "gatherings")
"""The tables that grow with the years."""

SHOWN = 100
"""Characters of a condition: it may hold hundreds of keys."""
_SCAN = re.compile(r"SCAN (\w+)(?! USING (?:COVERING )?INDEX ix_\w+_waiting)")


class Plan(msgspec.Struct, frozen=True):
    """How the database carries out a statement; ``scans`` names the large tables that it would read from end to end."""

    statement: str
    plan: str
    scans: tuple[str, ...]


@contextmanager
def listened(store: Store) -> Iterator[dict[str, Any]]:
    """Collects the statements that are executed, each once, with the parameters of its first time."""
    heard: dict[str, Any] = {}

    def hear(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
        heard.setdefault(statement, parameters[0] if executemany else parameters)

    engines = {engine.sync_engine for engine in (store.engine, store.writing)}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)


async def plans_of(store: Store, heard: Mapping[str, Any], *, any_size: bool = False) -> list[Plan]:
    """How each statement that reads is carried out.

    With ``any_size`` PostgreSQL plans as if the tables were large: reading a whole one, for a join too, is dear.
    """
    found = []
    async with store.read() as connection:
        if any_size and not store.sqlite:
            for way in ("seqscan", "hashjoin", "mergejoin", "material"):
                await connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        for statement, parameters in heard.items():
            if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            how = "EXPLAIN QUERY PLAN" if store.sqlite else "EXPLAIN (FORMAT JSON)"
            rows = (await connection.exec_driver_sql(f"{how} {statement}", parameters)).all()
            lines = [row[-1] for row in rows] if store.sqlite else list(_lines(_document(rows[0][0])))
            found.append(Plan(statement, "\n".join(lines), tuple(_scans(lines))))
    return found


def _document(explained: Any) -> Mapping[str, Any]:
    loaded = json.loads(explained) if isinstance(explained, str) else explained
    plan: Mapping[str, Any] = loaded[0]["Plan"]
    return plan


def _lines(node: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A plan of PostgreSQL's as lines; a part that reads a whole table or index begins with SCAN, as SQLite has it."""
    kind, table = node["Node Type"], node.get("Relation Name") or ""
    index, condition = node.get("Index Name", ""), (node.get("Index Cond") or node.get("Recheck Cond") or "")[:SHOWN]
    word = kind if not kind.endswith("Scan") or condition or not (table or index) else "SCAN"
    named = " ".join(filter(None, [table or _table_of(index), f"USING INDEX {index}" if index else "", condition]))
    yield f"{'  ' * depth}{word} {named}".rstrip()
    for inner in node.get("Plans", ()):
        yield from _lines(inner, depth + 1)


def _table_of(index: str) -> str:
    return next((table for table in LARGE if f"_{table}" in index), "")


def _scans(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        found = _SCAN.match(line.strip())
        if found and found[1] in LARGE:
            yield found[1]
