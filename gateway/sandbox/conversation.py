"""What was said in the sandbox, by channel and citizen, and a bell for whoever watches."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Literal

import msgspec

KEPT = 500


class Line(msgspec.Struct, frozen=True):
    """One message: ``who`` is the citizen or the gateway, ``address`` the citizen's."""

    number: int
    at: datetime
    channel: str
    who: Literal["citizen", "gateway"]
    address: str
    text: str


class Conversation:
    """The last lines of all channels, in order."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._count = 0
        self._bell = asyncio.Condition()

    async def add(self, channel: str, who: Literal["citizen", "gateway"], address: str, text: str) -> Line:
        """Keep one line and ring the bell."""
        self._count += 1
        line = Line(self._count, datetime.now(UTC), channel, who, address, text)
        async with self._bell:
            self._lines.append(line)
            self._bell.notify_all()
        return line

    def after(self, number: int) -> list[Line]:
        """The lines kept that came after this one."""
        return [line for line in self._lines if line.number > number]

    async def wait(self, number: int, timeout: float) -> list[Line]:
        """The lines after this one, waiting up to ``timeout`` seconds for the first."""
        async with self._bell:
            try:
                await asyncio.wait_for(self._bell.wait_for(lambda: self._count > number), timeout)
            except TimeoutError:
                return []
        return self.after(number)
