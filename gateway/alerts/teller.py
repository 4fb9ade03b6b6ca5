"""Telling one sink, in its own time: what it could not be told waits in its ledger, and no other sink waits with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from channels.errors import ChannelError, RetryLater
from config.operations import Alerts as AlertSettings
from gateway.alerts import ledger as ledgers
from gateway.alerts.rules import Change, Ledger, end, following, forget_old, over, take, told
from gateway.alerts.sinks import Message, Sink, message_of
from gateway.metrics import Metrics
from gateway.store.cursors import LeaseLost
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 2.0
SEND_SECONDS: Final = 15.0
"""What handing over one message may take; well within the lease."""
LEASE_SECONDS: Final = 45.0
FIRST_REST: Final = 2.0
LONGEST_REST: Final = 300.0
LONGEST_WISH: Final = 3600.0
AWAY_SECONDS: Final = 5.0


class Teller:
    """Tells one of the ``sinks``. ``owner`` names the process in the lease.

    A message is told, then struck from the ledger: a crash between the two, or an answer that got lost, tells it twice.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        settings: AlertSettings,
        store: Store,
        metrics: Metrics,
        owner: str,
        sinks: Sequence[str],
    ) -> None:
        self._sink = sink
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._owner = owner
        self._sinks = sinks
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Tell nothing more; a message that is on its way is waited for."""
        self._stopping.set()

    async def run(self) -> None:
        """Look for what is to be told until :meth:`stop`."""
        while not self._stopping.is_set():
            try:
                rest = await self._round()
            except LeaseLost:
                rest = LOOK_SECONDS
            except (StoreUnavailable, DBAPIError) as error:
                log.warning("alerts.store_away", sink=self._sink.name, reason=type(error).__name__)
                rest = AWAY_SECONDS
            await self._rest(rest)

    async def _round(self) -> float:
        """Take in what is new and tell what waits; returns how long to rest, in seconds."""
        ledger, now = await ledgers.load(self._store, self._sink.name), time.time()
        rest = ledger.rest_until - now
        if 0 < rest <= LONGEST_WISH:
            return min(rest, LOOK_SECONDS)
        new = await ledgers.changes_after(self._store, ledger.upto)
        if not (new or ledger.queue or await self._moved(ledger, now)):
            return LOOK_SECONDS
        if new and await self._rest(self._settings.gather):
            return 0.0
        if await self._ours():
            await self._tell_all(await self._taken_in())
            await ledgers.settle(self._store, self._sinks)
        return LOOK_SECONDS

    async def _tell_all(self, ledger: Ledger) -> None:
        """Tell message by message until none waits, the sink does not take one, or the stop."""
        while (notices := following(ledger)) and not self._stopping.is_set() and await self._ours():
            wait = await self._tell(message_of(notices), ledger.failures)
            if wait:
                ledger.failures += 1
                ledger.rest_until = time.time() + wait
            else:
                ledger.failures, ledger.rest_until = 0, 0.0
                told(ledger, notices)
            await ledgers.save(self._store, self._sink.name, ledger, owner=self._owner)
            if wait:
                return

    async def _moved(self, ledger: Ledger, now: float) -> bool:
        """Whether time, or what the watch passes over in silence, has moved something in the ledger."""
        if any(change.at + self._settings.degraded_after <= now for change in ledger.held.values()):
            return True
        return bool((ledger.open or ledger.held) and over(ledger, await ledgers.standing(self._store)))

    async def _taken_in(self) -> Ledger:
        """The ledger with every change taken in, and kept so."""
        ledger = await ledgers.load(self._store, self._sink.name)
        changes: list[Change] = []
        while new := await ledgers.changes_after(self._store, changes[-1].id if changes else ledger.upto):
            changes += new
        standing, now = await ledgers.standing(self._store), time.time()
        take(ledger, changes, now=now, patience=self._settings.degraded_after, standing=standing)
        end(ledger, over(ledger, standing), now=now, standing=standing)
        for notice in forget_old(ledger, now=now, standing=standing):
            log.warning("alerts.too_late", sink=self._sink.name, channel=notice.channel, state=notice.state)
        await ledgers.save(self._store, self._sink.name, ledger, owner=self._owner)
        return ledger

    async def _tell(self, message: Message, failures: int) -> float:
        """Tell a message; returns 0, or how long to rest where the sink did not take it, after so many failures."""
        name = self._sink.name
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._sink.tell(message)
        except (ChannelError, TimeoutError) as error:
            self._metrics.alerts.labels(name, "failed").inc()
            wait = min(FIRST_REST * 2.0 ** min(failures, 20), LONGEST_REST)
            if isinstance(error, RetryLater) and error.retry_after is not None:
                wait = max(wait, min(error.retry_after, LONGEST_WISH))
            reason = f"{error.reason}: {error}" if isinstance(error, ChannelError) else "no answer in time"
            log.warning("alerts.not_told", sink=name, reason=reason, retry_in=round(wait, 1))
            return wait
        self._metrics.alerts.labels(name, "told").inc()
        log.info("alerts.told", sink=name, notices=len(message.notices) + message.left_out)
        return 0.0

    async def _ours(self) -> bool:
        """Take or renew the lease: one process tells, whatever the sink."""
        return await acquire(self._store, ledgers.LEASE, self._owner, LEASE_SECONDS)

    async def _rest(self, seconds: float) -> bool:
        """Rest, at most until the stop; true where it has come."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()
