"""The embedded event log: one SQLite file, several processes.

The contract of :mod:`gateway.eventlog.base`, and here in particular:

* Durable means fsynced: a returned append survives kill -9 and, as far as the disk keeps its word, a power cut.
* Order holds over all keys of a topic for appends of one process.
* Any number of processes may append to and consume from one file. A consumer hears of its own process's appends at
  once, and of others' within 50 ms.
* Of a group one member is active at a time; the others wait and take over when it closes or dies.
* Offsets count up from 0 for each topic, without gaps. What is older than the retention goes once every group that
  ever read the topic has committed it; a topic without a group keeps everything.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.eventlog.base import LogUnavailable, Record
from gateway.eventlog.gather import Gather
from gateway.eventlog.sqlite_consumer import SqliteConsumer
from gateway.eventlog.sqlite_writer import BUSY_SECONDS, Job, Statement, Writer

T = TypeVar("T")


class SqliteLog:
    """An :class:`~gateway.eventlog.base.EventLog` in the file ``path``.

    ``retention_seconds`` is how long what was consumed is kept.
    """

    def __init__(self, path: Path | str, *, retention_seconds: float) -> None:
        self.path = Path(path)
        self._retention = retention_seconds
        self._writer: Writer | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._reading: sqlite3.Connection | None = None
        self._tick: list[Job] = []
        self._gather = Gather(self._hand_over)
        self._versions: dict[str, int] = defaultdict(int)
        self._listeners: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._consumers: list[SqliteConsumer] = []
        self.unreadable = 0
        """Records that consumers of this process could not read and passed over."""

    async def start(self) -> None:
        """Start the threads and open the file, making it where it is missing."""
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"log-reader {self.path.name}")
        self._writer = Writer(
            self.path,
            retention_seconds=self._retention,
            loop=asyncio.get_running_loop(),
            settled=self._settle,
        )
        self._writer.start()
        # An empty transaction: on return the file has been opened, or ready() says why not.
        opened = Job(asyncio.get_running_loop().create_future())
        self._writer.put([opened])
        await asyncio.wait([opened.future])
        opened.future.exception()

    async def close(self) -> None:
        """Finish the appends under way, close the file and end the threads."""
        for consumer in list(self._consumers):
            await consumer.close()
        writer, reader = self._writer, self._reader
        self._writer = self._reader = None
        if writer is not None:
            writer.put(self._tick)
            self._tick = []
            await writer.stop()
        if reader is not None:
            await asyncio.get_running_loop().run_in_executor(reader, self._close_reading)
            reader.shutdown(wait=True)

    async def append(self, records: Sequence[Record]) -> None:
        """Make all of the records durable in one transaction, in order.

        Raises :class:`LogFull` where there is no room, :class:`LogUnavailable` for anything else.
        """
        if records:
            await self._put(records)

    def submit(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """What :meth:`append` awaits: the records have their place in the order on return. Raises the same."""
        return self._put(records)

    def consumer(self, group: str, topics: Sequence[str]) -> SqliteConsumer:
        """A new member of ``group`` on ``topics``; it waits while another member is active."""
        consumer = SqliteConsumer(self, group, topics)
        self._consumers.append(consumer)
        return consumer

    def ready(self) -> tuple[bool, str]:
        """Whether the last write succeeded; a log in trouble is tried again every second."""
        if self._writer is None:
            return False, "the log is not open"
        return not self._writer.trouble, self._writer.trouble

    async def write(self, *statements: Statement) -> None:
        """Run a consumer's statements in the writer's next transaction. Raises :class:`LogUnavailable`."""
        await self._put(statements=statements)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``query`` in the reader's thread. Raises :class:`LogUnavailable`."""
        if self._reader is None:
            raise LogUnavailable("the log is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, self._query, query)
        except (sqlite3.Error, OSError) as error:
            await asyncio.get_running_loop().run_in_executor(self._reader, self._close_reading)
            detail = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise LogUnavailable(f"the log's file cannot be read ({detail})") from error

    def version(self, topics: Sequence[str]) -> int:
        """Counts the transactions of this process that had records of these topics; see :meth:`changed`."""
        return sum(self._versions[topic] for topic in topics)

    async def changed(self, topics: Sequence[str], version: int, timeout: float) -> None:
        """Wait until this process has appended to a topic since ``version``, for at most ``timeout`` seconds."""
        if version != self.version(topics):
            return
        listener = asyncio.get_running_loop().create_future()
        for topic in topics:
            self._listeners[topic].add(listener)
        try:
            await asyncio.wait([listener], timeout=timeout)
        finally:
            for topic in topics:
                self._listeners[topic].discard(listener)

    def forget(self, consumer: SqliteConsumer) -> None:
        """A consumer has been closed."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def _put(self, records: Sequence[Record] = (), statements: Sequence[Statement] = ()) -> asyncio.Future[None]:
        if self._writer is None:
            raise LogUnavailable("the log is not open")
        job = Job(asyncio.get_running_loop().create_future(), records, statements)
        self._tick.append(job)
        self._gather.came()
        return job.future

    def _hand_over(self) -> None:
        jobs, self._tick = self._tick, []
        if jobs and self._writer is not None:
            self._writer.put(jobs)

    def _settle(self, jobs: list[Job], error: LogUnavailable | None) -> None:
        for job in jobs:
            if not job.future.done():
                if error is None:
                    job.future.set_result(None)
                else:
                    job.future.set_exception(type(error)(*error.args))
        if error is None:
            for topic in {record.topic for job in jobs for record in job.records}:
                self._versions[topic] += 1
                for listener in self._listeners[topic]:
                    if not listener.done():
                        listener.set_result(None)

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._reading is None:
            self._reading = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        return query(self._reading)

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None
