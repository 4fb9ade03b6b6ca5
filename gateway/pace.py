"""Rounds of work that are not too near to one another, so that what comes in between is taken together.

A transaction costs about the same whether it holds one message or thirty. Without a pace, a light load makes as many
small transactions as the processor can, and a heavier one finds it busy.
"""

from __future__ import annotations

import asyncio


class Pace:
    """Lets a round begin ``seconds`` after the one before, at the earliest; after a rest, at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next round."""
        loop = asyncio.get_running_loop()
        if (wait := self._next - loop.time()) > 0:
            await asyncio.sleep(wait)
        self._next = loop.time() + self._seconds
