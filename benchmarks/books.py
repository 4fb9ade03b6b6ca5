"""The books of a long run: what citizens wrote and heard, beside what the gateway has.

Counted by statements on the gateway's own files: the rows themselves need not fit into memory.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from rich.table import Table

from benchmarks.servers import TOPIC
from benchmarks.world.__main__ import Block
from benchmarks.world.letters import JOINS, OPENS, WAYS

_ROWS = {
    "dispositions": "SELECT disposition, count(*) FROM messages GROUP BY 1",
    "answers": "SELECT state, count(*) FROM outbox GROUP BY 1",
    "stages": "SELECT stage, count(*) FROM dead_letters GROUP BY 1",
}
_NUMBERS = {
    "events": "SELECT count(*) FROM messages",
    "cases": "SELECT count(*) FROM cases",
    "on_cases": "SELECT count(*) FROM messages WHERE case_number IS NOT NULL",
}


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What citizens wrote and heard, beside what the gateway has; ``wrong`` are the lines that do not balance."""

    written: int
    on_the_log: int
    events: int
    cases: int
    joins: int
    others: int
    answers_due: int
    answers_sent: int
    answers_heard: int
    refused: int
    dispositions: dict[str, int]
    dead_letters: dict[str, int]
    wrong: list[str]


def open_books(folder: Path, block: Block, refused: int) -> Books:
    """Count what is in a gateway's files (``gateway.db``, ``log.db``); ``block`` is the last of the world's."""
    with closing(_read_only(folder / "gateway.db")) as store, closing(_read_only(folder / "log.db")) as log:
        rows = {name: dict(store.execute(query).fetchall()) for name, query in _ROWS.items()}
        numbers = {name: store.execute(query).fetchone()[0] for name, query in _NUMBERS.items()}
        counted = "SELECT ifnull(sum(count), 0) FROM batches WHERE topic = ?"
        on_the_log: int = log.execute(counted, (TOPIC,)).fetchone()[0]
    return balance(block, refused, on_the_log, numbers, rows)


def balance(
    block: Block, refused: int, on_the_log: int, numbers: dict[str, int], rows: dict[str, dict[str, int]]
) -> Books:
    """Open the books.

    ``numbers`` has the counts of events, of cases and of events ``on_cases``; ``rows`` counts events by disposition,
    answers by state and dead letters by stage.
    """
    written = sum(block.written.values())
    opened, joined = (
        sum(block.written.get(f"{way} {kind}", 0) for way in WAYS for kind in kinds) for kinds in (OPENS, JOINS)
    )
    joins = numbers["on_cases"] - numbers["cases"]
    answers = rows["answers"]
    wrong = []

    def same(what: str, ours: int, theirs: int) -> None:
        if ours != theirs:
            wrong.append(f"{what}: {theirs:,} are due, there are {ours:,}")

    # What was refused, or answered by nothing, was handed over again, and may be on the log twice: the id tells.
    if not written <= on_the_log <= written + refused:
        same("events on the log", on_the_log, written)
    same("events in the store", numbers["events"], written)
    same("cases", numbers["cases"], opened)
    same("joins", joins, joined)
    same("answers sent", answers.get("sent", 0), block.due)
    same("answers in all", sum(answers.values()), block.due)
    same("answers heard", block.heard, block.due)
    same("answers that nobody waits for", block.unasked, 0)
    same("dead letters", sum(rows["stages"].values()), 0)
    return Books(
        written=written,
        on_the_log=on_the_log,
        events=numbers["events"],
        cases=numbers["cases"],
        joins=joins,
        others=numbers["events"] - numbers["on_cases"],
        answers_due=block.due,
        answers_sent=answers.get("sent", 0),
        answers_heard=block.heard + block.unasked,
        refused=refused,
        dispositions=rows["dispositions"],
        dead_letters=rows["stages"],
        wrong=wrong,
    )


def report(books: Books) -> Table:
    """The books for people."""
    shown = Table(title="The books", title_justify="left")
    for column in ("written", "on the log", "events", "= cases", "+ joins", "+ others", "answers due", "sent", "heard"):
        shown.add_column(column, justify="right")
    values = (books.written, books.on_the_log, books.events, books.cases, books.joins, books.others)
    shown.add_row(*(f"{one:,}" for one in (*values, books.answers_due, books.answers_sent, books.answers_heard)))
    return shown


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)
