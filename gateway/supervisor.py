"""Keeping the parts of a process at work: once the store is ready, and again whenever one fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway.health.pauses import Pauses
from gateway.intake.ports import Registration
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.migrate import migrate

log = structlog.get_logger(__name__)

FIRST_REST, LONGEST_REST = 0.5, 15.0


class Part(Protocol):
    """One supervised part of the program."""

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...


class Supervisor:
    """Watches over the parts of one process until ``stopping`` is set."""

    def __init__(self, store: Store, pauses: Pauses, stopping: asyncio.Event) -> None:
        self._store = store
        self._pauses = pauses
        self._stopping = stopping
        self._parts: Sequence[Part] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self.store_state = "not asked yet"
        """"ok", or why the store was not ready when it was last brought up to date."""

    def start(self, parts: Sequence[tuple[str, Part]]) -> None:
        """Have all of them work; what needs the store waits until its schema is as it should be."""
        self._parts = [part for _, part in parts]
        migrated = asyncio.create_task(self._migrate(), name="migrate")
        self._tasks = [
            migrated,
            *(asyncio.create_task(self._supervise(name, part, migrated), name=name) for name, part in parts),
        ]

    async def finish(self) -> None:
        """Tell every part to stop, and wait until all have finished what they took."""
        for part in self._parts:
            part.stop()
        # A migration under way is not cut off: on SQLite its thread would be waited for in vain.
        await asyncio.gather(*self._tasks)

    async def end(self) -> None:
        """Cut off whatever is still at work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _migrate(self) -> None:
        """Bring the store's schema up to date, however long the store is away; at a stop no new attempt is made."""
        rest = FIRST_REST
        while not self._stopping.is_set():
            try:
                await migrate(self._store)
                # Before any part works: what an operator has paused stays paused over a restart.
                await self._pauses.load(self._store)
            except StoreUnavailable as error:
                self.store_state = f"away: {error}"
                log.warning("store.away", reason=str(error), retry_in=rest)
                await self._pause(rest)
                rest = min(rest * 2, LONGEST_REST)
            else:
                self.store_state = "ok"
                return

    async def _supervise(self, name: str, part: Part, migrated: asyncio.Task[None]) -> None:
        """Run a part, and again when it fails, until the stop. A registration needs no store and waits for none."""
        if not isinstance(part, Registration):
            await asyncio.wait([migrated])
        rest = FIRST_REST
        while not self._stopping.is_set():
            try:
                await part.run()
            except Exception:
                log.exception("gateway.part_failed", part=name, retry_in=rest)
                await self._pause(rest)
                rest = min(rest * 2, LONGEST_REST)
            else:
                return

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
