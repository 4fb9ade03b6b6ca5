"""One spool: a locked SQLite log of records on their way to Kafka, and how a process finds one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from gateway.eventlog.base import LogUnavailable, Record, Taken
from gateway.eventlog.lock import FileLock
from gateway.eventlog.sqlite import SqliteLog

log = structlog.get_logger(__name__)

SPOOLED = "spooled"
REFUSED = "refused"
GROUP = "drain"
TOPIC_HEADER = "spool-topic"
REASON_HEADER = "spool-reason"
READ_AT_ONCE = 500
OVERHEAD = 100


class Spool:
    """A spool that this process holds. ``depth`` counts the records that wait, ``bytes`` their size."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self.depth = 0
        self.bytes = 0
        self._lock = lock
        self._log = SqliteLog(path, retention_seconds=0)
        self._consumer = self._log.consumer(GROUP, [SPOOLED])
        self._read: list[Taken] = []
        self._oldest = 0.0
        self._others: list[str] = []

    @property
    def oldest(self) -> float | None:
        """When the oldest record that waits was put here (Unix seconds), or a moment before; ``None``: none waits."""
        if not self.depth:
            return None
        return self._read[0].appended_at if self._read else self._oldest

    async def open(self) -> None:
        """Open the file and count what waits in it. Raises :class:`LogUnavailable`."""
        await asyncio.to_thread(_move_broken, self.path)
        await self._log.start()
        self.depth = await self._consumer.lag()
        self._others = await self._log.read(_other_topics)
        if self._others:
            log.warning("log.spool.other_topics", spool=self.path.name, topics=self._others)
        if self.depth:
            self.bytes = await self._log.read(_waiting_bytes)
            self._read = list(await self._consumer.fetch(limit=READ_AT_ONCE, timeout=0))

    async def close(self) -> None:
        """Finish the writes under way and let go."""
        await self._log.close()
        self._lock.release()

    async def discard(self) -> None:
        """Close the empty spool of a dead process, and remove its file unless something is kept in it."""
        kept = await self._log.read(_other_topics)
        await self._log.close()
        if not kept:
            await asyncio.to_thread(_remove, self.path)
        self._lock.release()

    def ready(self) -> tuple[bool, str]:
        """Whether the file takes writes, and the reason if not."""
        return self._log.ready()

    def submit(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """Give the records their place; they are durable when the future is done. Raises :class:`LogUnavailable`."""
        written = self._log.submit([_wrap(record) for record in records])
        if not self.depth:
            self._oldest = time.time()
        size = sum(_size(record) for record in records)
        self.depth += len(records)
        self.bytes += size
        written.add_done_callback(lambda future: self._written(future, len(records), size))
        return written

    async def head(self, limit: int) -> Sequence[Taken]:
        """The ``limit`` oldest records that wait, the same again until :meth:`delivered`; empty when none does."""
        if not self._read:
            self._read = list(await self._consumer.fetch(limit=READ_AT_ONCE, timeout=0))
        return self._read[:limit]

    async def delivered(self, count: int) -> None:
        """Kafka has the ``count`` oldest. They are forgotten a read at a time; a crash sends the rest of it again."""
        done = self._read[:count]
        if count == len(self._read):
            try:
                await self._consumer.commit()
            except LogUnavailable as error:
                # A full disk must not stop what makes room; a crash now would only send this again.
                log.warning("log.spool.not_committed", spool=self.path.name, reason=str(error))
        self._oldest = done[-1].appended_at
        del self._read[:count]
        self._gone(count, sum(_size(one.record) for one in done))

    def emptied(self) -> None:
        """Nothing waits and nothing is being written: unreadable records may have left the counts too high."""
        self.depth = self.bytes = 0

    async def put_aside(self, one: Taken, reason: str) -> None:
        """Keep a record that will never be delivered in the file, out of the way."""
        headers = ((REASON_HEADER, reason.encode()), *one.record.headers)
        await self._log.append([Record(REFUSED, one.record.key, one.record.value, headers)])

    def _written(self, future: asyncio.Future[None], count: int, size: int) -> None:
        if not future.cancelled() and future.exception() is not None:
            self._gone(count, size)

    def _gone(self, count: int, size: int) -> None:
        self.depth = max(0, self.depth - count)
        self.bytes = max(0, self.bytes - size)


def unwrap(one: Taken) -> Record | None:
    """The record as it was appended; ``None`` where it does not tell its topic."""
    name, topic = one.record.headers[0] if one.record.headers else ("", b"")
    if name != TOPIC_HEADER:
        return None
    return Record(topic.decode(), one.record.key, one.record.value, one.record.headers[1:])


def take_free(path: Path) -> Spool:
    """Take the first spool that nobody holds: ``path``, or with a number in its name. Raises :class:`OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for n in itertools.count():
        candidate = path.with_name(f"{path.stem}.{n}{path.suffix}") if n else path
        lock = _lock_of(candidate)
        if lock.acquire():
            return Spool(candidate, lock)
    raise AssertionError("unreachable")


def take_orphans(path: Path) -> Iterator[Spool]:
    """Take the spools beside ``path`` that nobody holds and that may have something in them."""
    for candidate in sorted(path.parent.glob(f"{path.stem}*{path.suffix}")):
        middle = candidate.name.removeprefix(path.stem).removesuffix(path.suffix)
        if middle and not (middle[0] == "." and middle[1:].isdigit()):
            continue
        lock = _lock_of(candidate)
        if lock.acquire():
            yield Spool(candidate, lock)


def _lock_of(path: Path) -> FileLock:
    return FileLock(path.with_name(f"{path.name}.lock"))


def _wrap(record: Record) -> Record:
    headers = ((TOPIC_HEADER, record.topic.encode()), *record.headers)
    return Record(SPOOLED, record.key, record.value, headers)


def _size(record: Record) -> int:
    """About the bytes that a record takes in the file, wrapped or not."""
    return len(record.key) + len(record.value) + OVERHEAD


def _waiting_bytes(connection: sqlite3.Connection) -> int:
    query = """
    SELECT ifnull(sum(length(body)), 0) FROM batches WHERE topic = ?1
    AND last >= ifnull((SELECT next FROM positions WHERE topic = ?1 AND consumers = ?2), 0)
    """
    size: int = connection.execute(query, (SPOOLED, GROUP)).fetchone()[0]
    return size


def _other_topics(connection: sqlite3.Connection) -> list[str]:
    """What the file holds beside spooled records: some put aside, or an embedded log that was used before Kafka."""
    query = "SELECT DISTINCT topic FROM batches WHERE topic != ?"
    return [topic for (topic,) in connection.execute(query, (SPOOLED,))]


def _move_broken(path: Path) -> None:
    """Move a file that is no database out of the way: there is nothing to drain, and room is needed for a new one."""
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return
    except sqlite3.Error as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return
    aside = path.with_name(f"{path.name}.broken-{int(time.time())}")
    path.rename(aside)
    log.error("log.spool.file_broken", path=path.name, moved_to=aside.name)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
