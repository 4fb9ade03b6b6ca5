"""The dead man's switch: a call a minute to a service elsewhere, which raises the alarm when the calls stop.

What is down cannot tell that it is down. So the call is made only while the whole gateway works: the store answers,
every role has a process whose heart beats, and the watch, which would tell of any trouble, is at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from channels.errors import ChannelError
from channels.http import HttpClient, classify
from gateway.health.watch import LEASE as WATCH
from gateway.metrics import Metrics
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire, release
from gateway.store.operations import instances
from gateway.store.sql import clock
from gateway.store.tables import leases

log = structlog.get_logger(__name__)

EVERY: Final = 60.0
"""Seconds between two calls. A caller that dies leaves out two at most: an alarm after three minutes is right."""
FIRST: Final = 10.0
"""Seconds until the first look: a gateway that starts is not whole yet."""
MARGIN: Final = 5.0
LEASE: Final = "heartbeat"
ROLES: Final = ("intake", "dispatch", "deliver")


class DeadMan:
    """Looks every ``every`` seconds whether the gateway is whole, and calls ``url`` (``""``: nobody) if it is.

    Every process looks, for its metric; one of them calls. ``owner`` names the process in the lease. ``fresh`` is how
    many seconds after its last beat a process still counts.
    """

    def __init__(
        self,
        url: str,
        *,
        http: HttpClient,
        store: Store,
        metrics: Metrics,
        owner: str,
        fresh: float,
        every: float = EVERY,
        first: float = FIRST,
    ) -> None:
        self._url = url
        self._http = http
        self._store = store
        self._metrics = metrics
        self._owner = owner
        self._fresh = fresh
        self._every = every
        self._first = first
        self._stopping = asyncio.Event()
        self._lacking = ""

    def stop(self) -> None:
        """Call no more; the service elsewhere will raise its alarm unless the calls go on from another process."""
        self._stopping.set()

    async def run(self) -> None:
        """Look and call until :meth:`stop`."""
        rest = self._first
        try:
            while not await self._rest(rest):
                rest = self._every
                await self._look()
        finally:
            with contextlib.suppress(StoreUnavailable, DBAPIError):
                await release(self._store, LEASE, self._owner)

    async def _look(self) -> None:
        try:
            lacking = await lacks(self._store, self._fresh)
            call = not lacking and self._url and await acquire(self._store, LEASE, self._owner, self._every + MARGIN)
        except (StoreUnavailable, DBAPIError) as error:
            lacking, call = f"the store is away ({type(error).__name__})", False
        if lacking != self._lacking:
            log.warning("gateway.not_whole", reason=lacking) if lacking else log.info("gateway.whole")
            self._lacking = lacking
        if not lacking:
            self._metrics.whole_at.set(time.time())
        if call:
            await self._call()

    async def _call(self) -> None:
        try:
            classify(await self._http.request("GET", self._url))
        except ChannelError as error:
            # The address holds a key as a rule: it is not told.
            log.warning("heartbeat.not_heard", reason=f"{error.reason}: {error}")

    async def _rest(self, seconds: float) -> bool:
        """Rest, at most until the stop; true where it has come."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()


async def lacks(store: Store, fresh: float) -> str:
    """What the gateway lacks to work as a whole, ``""`` for nothing. A heartbeat counts for ``fresh`` seconds.

    Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    beating = (
        select(instances.c.role).where(instances.c.left_at.is_(None), instances.c.beat_at > clock() - fresh).distinct()
    )
    watched = select(leases.c.name).where(leases.c.name == WATCH, leases.c.until > clock())
    async with store.read() as connection:
        roles = set((await connection.execute(beating)).scalars())
        watching = (await connection.execute(watched)).first() is not None
    return missing(roles) or ("" if watching else "the watch is not at work")


def missing(running: Collection[str]) -> str:
    """Which roles no process has, by the roles of those that run, in words; ``""`` where none is missing."""
    absent = [role for role in ROLES if not {"all", role} & set(running)]
    return f"no process has the role {' or '.join(absent)}" if absent else ""
