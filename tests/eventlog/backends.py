"""The logs that the contract runs over, and how a test or another process opens them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.eventlog.base import Consumer, EventLog, LogUnavailable, Record, Taken
from gateway.eventlog.kafka import KafkaLog
from gateway.eventlog.kafka_cluster import Cluster, Topic
from gateway.eventlog.spool import SpooledLog
from gateway.eventlog.sqlite import SqliteLog

PATIENCE = 60.0
PARTITIONS = 3


@dataclass(frozen=True)
class Backend:
    """Where one log is: a file, a cluster, or both (a spool in front of the cluster).

    Two logs opened from one backend are what two processes are to each other.
    """

    kind: str
    path: str = ""
    bootstrap_servers: str = ""
    topics: tuple[str, ...] = ()
    append_timeout: float = 5.0
    stall_timeout: float = 15.0
    spool_max_bytes: int = 64 * 1024 * 1024
    session_timeout: float = 2.0

    @property
    def topic(self) -> str:
        """The first topic."""
        return self.topics[0]

    def make(self) -> SqliteLog | KafkaLog | SpooledLog:
        """A log that is not started."""
        if self.kind == "sqlite":
            return SqliteLog(self.path, retention_seconds=3600)
        kafka = KafkaLog(
            Cluster(self.bootstrap_servers, "test", timeout=3.0),
            dict.fromkeys(self.topics, Topic(partitions=PARTITIONS)),
            append_timeout=self.append_timeout,
            session_timeout=self.session_timeout,
            stall_timeout=self.stall_timeout,
        )
        if self.kind == "kafka":
            return kafka
        return SpooledLog(kafka, self.path, max_bytes=self.spool_max_bytes)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[EventLog]:
        """A started log, closed at the end."""
        log = self.make()
        await log.start()
        try:
            yield log
        finally:
            await log.close()

    def dumps(self) -> str:
        """For the command line of another process."""
        return json.dumps(asdict(self))

    @staticmethod
    def loads(text: str) -> Backend:
        """The other process's side of :meth:`dumps`."""
        values: dict[str, Any] = json.loads(text)
        return Backend(**{**values, "topics": tuple(values["topics"])})


def new_topics(count: int = 2) -> tuple[str, ...]:
    """Names that no other test uses."""
    return tuple(f"t-{secrets.token_hex(6)}" for _ in range(count))


def record(topic: str, key: object, value: object, **headers: str) -> Record:
    """A record from plain words."""
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    return Record(topic, str(key).encode(), str(value).encode(), pairs)


def values(taken: Sequence[Taken]) -> list[str]:
    """What the records say, in the order of consumption."""
    return [one.record.value.decode() for one in taken]


def by_key(taken: Sequence[Taken]) -> dict[str, list[str]]:
    """What the records of each key say, in the order of consumption."""
    found: dict[str, list[str]] = {}
    for one in taken:
        found.setdefault(one.record.key.decode(), []).append(one.record.value.decode())
    return found


def first_times(said: Sequence[str]) -> list[str]:
    """Without the copies of what was there before."""
    return list(dict.fromkeys(said))


async def until(done: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if done():
                return
            await asyncio.sleep(0.02)


async def put(log: EventLog, *records: Record) -> None:
    """Append as every caller must: again, until the log confirms; copies may stay behind."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await log.append(records)
            except LogUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def fetch(consumer: Consumer, count: int, *, limit: int = 100, commit: bool = True) -> list[Taken]:
    """At least ``count`` records, however long they take."""
    taken: list[Taken] = []
    async with asyncio.timeout(PATIENCE):
        while len(taken) < count:
            taken += await consumer.fetch(limit=limit, timeout=1.0)
            if commit:
                await consumer.commit()
    return taken


async def read(log: EventLog, topics: Sequence[str], *, until: set[str] | None = None, count: int = 0) -> list[Taken]:
    """Everything on the topics, read by a new group, until it holds the values ``until`` or ``count`` records."""
    consumer = log.consumer(f"reader-{secrets.token_hex(4)}", topics)
    taken: list[Taken] = []
    missing = set(until or ())
    async with asyncio.timeout(PATIENCE):
        while missing or len(taken) < count:
            batch = await consumer.fetch(limit=500, timeout=0.5)
            taken += batch
            missing.difference_update(values(batch))
        while batch := await consumer.fetch(limit=500, timeout=0.3):
            taken += batch
    await consumer.close()
    return taken


class Child:
    """``tests.eventlog.child`` in a process of its own; what it prints are lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def until(self, count: int) -> list[str]:
        """Wait for so many lines."""
        async with asyncio.timeout(PATIENCE):
            while len(self.lines) < count and await self._read():
                pass
        if len(self.lines) < count:
            raise AssertionError(f"the child ended after {len(self.lines)} lines")
        return self.lines

    async def kill(self) -> list[str]:
        """SIGKILL; returns all that it has printed."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        while await self._read():
            pass
        await self._process.wait()
        return self.lines

    async def _read(self) -> bool:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if line.endswith(b"\n"):
            self.lines.append(line.decode().rstrip("\n"))
        return bool(line)


@asynccontextmanager
async def child(command: str, backend: Backend, *arguments: str) -> AsyncIterator[Child]:
    """Run a command of ``tests.eventlog.child``; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.eventlog.child", command, backend.dumps(), *arguments),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    one = Child(process)
    try:
        yield one
    finally:
        await one.kill()
