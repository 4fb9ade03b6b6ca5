"""An event log that can be taken away, to see what the gateway does then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.eventlog.base import Consumer, EventLog, LogUnavailable, Record

REASON = "the sandbox has taken the event log away"


class SwitchedLog:
    """The process's log behind a switch. While it is away nothing can be appended; consumers read on."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.away = False

    def __getattr__(self, name: str) -> Any:
        """What only some logs have, such as the spool's depth."""
        return getattr(self._log, name)

    async def start(self) -> None:
        """Start the log."""
        await self._log.start()

    async def close(self) -> None:
        """Close the log."""
        await self._log.close()

    async def append(self, records: Sequence[Record]) -> None:
        """Append. Raises :class:`~gateway.eventlog.base.LogUnavailable`, always while the log is away."""
        if self.away:
            raise LogUnavailable(REASON)
        await self._log.append(records)

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """A consumer of the log."""
        return self._log.consumer(group, topics)

    def ready(self) -> tuple[bool, str]:
        """Whether an append would be made durable now."""
        return (False, REASON) if self.away else self._log.ready()
