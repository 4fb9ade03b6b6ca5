"""An event log in memory: order and commits as the real ones promise them, and nothing on a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.eventlog.base import Record, Taken
from normalizer.event import ComplaintEvent, encode


class MemoryLog:
    """The log of one dispatcher, which is also its own consumer."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._records: list[Record] = []
        self._read = 0
        self._committed = 0
        self._ended = False
        self._changed = asyncio.Condition()

    def end(self) -> None:
        """The dispatcher is gone: nobody is to wait for it any more."""
        self._ended = True

    async def put(self, events: Sequence[ComplaintEvent]) -> int:
        """Append events; returns the offset that is committed once they are settled."""
        await self.append([Record(self._topic, event.sender.key.encode(), encode(event)) for event in events])
        return len(self._records)

    async def settled(self, offset: int) -> None:
        """Wait until all before this offset is committed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._committed >= offset or self._ended)
        assert self._committed >= offset, "the dispatcher ended before it was through"

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def append(self, records: Sequence[Record]) -> None:
        async with self._changed:
            self._records += records
            self._changed.notify_all()

    def consumer(self, group: str, topics: Sequence[str]) -> MemoryLog:
        del group, topics
        return self

    def ready(self) -> tuple[bool, str]:
        return True, ""

    async def fetch(self, *, limit: int, timeout: float) -> Sequence[Taken]:
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self._read < len(self._records))
        except TimeoutError:
            return ()
        first = self._read
        self._read = min(first + limit, len(self._records))
        return [Taken(self._records[at], 0, at, 0.0) for at in range(first, self._read)]

    async def commit(self) -> None:
        async with self._changed:
            self._committed = self._read
            self._changed.notify_all()

    async def lag(self) -> int:
        return len(self._records) - self._committed
