"""A member of a consumer group on an SQLite log: who is active, what was read, what is committed."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from gateway.eventlog.base import LogUnavailable, Record, Taken
from gateway.eventlog.lock import FileLock

if TYPE_CHECKING:
    from gateway.eventlog.sqlite import SqliteLog

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.05
READ_BYTES = 8 * 1024 * 1024

NEXT_BATCHES = "SELECT last, count, appended_at, body FROM batches WHERE topic = ? AND last >= ? ORDER BY last LIMIT ?"
NEXT_LAST = "SELECT min(last) FROM batches WHERE topic = ? AND last >= ?"
POSITIONS = "SELECT topic, next FROM positions WHERE consumers = ?"
BOUNDS = """
SELECT ifnull(min(last - count + 1), 0), ifnull(max(last) + 1, 0) FROM (
    SELECT * FROM (SELECT last, count FROM batches WHERE topic = ?1 ORDER BY last LIMIT 1)
    UNION ALL SELECT * FROM (SELECT last, count FROM batches WHERE topic = ?1 ORDER BY last DESC LIMIT 1)
)
"""
JOIN = "INSERT OR IGNORE INTO positions VALUES (?, ?, 0)"
COMMIT = "UPDATE positions SET next = max(next, ?) WHERE topic = ? AND consumers = ?"
# The unreadable bytes stay, under a name that no group reads; an empty batch takes their place and keeps the numbers.
SET_ASIDE = (
    "INSERT OR IGNORE INTO batches SELECT topic || '.unreadable', last, count, appended_at, body"
    " FROM batches WHERE topic = ? AND last = ?"
)
EMPTIED = "UPDATE batches SET body = ? WHERE topic = ? AND last = ?"

_Row = tuple[int, int, float, bytes]
_decoder = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]])
_NOTHING = msgspec.msgpack.encode([])


class SqliteConsumer:
    """A :class:`~gateway.eventlog.base.Consumer`.

    The group's name becomes part of a file's name: letters, digits, dot, hyphen and underscore.
    """

    def __init__(self, events: SqliteLog, group: str, topics: Sequence[str]) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", group):
            raise ValueError(f"not a name for a consumer group: {group!r}")
        self._log = events
        self._group = group
        self._topics = list(topics)
        self._lock = FileLock(events.path.with_name(f"{events.path.name}.{group}.lock"))
        self._read: dict[str, int] = {}
        self._returned: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._buffer: deque[Taken] = deque()

    async def fetch(self, *, limit: int, timeout: float) -> Sequence[Taken]:
        """Up to ``limit`` records, waiting up to ``timeout`` seconds for the first, and for the active member's end.

        Raises :class:`LogUnavailable` where the file cannot be read.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            version = self._log.version(self._topics)
            if await self._active():
                if not self._buffer:
                    await self._refill(limit)
                if self._buffer:
                    return self._take(limit)
            remaining = deadline - loop.time()
            if remaining <= 0:
                return ()
            await self._log.changed(self._topics, version, min(remaining, POLL_SECONDS))

    async def commit(self) -> None:
        """Commit everything that :meth:`fetch` has returned so far. Raises :class:`LogUnavailable`."""
        news = {topic: n for topic, n in self._returned.items() if n != self._committed.get(topic)}
        if news and self._lock.held:
            await self._log.write(*((COMMIT, (n, topic, self._group)) for topic, n in news.items()))
            self._committed |= news

    async def lag(self) -> int:
        """How many records the group has not committed, whichever member is active. Raises :class:`LogUnavailable`."""
        return await self._log.read(self._count)

    async def close(self) -> None:
        """Let another member take over; what is not committed is delivered to it again."""
        self._lock.release()
        self._read.clear()
        self._returned.clear()
        self._buffer.clear()
        self._log.forget(self)

    async def _active(self) -> bool:
        """Whether this member is the active one; it becomes so when the lock is free."""
        if self._read:
            return True
        try:
            if not self._lock.acquire():
                return False
        except OSError as error:
            raise LogUnavailable(f"the group's lock cannot be used ({type(error).__name__})") from error
        await self._log.write(*((JOIN, (topic, self._group)) for topic in self._topics))
        positions = await self._log.read(lambda connection: dict(connection.execute(POSITIONS, (self._group,))))
        self._committed = {topic: positions[topic] for topic in self._topics}
        self._read = dict(self._committed)
        log.info("log.sqlite.group_joined", group=self._group)
        return True

    def _take(self, limit: int) -> list[Taken]:
        taken = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        for one in taken:
            self._returned[one.record.topic] = one.offset + 1
        return taken

    async def _refill(self, limit: int) -> None:
        """Read about ``limit`` records of every topic, so that a busy one does not starve the others."""
        starts = {topic: self._read[topic] for topic in self._topics}
        found = await self._log.read(partial(_next_batches_each, starts=starts, limit=limit))
        for (topic, start), (rows, unreadable) in zip(starts.items(), found, strict=True):
            if unreadable is not None:
                log.error("log.sqlite.page_unreadable", topic=topic, offset=start, skipped_to=unreadable + 1)
                self._log.unreadable += unreadable + 1 - start
                self._read[topic] = unreadable + 1
            for row in rows:
                self._buffer.extend(await self._decode(topic, start, row))
                self._read[topic] = row[0] + 1

    async def _decode(self, topic: str, start: int, row: _Row) -> list[Taken]:
        last, count, appended_at, body = row
        if body == _NOTHING:
            return []
        try:
            records = _decoder.decode(body)
        except msgspec.DecodeError:
            records = []
        if len(records) != count:
            log.error("log.sqlite.batch_unreadable", topic=topic, last=last, records=count)
            self._log.unreadable += count
            await self._log.write((SET_ASIDE, (topic, last)), (EMPTIED, (_NOTHING, topic, last)))
            return []
        first = last - count + 1
        return [
            Taken(Record(topic, key, value, headers), 0, offset, appended_at)
            for offset, (key, value, headers) in enumerate(records, first)
            if offset >= start
        ]

    def _count(self, connection: sqlite3.Connection) -> int:
        positions = dict(connection.execute(POSITIONS, (self._group,)))
        lag = 0
        for topic in self._topics:
            first, end = connection.execute(BOUNDS, (topic,)).fetchone()
            lag += max(0, end - max(first, positions.get(topic, 0)))
        return lag


def _next_batches_each(
    connection: sqlite3.Connection, starts: Mapping[str, int], limit: int
) -> list[tuple[list[_Row], int | None]]:
    return [_next_batches(connection, topic, start, limit) for topic, start in starts.items()]


def _next_batches(connection: sqlite3.Connection, topic: str, start: int, limit: int) -> tuple[list[_Row], int | None]:
    """The batches from offset ``start`` on, some ``limit`` records; or the end of the one that cannot be read."""
    rows: list[_Row] = []
    records = size = 0
    try:
        for row in connection.execute(NEXT_BATCHES, (topic, start, limit)):
            rows.append(row)
            records += row[1]
            size += len(row[3])
            if records >= limit or size >= READ_BYTES:
                break
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CORRUPT:
            raise
        if not rows:
            # The index alone still tells where the batch ends.
            return rows, connection.execute(NEXT_LAST, (topic, start)).fetchone()[0]
    return rows, None
