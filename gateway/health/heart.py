"""The heart: with every beat a process tells the others how it stands, and learns what an operator has paused.

The counts of each minute are read off the process's own metrics, so that counting costs the hot path nothing. While the
store is away nothing stops: what could not be written goes with a later beat.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.operations import Health
from gateway.health import figures
from gateway.health.journal import Interaction, Journal
from gateway.health.others import Others
from gateway.health.pauses import Pauses
from gateway.health.tally import Tally
from gateway.health.told import Told, encode
from gateway.metrics import Metrics
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.operations import instances, interactions, traffic
from gateway.store.sql import clock

log = structlog.get_logger(__name__)

LEAVE_SECONDS = 3.0
"""What the last word of a process may take."""


class View:
    """How the watch sees the channels, as this process last read it; empty once it is too old to be believed."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._states: dict[tuple[str, str], str] = {}
        self._read_at = 0.0

    def learn(self, states: dict[tuple[str, str], str]) -> None:
        """What was read now."""
        self._states = states
        self._read_at = time.monotonic()

    def state(self, channel: str, part: str = "") -> str:
        """The state of a part, or of the channel; ``unknown`` where nobody told."""
        if time.monotonic() - self._read_at > self._longest:
            return "unknown"
        return self._states.get((channel, part), "unknown")


class Heart:
    """The heart of one process. ``owner`` names the process, ``tell`` says how it stands."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Health,
        metrics: Metrics,
        owner: str,
        role: str,
        tell: Callable[[], Told],
        pauses: Pauses,
        journal: Journal,
        others: Others | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._tell = tell
        self._pauses = pauses
        self._journal = journal
        self._others = others or Others()
        self._tally = Tally(metrics)
        self._untold: list[Interaction] = []
        self._stopping = asyncio.Event()
        self._beating = False
        self._row = {
            "name": owner,
            "role": role,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("lapor-gateway"),
            "started_at": time.time(),
        }
        self.view = View(settings.missing_after)
        self.trouble = ""
        """Why the store could not be written at the last beat; ``""`` where it could."""

    def stop(self) -> None:
        """Beat no more; the last word is :meth:`leave`."""
        self._stopping.set()

    async def run(self) -> None:
        """Beat until :meth:`stop`."""
        while not self._stopping.is_set():
            try:
                await self.beat()
            except (StoreUnavailable, DBAPIError, TimeoutError) as error:
                if not self.trouble:
                    log.warning("health.heart_waits", reason=type(error).__name__)
                self.trouble = str(error) if isinstance(error, StoreUnavailable) else type(error).__name__
            else:
                self.trouble = ""
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._settings.heartbeat)

    async def beat(self) -> None:
        """One beat. Raises :class:`StoreUnavailable`; nothing is forgotten then."""
        self._note()
        rows = self._tally.rows(str(self._row["name"]))
        # Two beats must not wait for each other: what takes longer than the rest of the processes wait is given up.
        async with asyncio.timeout(self._settings.missing_after):
            async with self._store.write() as connection:
                await self._write(connection, rows, left_at=None)
            self._written(rows)
            self._beating = True
            async with self._store.read() as connection:
                await self._others.learn(connection, self._settings.missing_after)
                self._pauses.learn(await figures.paused(connection))
                stands = await figures.stands(connection)
        self.view.learn({key: row.state for key, row in stands.items()})
        self._metrics.heartbeat.set_to_current_time()

    async def leave(self) -> None:
        """The last word: this process ends as it was asked to, and is not missing. A store that is away is let be."""
        if not self._beating:
            return
        self._note()
        rows = self._tally.rows(str(self._row["name"]))
        try:
            async with asyncio.timeout(LEAVE_SECONDS), self._store.write() as connection:
                await self._write(connection, rows, left_at=time.time())
        except (StoreUnavailable, DBAPIError, TimeoutError) as error:
            log.warning("health.left_without_a_word", reason=type(error).__name__)

    def _note(self) -> None:
        self._tally.count(time.time())
        bound = 10 * self._settings.interactions
        self._untold = [*self._untold, *self._journal.drain()][-bound:]

    def _written(self, rows: Sequence[dict[str, Any]]) -> None:
        self._tally.written(rows)
        self._untold = []

    async def _write(
        self, connection: AsyncConnection, rows: Sequence[dict[str, Any]], *, left_at: float | None
    ) -> None:
        insert = self._store.insert
        beat = {"beat_at": clock(), "left_at": left_at, "told": encode(self._tell())}
        told = insert(instances).values({**self._row, **beat})
        again = {name: told.excluded[name] for name in beat}
        await connection.execute(told.on_conflict_do_update(index_elements=[instances.c.name], set_=again))
        if rows:
            counted = insert(traffic)
            # The sums of the whole minute, not what was added: written twice they are the same.
            sums = {name: counted.excluded[name] for name in ("received", "sent", "failed", "latencies")}
            key = [traffic.c.channel, traffic.c.minute, traffic.c.instance]
            await connection.execute(counted.on_conflict_do_update(index_elements=key, set_=sums), list(rows))
        if self._untold:
            said = [{name: getattr(one, name) for name in one.__struct_fields__} for one in self._untold]
            await connection.execute(interactions.insert(), said)
            for channel in dict.fromkeys(one.channel for one in self._untold):
                await self._cut(connection, channel)

    async def _cut(self, connection: AsyncConnection, channel: str) -> None:
        """Leave the latest interactions of a channel only."""
        oldest = (
            select(interactions.c.id)
            .where(interactions.c.channel == channel)
            .order_by(interactions.c.id.desc())
            .offset(self._settings.interactions)
            .limit(1)
            .scalar_subquery()
        )
        await connection.execute(
            delete(interactions).where(interactions.c.channel == channel, interactions.c.id <= oldest)
        )
