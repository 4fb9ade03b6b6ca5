"""The one thread that writes an SQLite log: group commit, retention, and finding back after a failure.

Whatever is queued when the thread turns to its queue becomes one transaction and one fsync (WAL, synchronous FULL).
The loop is called back once a transaction, not once a record.

What is stored is not records but batches: all records of one topic in one transaction are one row. So an insert is
one statement that SQLite runs to its fsync without the interpreter lock. A row a record would hand the lock back
and forth for every row, and a busy event loop makes each hand-over wait up to the interpreter's switch interval.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import structlog

from gateway.eventlog.base import LogFull, LogUnavailable, Record
from gateway.seams import Seam, reached

log = structlog.get_logger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    topic TEXT NOT NULL,
    last INTEGER NOT NULL,       -- offset of the batch's last record
    count INTEGER NOT NULL,
    appended_at REAL NOT NULL,   -- Unix seconds
    body BLOB NOT NULL,          -- MessagePack: an array of [key, value, [[name, value], ...]]
    PRIMARY KEY (topic, last)
);
CREATE TABLE IF NOT EXISTS positions (
    topic TEXT NOT NULL,
    consumers TEXT NOT NULL,     -- the group's name
    next INTEGER NOT NULL,       -- the first offset that is not committed
    PRIMARY KEY (topic, consumers)
) WITHOUT ROWID;
"""
# Offsets go on from the committed ones where retention has deleted every batch.
INSERT = """
INSERT INTO batches (topic, last, count, appended_at, body)
SELECT ?1, ?2 - 1 + max(
    ifnull((SELECT max(last) + 1 FROM batches WHERE topic = ?1), 0),
    ifnull((SELECT max(next) FROM positions WHERE topic = ?1), 0)
), ?2, ?3, ?4
"""
# The oldest batches first, by the primary key: what is too young or not committed is looked at once, not scanned.
EXPIRE = """
DELETE FROM batches WHERE rowid IN (
    SELECT rowid FROM (SELECT rowid, appended_at FROM batches WHERE topic = ? AND last < ? ORDER BY last LIMIT ?)
    WHERE appended_at < ?
)
"""
PROBE = "INSERT OR REPLACE INTO batches VALUES ('', 0, 0, 0, zeroblob(65536))"
UNPROBE = "DELETE FROM batches WHERE topic = ''"

BATCH_RECORDS = 500
BATCH_BYTES = 1_000_000
EXPIRED_AT_ONCE = 100
BUSY_SECONDS = 5.0
PROBE_SECONDS = 1.0
LONGEST_SWEEP_INTERVAL = 60.0
# Pages of 4 KiB; the default of 1000 would sync the main file ten times a second under load.
CHECKPOINT_PAGES = 4000

Statement = tuple[str, tuple[object, ...]]
_encoder = msgspec.msgpack.Encoder()


class Job(msgspec.Struct, frozen=True, gc=False):
    """What is to be made durable together: records, or statements; the future is resolved on the loop."""

    future: asyncio.Future[None]
    records: Sequence[Record] = ()
    statements: Sequence[Statement] = ()


class Writer:
    """The thread and its queue. ``settled`` is called on the loop once a transaction, with its jobs and its error."""

    def __init__(
        self,
        path: Path,
        *,
        retention_seconds: float,
        loop: asyncio.AbstractEventLoop,
        settled: Callable[[list[Job], LogUnavailable | None], None],
    ) -> None:
        self._path = path
        self._retention = retention_seconds
        self._loop = loop
        self._settled = settled
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"log-writer {path.name}", daemon=True)
        self._connection: sqlite3.Connection | None = None
        self._ended = loop.create_future()
        self._sweep_at = time.monotonic()
        self.trouble = ""

    def start(self) -> None:
        """Start the thread; its first act is to open the file."""
        self._thread.start()

    def put(self, jobs: list[Job]) -> None:
        """Queue jobs, in order."""
        self._queue.put(jobs)

    async def stop(self) -> None:
        """Write what is queued, close the file and end the thread."""
        self._queue.put(None)
        await self._ended
        self._thread.join()

    def _run(self) -> None:
        with self._failing([]):
            self._open()
        stop = False
        while not stop:
            try:
                jobs = self._queue.get(timeout=self._patience())
            except queue.Empty:
                self._look_after()
                continue
            taken: list[Job] = []
            while True:
                if jobs is None:
                    stop = True
                else:
                    taken += jobs
                try:
                    jobs = self._queue.get_nowait()
                except queue.Empty:
                    break
            if taken:
                self._take(taken)
            if not stop and time.monotonic() >= self._sweep_at:
                self._look_after()
        if self._connection is not None:
            self._connection.close()
        self._call(self._ended.set_result, None)

    def _patience(self) -> float:
        return PROBE_SECONDS if self.trouble else max(0.0, self._sweep_at - time.monotonic())

    def _take(self, jobs: list[Job]) -> None:
        with self._failing(jobs):
            records = any(job.records for job in jobs)
            if records:
                reached(Seam.BEFORE_LOG_WRITE)
            self._transact(_statements(jobs))
            if records:
                reached(Seam.AFTER_LOG_WRITE)
            self._call_back(jobs, None)

    def _look_after(self) -> None:
        """Between transactions: see whether a log in trouble works again, or let go of what has expired."""
        with self._failing([]):
            if self.trouble:
                self._transact([(PROBE, ())])
                self._transact([(UNPROBE, ())])
            else:
                self._sweep()

    @contextlib.contextmanager
    def _failing(self, jobs: list[Job]) -> Iterator[None]:
        """Turn what goes wrong into the jobs' error and :attr:`trouble`; the thread lives on."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._fail(jobs, _meaning(error), reopen=not _is_full(error))
        except Exception as error:
            log.exception("log.sqlite.writer_failed", path=self._path.name, jobs=len(jobs))
            self._fail(jobs, LogUnavailable(f"the log's writer failed ({type(error).__name__})"), reopen=True)
        else:
            if self.trouble:
                log.info("log.sqlite.recovered", path=self._path.name)
                self.trouble = ""

    def _fail(self, jobs: list[Job], error: LogUnavailable, *, reopen: bool) -> None:
        if str(error) != self.trouble:
            log.warning("log.sqlite.failed", path=self._path.name, reason=str(error))
        self.trouble = str(error)
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if reopen:
                # After an I/O error the connection's idea of the file may be wrong.
                connection.close()
                self._connection = None
        self._call_back(jobs, error)

    def _call_back(self, jobs: list[Job], error: LogUnavailable | None) -> None:
        if jobs:
            self._call(self._settled, jobs, error)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        # The loop may be gone where a program ends without closing its log.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            # What retention deletes holds citizens' words: it is overwritten, not only unlinked.
            connection.execute("PRAGMA secure_delete = ON")
            connection.executescript(SCHEMA)
        return self._connection

    def _transact(self, statements: Sequence[Statement]) -> None:
        """Run the statements in one transaction, durable on return."""
        connection = self._open()
        if len(statements) == 1:
            connection.execute(*statements[0])
            return
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(*statement)
        connection.execute("COMMIT")

    def _sweep(self) -> None:
        """Delete a few of the batches that are older than the retention and committed by every known group."""
        connection = self._open()
        oldest = time.time() - self._retention
        deleted = 0
        for topic, committed in connection.execute("SELECT topic, min(next) FROM positions GROUP BY topic").fetchall():
            expired = connection.execute(EXPIRE, (topic, committed, EXPIRED_AT_ONCE, oldest))
            deleted = max(deleted, expired.rowcount)
        interval = min(LONGEST_SWEEP_INTERVAL, max(1.0, self._retention / 10))
        self._sweep_at = time.monotonic() + (0.02 if deleted == EXPIRED_AT_ONCE else interval)


def _statements(jobs: Sequence[Job]) -> list[Statement]:
    """One insert for each batch, then whatever else the jobs want."""
    now = time.time()
    topics: dict[str, list[Record]] = {}
    statements: list[Statement] = []
    for job in jobs:
        for record in job.records:
            if (records := topics.get(record.topic)) is None:
                records = topics[record.topic] = []
            records.append(record)
        statements += job.statements
    inserts: list[Statement] = [
        (INSERT, (topic, len(batch), now, _encoder.encode([(r.key, r.value, r.headers) for r in batch])))
        for topic, records in topics.items()
        for batch in _batches(records)
    ]
    return inserts + statements


def _batches(records: list[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and (len(batch) >= BATCH_RECORDS or size + len(record.value) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.value)
    yield batch


def _is_full(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _meaning(error: sqlite3.Error | OSError) -> LogUnavailable:
    if _is_full(error):
        return LogFull("no room left for the log")
    detail = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return LogUnavailable(f"the log's file cannot be written ({detail})")
