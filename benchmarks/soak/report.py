"""What a soak came to: the sums for people, and the book as JSON lines."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.soak.account import Account, Entry
from benchmarks.soak.trouble import Trouble

MOST_LINES = 50
COLUMNS = ("written", "events", "records", "case", "join", "other", "replies", "heard")


@dataclass(frozen=True)
class Soaked:
    """A soak that is over.

    Citizens wrote for ``seconds``, and ``taken`` of their messages had the gateway's yes by then; the last was answered
    after ``answered`` seconds. ``said`` are the logs of all processes, kept where the book is wrong.
    """

    account: Account
    entries: Sequence[Entry]
    seconds: float
    taken: int
    answered: float
    trouble: Trouble
    said: str = ""

    @property
    def rate(self) -> float:
        """Messages a second that were taken while citizens wrote."""
        return self.taken / self.seconds


def tell(found: Soaked, *, least: float) -> list[str]:
    """Print the sums; returns what was less than a soak takes."""
    account, console = found.account, Console(highlight=False, soft_wrap=True)
    console.print(by_way(found.entries))
    counts = ", ".join(f"{what}: {count}" for what, count in sorted(found.trouble.counts.items()))
    console.print(f"{found.trouble.kills} kills ({counts})", markup=False)
    whole = account.written / found.answered
    console.print(f"{found.rate:.1f} messages a second taken in {found.seconds:g} s; {whole:.1f} a second to the end")
    console.print(
        f"{account.written} written by citizens = {account.events} events ({account.copies} records on the log)"
        f" = {account.opened} cases + {account.joined} joins + {account.other} other intents"
    )
    console.print(f"{account.copies - account.events} records too many on the log, each the same event")
    for cause, count in account.copied_by.items():
        console.print(f"  {count}: {cause}")
    console.print(f"{account.replies} replies, and {account.doubled} times one was heard again")
    for cause, count in account.doubled_by.items():
        console.print(f"  {count}: {cause}")
    missed = found.trouble.missed()
    if found.rate < least:
        missed.append(f"{found.rate:.1f} messages a second instead of {least:g}")
    for line in missed:
        console.print(f"FELL SHORT  {line}", markup=False)
    for line in account.wrong[:MOST_LINES]:
        console.print(f"WRONG  {line}", markup=False)
    console.print("the book does not balance" if account.wrong else "the book balances")
    return missed


def by_way(entries: Sequence[Entry]) -> Table:
    """The sums of each way in, and of all."""
    sums: dict[str, Counter[str]] = {}
    openers: set[str] = set()
    for entry in entries:
        way = sums.setdefault(entry.way, Counter())
        way.update(written=1, events=len(entry.events), records=entry.copies)
        way.update(replies=len(entry.replies), heard=entry.heard)
        new = set(entry.cases) - openers
        openers |= new
        way.update(case=len(new), join=len(entry.cases) - len(new), other=int(bool(entry.events) and not entry.cases))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("way in", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name in sorted(sums):
        table.add_row(name, *(str(sums[name][column]) for column in COLUMNS))
    table.add_section()
    table.add_row("all", *(str(sum(way[column] for way in sums.values())) for column in COLUMNS))
    return table


def keep(found: Soaked, book: str, folder: Path) -> None:
    """Write the book down, to a file of ``folder`` unless ``book`` names another, and tell where it is.

    Where the book is wrong, the logs of all processes are put beside it.
    """
    lines: list[Any] = [found.account, *found.entries]
    written = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    file = Path(book) if book not in ("", "-") else folder / f"soak-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    if book == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(written)
        sys.stdout.flush()
    if book != "-" or found.said:
        file.parent.mkdir(parents=True, exist_ok=True)
    if book != "-":
        file.write_bytes(written)
        print(f"the book: {file}")
    if found.said:
        logs = file.with_suffix(".log")
        logs.write_text(found.said, encoding="utf-8")
        print(f"what the processes said: {logs}", file=sys.stderr)
