"""Overwriting values in the file of an SQLite log, the embedded one or a spool, so that the old bytes are gone.

A log is only ever added to, with one exception: what a citizen who is forgotten said. A record keeps its offset, its
key and its headers, and its new value the old one's length (JSON may end in blanks). SQLite writes a row of the same
size over the very pages of the old one, so that no copy is left behind in a freed page; the write-ahead log, which
holds the pages as they were, is emptied at the end. Another process may have the file open and at work meanwhile.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from gateway.eventlog.base import LogUnavailable, Record

BUSY_SECONDS = 30.0
WAL_SECONDS = 15.0
AT_ONCE = 16
UNREADABLE = ".unreadable"
"""At the end of a topic's name: batches that could not be decoded."""

TOPICS = "SELECT topic, count(*) FROM batches WHERE topic <> '' GROUP BY topic"
SETTLED = "SELECT topic, min(next) FROM positions GROUP BY topic"
NEXT = "SELECT last, count, body FROM batches WHERE topic = ? AND last > ? ORDER BY last LIMIT ?"
OVERWRITE = "UPDATE batches SET body = ? WHERE topic = ? AND last = ? AND body = ?"

Change = Callable[[Record, bool], bytes | None]
"""The new value of a record, ``None`` to leave it; told whether every group has committed it. What cannot be decoded
comes as one record without a key, the whole batch its value, on a topic that ends in :data:`UNREADABLE`."""

_Records = list[tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]]
_decoder = msgspec.msgpack.Decoder(_Records)
_encoder = msgspec.msgpack.Encoder()


def rewrite(
    path: Path,
    change: Change,
    *,
    since: Mapping[str, int] | None = None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, int]:
    """Put every record of the file through ``change``; blocks, so call it in a thread.

    ``since`` holds, by topic, the offset up to which (and with which) the file was looked through before. Returns the
    same for the next time: it never goes beyond what is committed. ``told`` hears how many of how many batches are
    done. A file that is not there has no records. Raises :class:`LogUnavailable`.
    """
    if not path.exists():
        return {}
    try:
        with contextlib.closing(_open(path)) as connection:
            seen = _all(connection, change, dict(since or {}), told)
            _empty_wal(connection)
    except sqlite3.Error as error:
        detail = getattr(error, "sqlite_errorname", None) or type(error).__name__
        raise LogUnavailable(f"{path.name} cannot be rewritten ({detail})") from error
    return seen


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _all(
    connection: sqlite3.Connection, change: Change, since: dict[str, int], told: Callable[[int, int], None]
) -> dict[str, int]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'positions'").fetchone():
        return {}
    topics = dict(connection.execute(TOPICS).fetchall())
    settled = dict(connection.execute(SETTLED).fetchall())
    total, done = sum(topics.values()), 0
    for topic in topics:
        committed, last = settled.get(topic, 0), since.get(topic, -1)
        while rows := connection.execute(NEXT, (topic, last, AT_ONCE)).fetchall():
            changed = []
            for end, count, body in rows:
                new = _changed(topic, end - count + 1, count, body, change, committed)
                if new is not None:
                    changed.append((new, topic, end, body))
            if changed:
                with _transaction(connection):
                    connection.executemany(OVERWRITE, changed)
            last = rows[-1][0]
            done += len(rows)
            told(done, total)
        since[topic] = max(since.get(topic, -1), min(last, committed - 1))
    return since


def _changed(topic: str, first: int, count: int, body: bytes, change: Change, committed: int) -> bytes | None:
    """The body with its records changed; ``None`` where none is."""
    try:
        records: _Records = _decoder.decode(body)
    except msgspec.DecodeError:
        records = []
    if len(records) != count:
        name = topic if topic.endswith(UNREADABLE) else topic + UNREADABLE
        # An emptied batch, whose records were set aside, has nothing to say.
        return None if body == b"\x90" else change(Record(name, b"", body), True)
    news = [
        change(Record(topic, key, value, headers), first + place < committed)
        for place, (key, value, headers) in enumerate(records)
    ]
    if all(new is None for new in news):
        return None
    kept = zip(records, news, strict=True)
    return _encoder.encode([(k, v if new is None else new.ljust(len(v)), headers) for (k, v, headers), new in kept])


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _empty_wal(connection: sqlite3.Connection) -> None:
    """Move the write-ahead log into the file and cut it to nothing; a reader elsewhere is waited for, not for long."""
    deadline = time.monotonic() + WAL_SECONDS
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError("a reader holds the write-ahead log")
        time.sleep(0.05)
