"""The event log's one small interface: append, consume as a group, commit.

Two implementations stand beside this file, :mod:`gateway.eventlog.sqlite` and :mod:`gateway.eventlog.kafka`, and
a third, :mod:`gateway.eventlog.spool`, that puts a local queue in front of Kafka. One contract test suite runs
over all of them. What they promise:

* ``append`` returns only when every record is durable (SQLite: fsynced; Kafka: acks=all), or raises.
* Records of one topic and key are consumed in the order in which their appends were awaited. An ``append`` takes
  its place in that order before it first gives up the loop.
* What a group has not committed is delivered again after a crash: at least once, never lost.
* A batch belongs to its consumer until it is committed or the partitions are revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Record(msgspec.Struct, frozen=True):
    """One record: ``key`` decides the order, ``headers`` are CloudEvents attributes and the content type."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Taken(msgspec.Struct, frozen=True):
    """A record as it was consumed, with its place (``partition`` is 0 on SQLite) and append time (Unix seconds)."""

    record: Record
    partition: int
    offset: int
    appended_at: float


class LogUnavailable(Exception):
    """The log cannot make anything durable now: intake answers 503, or the spool takes over."""


class LogFull(LogUnavailable):
    """No room left for one more record: disk full, or the spool's bound reached."""


class RecordRefused(LogUnavailable):
    """The log will never take this record (too large, or a topic that is not set up): trying again does not help."""


class Consumer(Protocol):
    """One member of a consumer group. Its methods are called from one task at a time."""

    async def fetch(self, *, limit: int, timeout: float) -> Sequence[Taken]:
        """Up to ``limit`` records, waiting up to ``timeout`` seconds for the first; empty when there is none.

        Raises :class:`LogUnavailable` where the log's file cannot be read. A broker that is away is waited for.
        """
        ...

    async def commit(self) -> None:
        """Commit everything that :meth:`fetch` has returned so far. Idempotent.

        What was revoked meanwhile is passed over in silence: its next owner gets it again. Raises
        :class:`LogUnavailable`; then it may be called again.
        """
        ...

    async def lag(self) -> int:
        """How many records of this member's partitions are not committed yet. Raises :class:`LogUnavailable`."""
        ...

    async def close(self) -> None:
        """Leave the group without committing."""
        ...


class EventLog(Protocol):
    """The log of one process. ``start`` before use, ``close`` at the end."""

    async def start(self) -> None:
        """Open files or connections and make what is missing (files, topics).

        A log that cannot be reached now is no error: appends raise :class:`LogUnavailable` until it can.
        """
        ...

    async def close(self) -> None:
        """Finish the appends under way and let go, of the consumers too."""
        ...

    async def append(self, records: Sequence[Record]) -> None:
        """Make all of the records durable, in order. Raises :class:`LogUnavailable`; then some may still be durable."""
        ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """A new member of ``group`` on ``topics``; it joins at its first fetch."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether an append would be made durable now, as far as is known, and the reason if not."""
        ...
