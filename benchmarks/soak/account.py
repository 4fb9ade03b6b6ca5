"""The book of a soak: every message by its id, where it went, and whether all of it balances."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.soak.citizens import Kind, Letter
from normalizer import tracking
from normalizer.event import ComplaintEvent
from tests.crash.book import MARK
from tests.crash.ways import SMS

_DOUBTED = re.compile(r'"event":"delivery\.maybe_doubled"[^\n]*"delivery":"([0-9a-f]+)"')
_UNANSWERED = re.compile(
    r'"event":"delivery\.attempt_failed"[^\n]*"delivery":"([0-9a-f]+)","reason":"(?:timeout|uncertain)"'
)
LATE = "the provider's yes did not come in time"
LAPSED = "its owner died, stood still or could not reach the store until the lease was over"
HANDED_OVER_AGAIN = "the citizen's provider heard no yes, and handed it over again"
WRITTEN_AGAIN = "Kafka did not confirm in time, or its reader died before its cursor stood"


class Entry(msgspec.Struct, kw_only=True):
    """One message, and where it went.

    ``citizen`` is an address made up for the soak. ``handed_over`` counts the tries until the gateway's yes. ``id`` is
    the message's at its provider, as the gateway has it. ``copies`` are its records on the log: one event, however many
    there are. ``heard`` is how often its answers reached the citizen, and ``cause`` why that was more than once.
    """

    n: int
    way: str
    citizen: str
    kind: Kind
    handed_over: int
    id: str = ""
    events: list[str] = []
    copies: int = 0
    intent: str = ""
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
    copied_by: dict[str, int]
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
    entries = [
        Entry(n=one.n, way=one.way, citizen=one.to, kind=one.kind, handed_over=one.handed_over) for one in letters
    ]
    wrong: list[str] = []
    by_event = _dispatched(entries, messages, wrong)
    on_the_log = _logged(by_event, logged, wrong)
    causes = dict.fromkeys(_DOUBTED.findall(said), LAPSED)
    causes |= {id_: LATE for id_ in _UNANSWERED.findall(said) if id_ in causes}
    _hear(by_event, outbox, heard, causes, wrong)
    for entry in entries:
        wrong += _amiss(entry)
    openers: dict[str, int] = Counter(e.cases[0] for e in entries if e.cases and e.kind == "complaint")
    wrong += [f"the number {number} has {count} complaints" for number, count in openers.items() if count > 1]
    account = _summed(entries, len(by_event), wrong)
    if on_the_log != account.written:
        wrong.append(f"{account.written} messages, {on_the_log} events on the log")
    if account.opened + account.joined + account.other != account.events:
        wrong.append("events are not cases, joins and other intents")
    return account, entries


def _dispatched(entries: Sequence[Entry], messages: Iterable[Any], wrong: list[str]) -> dict[str, Entry]:
    """Write down what the store knows of each message; returns whose each event is."""
    by_event: dict[str, Entry] = {}
    for row in messages:
        entry = _whose(entries, row.channel, row.provider_id, row.document)
        if entry is None:
            wrong.append(f"event {row.event_id}: nobody wrote it")
            continue
        by_event[row.event_id] = entry
        entry.id = row.provider_id
        entry.events.append(row.event_id)
        entry.disposition.append(row.disposition)
        if row.case_number:
            entry.cases.append(row.case_number)
    return by_event


def _logged(by_event: Mapping[str, Entry], logged: Iterable[ComplaintEvent], wrong: list[str]) -> int:
    """Count each message's records on the log; returns how many events there are."""
    known: set[str] = set()
    for event in logged:
        known.add(event.id)
        if (entry := by_event.get(event.id)) is not None:
            entry.copies += 1
            entry.intent = event.intent
        else:
            wrong.append(f"event {event.id}: on the log, and the store does not know it")
    return len(known)


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
    """Count how often each message's answers were heard, and look for the number in them.

    A provider names the delivery (SMS), or one citizen has one message, so that the address does. ``causes`` has what
    the gateway counted as perhaps doubled.
    """
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    for way, sent in heard.items():
        for message in sent:
            words[way, getattr(message, "delivery", "") if way == SMS.name else message.to].append(message.text)
    for row in outbox:
        entry = by_event.get(row.event_id)
        if entry is None:
            wrong.append(f"reply {row.id}: it answers nothing that was written")
            continue
        entry.replies.append(row.id)
        if row.state != "sent":
            wrong.append(f"{entry.n} by {entry.way}: its reply is {row.state}")
        told = words[row.channel, row.id if row.channel == SMS.name else entry.citizen]
        entry.heard += len(told)
        if not told:
            wrong.append(f"{entry.n} by {entry.way}: its reply was settled as {row.state} and nobody heard it")
        if any(tracking.shown(number) not in text for number in entry.cases for text in told):
            wrong.append(f"{entry.n} by {entry.way}: a reply without its case's number")
        if len(told) > 1:
            entry.cause = causes.get(row.id, "")
            if not entry.cause:
                wrong.append(f"{entry.n} by {entry.way}: heard {len(told)} times, and the gateway has not counted it")


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
    if not entry.replies:
        said.append("no reply")
    return [f"{entry.n} by {entry.way}: {', '.join(said)}"] if said else []


def _summed(entries: Sequence[Entry], events: int, wrong: list[str]) -> Account:
    with_case = sum(len(entry.cases) for entry in entries)
    opened = len({number for entry in entries for number in entry.cases})
    copied_by: Counter[str] = Counter()
    doubled_by: Counter[str] = Counter()
    for entry in entries:
        if entry.copies > 1:
            copied_by[HANDED_OVER_AGAIN if entry.handed_over > 1 else WRITTEN_AGAIN] += entry.copies - 1
        if entry.heard > len(entry.replies):
            doubled_by[entry.cause or "unexplained"] += entry.heard - len(entry.replies)
    return Account(
        written=len(entries),
        events=events,
        copies=sum(entry.copies for entry in entries),
        opened=opened,
        joined=with_case - opened,
        other=sum(not entry.cases for entry in entries if entry.events),
        replies=sum(len(entry.replies) for entry in entries),
        doubled=doubled_by.total(),
        copied_by=dict(copied_by),
        doubled_by=dict(doubled_by),
        wrong=wrong,
    )
