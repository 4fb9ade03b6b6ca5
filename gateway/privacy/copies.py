"""The copies on the embedded log and in the spools: what is overwritten there, and in which files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from config.settings import Settings, Topics
from gateway.eventlog.base import Record
from gateway.eventlog.spool_file import TOPIC_HEADER
from gateway.eventlog.sqlite_rewrite import UNREADABLE, Change, rewrite
from gateway.privacy.blank import blank_case_event, blank_event, blank_letter, blank_update, payload
from gateway.privacy.spelled import Spelled
from normalizer.event import ComplaintEvent, decode
from normalizer.event import encode as encode_event
from normalizer.messages import CaseEvent, CaseUpdate, DeadLetter, encode

_case_events = msgspec.json.Decoder(CaseEvent)
_updates = msgspec.json.Decoder(CaseUpdate)
_letters = msgspec.json.Decoder(DeadLetter)


class Blanking:
    """The change that :func:`~gateway.eventlog.sqlite_rewrite.rewrite` makes for citizens who are forgotten.

    ``until`` is, by sender key, when the citizen was forgotten (Unix seconds): events received by then are blanked,
    and those with the ids ``events``, whoever's and whenever. ``numbers`` are their cases and ``spelled`` their
    address, where it is known. Blanked events keep the sender's key: the dispatcher knows by it that it gets what was
    forgotten.
    """

    def __init__(
        self,
        topics: Topics,
        until: Mapping[str, float],
        *,
        events: Collection[str] = (),
        numbers: Collection[str] = (),
        spelled: Spelled | None = None,
    ) -> None:
        self._until = until
        self._events = events
        self._numbers = numbers
        self._spelled = spelled
        self._by_topic: dict[str, Callable[[Record, bool], bytes | None]] = {
            topics.complaints: self._event,
            topics.cases: self._case_event,
            topics.case_updates: self._update,
            topics.dead_letters: self._letter,
        }
        self.changed = 0
        """Records that were blanked."""
        self.waiting = 0
        """Of these, events that the dispatcher has still to take."""
        self.stored: set[str] = set()
        """Places in the blob store of the payloads that they named."""
        self.later: set[str] = set()
        """Events of these senders that came after they were forgotten: new ones, or copies of old ones."""

    def __call__(self, record: Record, settled: bool) -> bytes | None:
        """The new value of a record; ``None`` where it is nobody's of these."""
        if record.topic.endswith(UNREADABLE):
            return self._counted(bytes(len(record.value))) if self._spells(record.value) else None
        topic = next((v.decode() for name, v in record.headers if name == TOPIC_HEADER), record.topic)
        handle = self._by_topic.get(topic)
        return handle(record, settled) if handle else None

    def _event(self, record: Record, settled: bool) -> bytes | None:
        key = record.key.decode("ascii", "replace")
        until = self._until.get(key)
        if until is None and not (self._events and _id(record) in self._events):
            return None
        try:
            event = decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._counted(b"{}") if record.value.strip() != b"{}" else None
        if not self._due(event, until):
            return None
        if not event.sender.address:
            return None
        stored = event.raw.stored if event.raw else ""
        if stored:
            self.stored.add(stored)
        if settled:
            return self._counted(encode_event(blank_event(event, key=key)))
        # Should we be cut off before the blob is gone, the dispatcher's record of the event still names it.
        self.waiting += 1
        return self._counted(encode_event(blank_event(event, key=key, stored=stored)))

    def _due(self, event: ComplaintEvent, until: float | None) -> bool:
        if until is None or event.received_at.timestamp() <= until or event.id in self._events:
            return True
        self.later.add(event.id)
        return False

    def _case_event(self, record: Record, _settled: bool) -> bytes | None:
        if record.key.decode("ascii", "replace") not in self._numbers:
            return None
        try:
            told = _case_events.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        blank = blank_case_event(told)
        return self._counted(encode(blank)) if blank != told else None

    def _update(self, record: Record, settled: bool) -> bytes | None:
        try:
            update = _updates.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        # One with a text alone says nothing without it: until it is taken it stays.
        if update.number not in self._numbers or not update.text or not (settled or update.status):
            return None
        return self._counted(encode(blank_update(update)))

    def _letter(self, record: Record, _settled: bool) -> bytes | None:
        try:
            letter = _letters.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._counted(b"{}") if self._spells(record.value) else None
        if not letter.raw or not (self._spells(payload(letter.raw, letter.raw_type)) or self._speaks_of(letter)):
            return None
        return self._counted(encode(blank_letter(letter)))

    def _speaks_of(self, letter: DeadLetter) -> bool:
        """Whether it holds an event of one of these senders, or an update of one of their cases."""
        if letter.stage == "case_update":
            try:
                return _updates.decode(letter.raw).number in self._numbers
            except (msgspec.DecodeError, UnicodeDecodeError):
                return False
        try:
            event = decode(letter.raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        until = self._until.get(event.sender.key)
        return until is not None and event.received_at.timestamp() <= until

    def _spells(self, data: bytes) -> bool:
        return self._spelled is not None and self._spelled.within(data)

    def _counted(self, value: bytes) -> bytes:
        self.changed += 1
        return value


def _id(record: Record) -> str:
    """The event's id by its CloudEvents header, which costs less to read than the event."""
    return next((value.decode("ascii", "replace") for name, value in record.headers if name == "ce_id"), "")


def files(settings: Settings) -> list[Path]:
    """The files of this machine's embedded log; with Kafka, of its spools, those of other processes too."""
    path = Path(settings.log.path)
    if settings.log.backend == "sqlite":
        return [path] if path.exists() else []
    found = sorted(path.parent.glob(f"{path.stem}*{path.suffix}"))
    middles = {one: one.name.removeprefix(path.stem).removesuffix(path.suffix) for one in found}
    return [one for one, middle in middles.items() if not middle or (middle[0] == "." and middle[1:].isdigit())]


async def blank_copies(
    settings: Settings,
    blanking: Change,
    *,
    since: dict[Path, dict[str, int]] | None = None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Put every record of every file through ``blanking``; ``since`` remembers for the next time how far that was.

    Raises :class:`~gateway.eventlog.base.LogUnavailable`.
    """
    for path in await asyncio.to_thread(files, settings):
        before = (since or {}).get(path, {})
        seen = await asyncio.to_thread(rewrite, path, blanking, since=before, told=told)
        if since is not None:
            since[path] = seen
