"""The book of what citizens wrote: where each message went, and what is wrong with that.

A message is known by the mark in its text. It has to be one event, in one case of its own with one number, and
answered at least once; every answer beyond the first has to have a cause.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from normalizer import tracking

MARK = re.compile(r"warga nomor (\d+)\b")
_NUMBER = re.compile(r"\b\d{3} \d{3} \d{4}\b")


def complaint(n: int) -> str:
    """What the ``n``-th citizen writes; no two write the same."""
    return f"Jembatan Desa Sukamaju ambruk sejak kemarin, laporan warga nomor {n}, mohon segera diperbaiki"


class Entry(msgspec.Struct, kw_only=True):
    """One citizen's message, and where it went."""

    n: int
    way: str
    to: str
    events: list[str]
    copies: int
    cases: list[str]
    disposition: list[str]
    replies: list[str]

    def wrong(self) -> list[str]:
        """What breaks a promise."""
        said = []
        if len(self.events) != 1:
            said.append(f"{len(self.events)} events")
        if len(self.cases) != 1 or not all(tracking.valid(number) for number in self.cases):
            said.append(f"{len(self.cases)} cases")
        if not self.replies:
            said.append("no reply")
        if set(self.replies) - set(self.cases):
            said.append("a reply with another number")
        return said


class Book(msgspec.Struct):
    """All entries, and what is there that nobody wrote."""

    entries: dict[int, Entry]
    strangers: int = 0

    @property
    def doubled(self) -> int:
        """Replies beyond the first of each message."""
        return sum(max(0, len(entry.replies) - 1) for entry in self.entries.values())

    def wrong(self) -> list[str]:
        """Every entry that breaks a promise, a line each."""
        lines = [f"{e.n} by {e.way}: {', '.join(said)}" for e in self.entries.values() if (said := e.wrong())]
        if self.strangers:
            lines.append(f"{self.strangers} rows that no citizen wrote")
        numbers = Counter(number for entry in self.entries.values() for number in entry.cases)
        return [
            *lines,
            *(f"the number {number} has {count} messages" for number, count in numbers.items() if count > 1),
        ]


def written_up(
    letters: Mapping[int, tuple[str, str]],
    messages: Iterable[Any],
    heard: Mapping[str, Sequence[Any]],
    logged: Iterable[str] = (),
) -> Book:
    """The book. ``letters`` are the way and the citizen's address of each message by its mark.

    ``messages`` are rows of the store, ``heard`` what each way's provider was handed, ``logged`` the texts of the log's
    records, copies too.
    """
    entries = {
        n: Entry(n=n, way=way, to=to, events=[], copies=0, cases=[], disposition=[], replies=[])
        for n, (way, to) in letters.items()
    }
    book = Book(entries)
    for row in messages:
        mark = MARK.search(row.document)
        entry = entries.get(int(mark[1])) if mark else None
        if entry is None:
            book.strangers += 1
            continue
        entry.events.append(row.event_id)
        entry.disposition.append(row.disposition)
        if row.case_number:
            entry.cases.append(row.case_number)
    by_address: dict[tuple[str, str], list[str]] = defaultdict(list)
    for way, sent in heard.items():
        for message in sent:
            number = _NUMBER.search(message.text)
            by_address[way, message.to].append(number[0].replace(" ", "") if number else "")
    for entry in entries.values():
        entry.replies = by_address.get((entry.way, entry.to), [])
    for text in logged:
        mark = MARK.search(text)
        if mark and int(mark[1]) in entries:
            entries[int(mark[1])].copies += 1
    return book
