"""One reading of the overview for everybody who looks at about the same time, so that ten viewers cost as one.

Nothing is read while nobody asks, and nothing is kept beyond :data:`FRESH`: there is no copy to go wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway.health.overview import Overview

FRESH = 1.0
"""Seconds from the beginning of a reading for which it is handed out."""


class Shared:
    """The reading of one process. ``read`` reads anew; ``clock`` is in seconds and never goes back."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Overview]],
        *,
        fresh: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._fresh = fresh
        self._clock = clock
        self._began = 0.0
        self._reading: asyncio.Task[Overview] | None = None

    async def get(self) -> Overview:
        """The reading that is fresh or under way, else a new one.

        Raises :class:`~gateway.store.engine.StoreUnavailable`; what failed is handed to those who wait for it, and to
        nobody after.
        """
        reading = self._reading
        if reading is None or (reading.done() and not self._holds(reading)):
            self._began = self._clock()
            reading = self._reading = asyncio.create_task(self._do(), name="console overview")
        # Whoever leaves must not end it for the others.
        return await asyncio.shield(reading)

    async def close(self) -> None:
        """End a reading that nobody waits for any more, so that its connection goes back before the store closes."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _holds(self, reading: asyncio.Task[Overview]) -> bool:
        if reading.cancelled() or reading.exception() is not None:
            return False
        return self._clock() - self._began < self._fresh

    async def _do(self) -> Overview:
        return await self._read()
