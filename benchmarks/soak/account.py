"""The book of a soak: every message by its number, where it went, and whether all of it balances."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.soak.citizens import Letter
from normalizer.event import ComplaintEvent
from tests.crash.book import MARK
from tests.crash.ways import SMS

_DOUBTED = re.compile(r'"event":"delivery\.maybe_doubled"[^\n]*"delivery":"([0-9a-f]+)"')
_UNANSWERED = re.compile(
    r'"event":"delivery\.attempt_failed"[^\n]*"delivery":"([0-9a-f]+)","reason":"(?:timeout|uncertain)"'
)
LATE = "the provider's yes did not come in time"
LAPSED = "its owner died, stood still or could not reach the store until the lease was over"


class Entry(msgspec.Struct, kw_only=True):
    """One message. ``copies`` are its records on the log; ``heard`` is how often its answers reached the citizen."""

    n: int
    way: str
    to: str
    kind: str
    handed_over: int
    events: list[str] = []
    copies: int = 0
    disposition: list[str] = []
    cases: list[str] = []
    replies: list[str] = []
    heard: int = 0
    cause: str = ""


class Account(msgspec.Struct, kw_only=True):
    """The balance. ``wrong`` are the lines that do not balance; none is as it should be."""

    written: int
    events: int
    copies: int
    opened: int
    joined: int
    other: int
    replies: int
    doubled: int
    doubled_by: dict[str, int]
    wrong: list[str]


def balance(
    letters: Sequence[Letter],
    logged: Iterable[ComplaintEvent],
    messages: Iterable[Any],
    outbox: Iterable[Any],
    heard: Mapping[str, Sequence[Any]],
    said: str,
) -> tuple[Account, list[Entry]]:
    """Open the book.

    ``messages`` and ``outbox`` are rows, ``heard`` is what each provider was handed, ``said`` are all logs.
    """
    entries = [Entry(n=one.n, way=one.way, to=one.to, kind=one.kind, handed_over=one.handed_over) for one in letters]
    wrong: list[str] = []
    by_event: dict[str, Entry] = {}
    for row in messages:
        entry = _whose(entries, row.channel, row.provider_id, row.document)
        if entry is None:
            wrong.append(f"event {row.event_id}: nobody wrote it")
            continue
        by_event[row.event_id] = entry
        entry.events.append(row.event_id)
        entry.disposition.append(row.disposition)
        if row.case_number:
            entry.cases.append(row.case_number)
    on_the_log: set[str] = set()
    for event in logged:
        on_the_log.add(event.id)
        if (entry := by_event.get(event.id)) is not None:
            entry.copies += 1
        else:
            wrong.append(f"event {event.id}: on the log, and the store does not know it")
    causes = dict.fromkeys(_DOUBTED.findall(said), LAPSED)
    causes |= {id_: LATE for id_ in _UNANSWERED.findall(said) if id_ in causes}
    _hear(by_event, outbox, heard, causes, wrong)
    for entry in entries:
        wrong += _amiss(entry)
    openers: dict[str, int] = Counter(e.cases[0] for e in entries if e.cases and e.kind == "complaint")
    wrong += [f"the number {number} has {count} complaints" for number, count in openers.items() if count > 1]
    with_case = sum(len(entry.cases) for entry in entries)
    opened = len({number for entry in entries for number in entry.cases})
    doubled = [entry for entry in entries if entry.heard > len(entry.replies)]
    doubled_by: Counter[str] = Counter()
    for entry in doubled:
        doubled_by[entry.cause or "unexplained"] += entry.heard - len(entry.replies)
    account = Account(
        written=len(entries),
        events=len(by_event),
        copies=sum(entry.copies for entry in entries),
        opened=opened,
        joined=with_case - opened,
        other=sum(not entry.cases for entry in entries if entry.events),
        replies=sum(len(entry.replies) for entry in entries),
        doubled=sum(entry.heard - len(entry.replies) for entry in doubled),
        doubled_by=dict(doubled_by),
        wrong=wrong,
    )
    if len(on_the_log) != account.written:
        wrong.append(f"{account.written} messages, {len(on_the_log)} events on the log")
    if account.opened + account.joined + account.other != account.events:
        wrong.append("events are not cases, joins and other intents")
    return account, entries


def _whose(entries: Sequence[Entry], channel: str, provider_id: str, document: str) -> Entry | None:
    """Whose message an event is: a text by its id at the provider, any other by the mark in its words."""
    if channel == SMS.name:
        n = provider_id.removeprefix("m-")
        return entries[int(n)] if n.isdigit() and int(n) < len(entries) else None
    mark = MARK.search(document)
    return entries[int(mark[1])] if mark and int(mark[1]) < len(entries) else None


def _hear(
    by_event: Mapping[str, Entry],
    outbox: Iterable[Any],
    heard: Mapping[str, Sequence[Any]],
    causes: Mapping[str, str],
    wrong: list[str],
) -> None:
    """Count how often each message's answers were heard.

    A provider names the delivery (SMS), or one citizen has one message, so that the address does. ``causes`` has what
    the gateway counted as perhaps doubled.
    """
    times: dict[tuple[str, str], int] = defaultdict(int)
    for way, sent in heard.items():
        for message in sent:
            times[way, getattr(message, "delivery", "") if way == SMS.name else message.to] += 1
    for row in outbox:
        entry = by_event.get(row.event_id)
        if entry is None:
            wrong.append(f"reply {row.id}: it answers nothing that was written")
            continue
        entry.replies.append(row.id)
        if row.state != "sent":
            wrong.append(f"{entry.n} by {entry.way}: its reply is {row.state}")
        count = times[row.channel, row.id if row.channel == SMS.name else entry.to]
        entry.heard += count
        if not count:
            wrong.append(f"{entry.n} by {entry.way}: its reply was settled as {row.state} and nobody heard it")
        if count > 1:
            entry.cause = causes.get(row.id, "")
            if not entry.cause:
                wrong.append(f"{entry.n} by {entry.way}: heard {count} times, and the gateway has not counted it")


def _amiss(entry: Entry) -> list[str]:
    """What breaks a promise about one message."""
    said = []
    if not entry.handed_over:
        said.append("never heard a yes")
    if len(entry.events) != 1:
        said.append(f"{len(entry.events)} events")
    if entry.events and not entry.copies:
        said.append("not on the log")
    if len(entry.cases) != (0 if entry.kind == "help" else 1):
        said.append(f"{len(entry.cases)} cases")
    if not entry.replies and entry.kind != "follow_up":
        said.append("no reply")
    return [f"{entry.n} by {entry.way}: {', '.join(said)}"] if said else []
