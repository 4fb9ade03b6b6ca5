"""The deliver role: a sender for each channel, and the count of what waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import DBAPIError

from channels.base import Channel
from config.settings import Settings
from gateway.delivery.queue import DUE_CHANNELS, oldest, pending
from gateway.delivery.sender import Sender
from gateway.health.journal import Journal
from gateway.health.others import Others
from gateway.health.pauses import Pauses
from gateway.metrics import Metrics
from gateway.store.bell import Bell
from gateway.store.engine import Store, StoreUnavailable

log = structlog.get_logger(__name__)

COUNT_SECONDS = 5.0
LOOK_SECONDS = 0.5
"""How soon a reply is found that nobody has rung for: on SQLite, after a retry's wait, when a bell has failed."""
UNWOKEN_SECONDS = 5.0
"""A sender's rest: it is woken when one look at the outbox, for all senders, finds that a reply of its own is due."""


class Deliverer:
    """All senders of one process. ``owner`` names the process in leases and must be its own."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        owner: str,
        source: str,
        pauses: Pauses | None = None,
        journal: Journal | None = None,
        others: Others | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self.senders = {
            name: Sender(
                channel,
                settings=settings,
                store=store,
                metrics=metrics,
                owner=owner,
                source=source,
                pauses=pauses,
                journal=journal,
                others=others,
                idle=UNWOKEN_SECONDS,
            )
            for name, channel in channels.items()
        }
        self._bell = Bell(store, self._rung)

    def wake(self) -> None:
        """New replies are in the outbox."""
        for sender in self.senders.values():
            sender.wake()

    def stop(self) -> None:
        """Lease nothing more, finish what is in flight."""
        self._stopping.set()
        for sender in self.senders.values():
            sender.stop()

    async def run(self) -> None:
        """Deliver until :meth:`stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count(), name="count the outbox")
            group.create_task(self._look(), name="look for due replies")
            for name, sender in self.senders.items():
                group.create_task(sender.run(), name=f"send {name}")

    def _rung(self, channel: str) -> None:
        """Replies of this channel, which may be one that this process does not send for, were written somewhere."""
        if sender := self.senders.get(channel):
            sender.wake()

    async def _look(self) -> None:
        try:
            await self._keep_looking()
        finally:
            await self._bell.take_down()

    async def _keep_looking(self) -> None:
        while not self._stopping.is_set():
            # Where nothing can listen, as behind some poolers, looking has to do.
            with contextlib.suppress(StoreUnavailable, DBAPIError):
                await self._bell.hang()
            try:
                async with self._store.read() as connection:
                    due = (await connection.execute(DUE_CHANNELS, {"channels": list(self.senders)})).scalars().all()
            except (StoreUnavailable, DBAPIError) as error:
                log.debug("delivery.look_failed", reason=type(error).__name__)
            else:
                for name in due:
                    self.senders[name].wake()
            try:
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def _count(self) -> None:
        while not self._stopping.is_set():
            try:
                waiting, since = await pending(self._store), await oldest(self._store)
            except (StoreUnavailable, DBAPIError) as error:
                log.debug("delivery.count_failed", reason=type(error).__name__)
            else:
                now = time.time()
                for name, sender in self.senders.items():
                    sender.waiting = waiting.get(name, 0)
                    self._metrics.outbox_pending.labels(name).set(waiting.get(name, 0))
                    self._metrics.outbox_oldest.labels(name).set(max(0.0, now - since.get(name, now)))
            try:
                await asyncio.wait_for(self._stopping.wait(), COUNT_SECONDS)
            except TimeoutError:
                continue
