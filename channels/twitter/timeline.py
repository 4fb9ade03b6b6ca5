"""Reading a list that X gives newest first, so that it comes in oldest first and nothing is passed over.

A reading walks down the pages, from the newest to where the last complete reading began less the overlap, and only
then hands over, from the oldest up. Of a long absence's backlog at most ``HELD`` messages are held, the oldest: the
newer ones fall out, and come with the next walk. The cursor never stands above what was not handed over, so a crash
costs requests, not messages. A walk that is cut short (quota, connection) goes on at the page where it stopped.
"""

from __future__ import annotations

import abc
import email.utils
import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from channels.errors import Malformed, Misconfigured, RetryLater
from channels.http import HttpResponse
from channels.receiving import Fetched, Item, Source, Unreadable
from channels.twitter.answers import document_of
from channels.twitter.inbound import Account
from channels.twitter.quota import Quotas
from channels.twitter.settings import TwitterSettings
from channels.twitter.shapes import RAW_TYPE, Includes, Json, digits, encode, obj, text, time_of

PAGES = 10
"""Requests of one fetch: more than X's mentions timeline has pages, which ends at 800 posts."""
HELD = 1000
BATCH = 300
"""Messages that one fetch hands over."""


class Place(msgspec.Struct, frozen=True):
    """A cursor: the reading goes on at ``since``; messages before ``answer_from`` are recorded, not answered.

    ``newest`` is the highest id that was handed over, for people who look into the store. ``turn`` counts the batches:
    no two cursors are the same, so that one handed back to us tells what became durable.
    """

    answer_from: datetime
    since: datetime | None = None
    newest: str = ""
    turn: int = 0


class Entry(msgspec.Struct, frozen=True):
    """One entry of the list: its id, X's time of it if it has one, and what it is."""

    id: str
    at: datetime | None
    item: Item


class _Walk(msgspec.Struct):
    """A walk down the pages: where it is, and what it found that was not handed over yet, newest first."""

    began: datetime
    token: str = ""
    found: list[Entry] = []
    dropped: bool = False


class Timeline(Source):
    """A list of X's that is read page by page, behind the quota of ``endpoint``."""

    def __init__(self, settings: TwitterSettings, quotas: Quotas, endpoint: str) -> None:
        self._settings = settings
        self._quotas = quotas
        self._endpoint = endpoint
        self._overlap = timedelta(seconds=settings.overlap)
        self._cursor = ""
        self._walk: _Walk | None = None
        self._ready: list[Entry] = []
        self._began = datetime.now(UTC)  # when the last whole walk did
        self._whole = True  # whether all that it found is in what is ready
        self._seen: dict[str, datetime] = {}  # handed over, within the overlap
        self._pages = 1  # requests of the last walk

    @abc.abstractmethod
    async def page(self, since: datetime | None, token: str) -> HttpResponse:
        """One page, newest first; may hold older entries than ``since``. Raises like :meth:`fetch`."""

    @abc.abstractmethod
    def read(self, entry: Json, includes: Includes, account: Account) -> Item | None:
        """What an entry is; ``None`` for one that is no message. Raises :class:`Malformed`."""

    async def fetch(self, cursor: str) -> Fetched:
        """The next messages behind ``cursor``, oldest first; see :meth:`channels.receiving.Source.fetch`."""
        if cursor != self._cursor:
            # Not where we left off: what was handed over last may not be durable.
            self._cursor, self._walk, self._ready, self._seen = cursor, None, [], {}
        place = self._place(cursor)
        if not self._ready and not await self._walked(place):
            return self._stand(place, (), rest=0.0)
        batch, self._ready = self._ready[:BATCH], self._ready[BATCH:]
        return self._stand(self._moved(place, batch), [one.item for one in batch], rest=self._rest())

    def _rest(self) -> float:
        if self._ready or not self._whole:
            return 0.0
        pushed = self._settings.mode == "webhook"
        wanted = self._settings.catch_up if pushed else self._settings.poll_seconds
        return self._quotas.rest(self._endpoint, wanted, self._pages)

    def _place(self, cursor: str) -> Place:
        try:
            return msgspec.json.decode(cursor, type=Place)
        except msgspec.DecodeError:
            # None yet, or none of ours: begin at the beginning, which repeats messages but loses none.
            return Place(datetime.now(UTC) - timedelta(seconds=self._settings.backfill))

    def _stand(self, place: Place, items: Sequence[Item], *, rest: float) -> Fetched:
        self._cursor = msgspec.json.encode(place).decode()
        return Fetched(items, self._cursor, rest)

    def _moved(self, place: Place, batch: Sequence[Entry]) -> Place:
        """The cursor behind a batch: with it everything older is handed over, or everything of the walk."""
        self._seen.update((one.id, one.at or self._began) for one in batch)
        newest = max((place.newest, *filter(str.isdigit, (one.id for one in batch))), key=lambda id_: (len(id_), id_))
        times = [one.at for one in batch if one.at is not None]
        since = place.since
        if self._whole and not self._ready:
            since = _later(since, self._began - self._overlap)
        elif times:
            since = _later(since, max(times) - self._overlap)
        if since is not None:
            self._seen = {id_: at for id_, at in self._seen.items() if at >= since}
        return Place(place.answer_from, since, newest, place.turn + bool(batch))

    async def _walked(self, place: Place) -> bool:
        """Go on with the walk, by at most ``PAGES`` pages; tells whether it is at its end."""
        walk = self._walk
        for _ in range(PAGES):
            try:
                response = await self.page(place.since, walk.token if walk else "")
                document = document_of(response, "list")
            except Misconfigured as error:
                # A page's token that X no longer takes must not hold the list up for ever.
                self._walk = None
                if walk is not None and error.reason == "bad_request":
                    raise RetryLater("X no longer knows the page that was next", reason="page_gone") from error
                raise
            if walk is None:
                walk = self._walk = _Walk(_clock(response))
                self._pages = 0
            self._pages += 1
            at_end = self._took(walk, document, place)
            token = text(obj(document.get("meta")).get("next_token"))
            if at_end or not token or token == walk.token:
                self._walk = None
                self._ready = walk.found[::-1]
                self._began, self._whole = walk.began, not walk.dropped
                return True
            walk.token = token
        return False

    def _took(self, walk: _Walk, document: Json, place: Place) -> bool:
        """Take in a page; tells whether it reaches below ``place.since``."""
        entries = self.entries(document, place.answer_from)
        for one in entries:
            if one.id not in self._seen and not (place.since and one.at and one.at < place.since):
                walk.found.append(one)
        if len(walk.found) > HELD:
            walk.dropped = True
            del walk.found[: len(walk.found) - HELD]
        oldest = min((one.at for one in entries if one.at is not None), default=None)
        return bool(place.since and oldest and oldest < place.since)

    def entries(self, document: Json, answer_from: datetime | None = None) -> list[Entry]:
        """The messages of a page, in its order; one that cannot be read is an ``Unreadable``."""
        includes = Includes(document.get("includes"))
        account = Account.of(self._settings, answer_from)
        data = document.get("data")
        found = (self._entry(one, includes, account) for one in (data if isinstance(data, list) else ()))
        return [one for one in found if one is not None]

    def _entry(self, entry: object, includes: Includes, account: Account) -> Entry | None:
        raw = encode({"data": entry})
        one = obj(entry)
        try:
            item: Item | None = self.read(one, includes, account)
        except Malformed as error:
            item = Unreadable(raw, RAW_TYPE, error.reason, str(error))
        if item is None:
            return None
        # One without an id is known again by its bytes: a dead letter once, not at every reading.
        return Entry(digits(one.get("id")) or hashlib.sha256(raw).hexdigest(), time_of(one.get("created_at")), item)


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _clock(response: HttpResponse) -> datetime:
    """X's own time, by which its posts are dated; ours where it does not tell."""
    try:
        return email.utils.parsedate_to_datetime(response.headers.get("date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(time.time(), UTC)
