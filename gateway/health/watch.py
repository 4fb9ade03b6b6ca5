"""The watch: one process at a time judges, from what all of them tell, how each part of each channel stands.

It runs in every role, so that any role that is missing is noticed by those that are left. What it finds stands in
``health``; each change is a row of ``health_changes``, a line in the log and a count.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.settings import Settings
from gateway.health import figures
from gateway.health.instances import InstanceState, state_of
from gateway.health.judging import CHANNEL_PARTS, Damper, Found, does, parts, replaced, roles, whole
from gateway.health.listening import Listening
from gateway.health.told import ChannelTold, Told, decode
from gateway.metrics import Metrics
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire, release
from gateway.store.operations import health, health_changes, instances, traffic
from gateway.store.sql import among

log = structlog.get_logger(__name__)

LEASE = "watch"
LEASE_SECONDS = 15.0
GONE = 86400.0
"""After so long a process that is missing, or left, is forgotten."""
PRUNE_EVERY = 600.0

Key = tuple[str, str]


class Process:
    """One row of ``instances``, read."""

    def __init__(self, row: Any, missing_after: float) -> None:
        self.name: str = row.name
        self.role: str = row.role
        self.started_at: float = row.started_at
        self.beat_at: float = row.beat_at
        self.age: float = row.age
        self.state: InstanceState = state_of(row.age, row.left_at, missing_after)
        self.told: Told = decode(row.told)

    def by_the_store(self, at: float) -> float:
        """A time of the process's own clock (Unix seconds), by the store's."""
        return self.beat_at - (self.told.at - at)


class Watch:
    """The watch of one process. ``channels`` are the names of those that are configured."""

    def __init__(
        self, *, store: Store, settings: Settings, metrics: Metrics, owner: str, channels: Collection[str]
    ) -> None:
        self._store = store
        self._settings = settings
        self._health = settings.health
        self._metrics = metrics
        self._owner = owner
        self._channels = tuple(channels)
        self._stopping = asyncio.Event()
        self._leased_until = 0.0
        self._pruned = 0.0
        self._start_over()

    def _start_over(self) -> None:
        settings = self._health
        self._damper = Damper(settle=settings.settle, forget=settings.missing_after)
        self._listening = Listening(self._settings.zone)

    def stop(self) -> None:
        """Judge nothing more."""
        self._stopping.set()

    async def run(self) -> None:
        """Judge until :meth:`stop`, whenever the lease is ours."""
        rest = min(2.0, self._health.heartbeat * 0.4)
        try:
            while not self._stopping.is_set():
                try:
                    async with asyncio.timeout(LEASE_SECONDS):
                        if await self._ours():
                            await self.look()
                except (StoreUnavailable, DBAPIError, TimeoutError) as error:
                    log.debug("health.watch_waits", reason=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), rest)
        finally:
            with contextlib.suppress(StoreUnavailable, DBAPIError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await release(self._store, LEASE, self._owner)

    async def _ours(self) -> bool:
        """Whether the lease is ours; it is renewed when a third of it is over."""
        now = time.monotonic()
        if now < self._leased_until - LEASE_SECONDS * 2 / 3:
            return True
        held = self._leased_until > now
        if not await acquire(self._store, LEASE, self._owner, LEASE_SECONDS):
            self._leased_until = 0.0
            return False
        if not held:
            # What this process found long ago is of no use now.
            self._start_over()
            log.info("health.watching")
        self._leased_until = now + LEASE_SECONDS
        return True

    async def look(self) -> None:
        """Look once, and write down what has changed. Raises :class:`StoreUnavailable`."""
        async with self._store.read() as connection:
            rows = await figures.instances(connection)
            stands = await figures.stands(connection)
            paused = await figures.pause_reasons(connection)
            now = rows[0].clock if rows else time.time()
            await self._listening.read(connection, now)
        processes = [Process(row, self._health.missing_after) for row in rows]
        found = self._judge(processes, stands, paused, now)
        async with contextlib.AsyncExitStack() as stack:
            changed, reasons = self._changes(found, stands, now)
            gone = [key for key in stands if key[0] and key[0] not in self._known(processes)]
            if changed or reasons or gone:
                connection = await stack.enter_async_context(self._store.write())
                await self._write(connection, changed, reasons, gone)
        for was, (key, one, _) in changed:
            self._tell(key, was, one)
        if now - self._pruned >= PRUNE_EVERY or replaced(processes):
            await self._prune(processes, now)

    def _known(self, processes: Sequence[Process]) -> set[str]:
        """The channels of any process that runs, and ours."""
        told = {name for process in processes if process.state == "running" for name in process.told.channels}
        return told | set(self._channels)

    def _judge(
        self, processes: Sequence[Process], stands: Mapping[Key, Any], paused: Mapping[Key, str], now: float
    ) -> dict[Key, Found]:
        """How every part stands, as far as can be seen now."""
        of_roles = roles(processes, self._settings.zone)
        found: dict[Key, Found] = {("", role): one for role, one in of_roles.items()}
        running = [process for process in processes if process.state == "running"]
        for channel in self._channels:
            told = [process.told.channels.get(channel, ChannelTold()) for process in running]
            reasons = {direction: reason for (name, direction), reason in paused.items() if name == channel}
            of_channel = parts(told, of_roles, reasons)
            silence = self._silence(channel, of_channel["receiving"], stands.get((channel, "receiving")), running, now)
            if silence is not None:
                of_channel["receiving"] = silence
            found |= {(channel, part): one for part, one in of_channel.items()}
        return found

    def _silence(
        self, channel: str, receiving: Found, stood: Any, running: Sequence[Process], now: float
    ) -> Found | None:
        intakes = [process for process in running if does(process.role, "intake")]
        last = [
            process.by_the_store(told.last_in)
            for process in intakes
            if (told := process.told.channels.get(channel)) is not None and told.last_in
        ]
        return self._listening.hear(
            channel,
            able=receiving.state in ("healthy", "degraded"),
            stood=stood,
            last_in=max(last, default=None),
            # Until its last heartbeat, each has heard nothing further.
            until=min((process.beat_at for process in intakes), default=now),
        )

    def _changes(
        self, found: Mapping[Key, Found], stands: Mapping[Key, Any], now: float
    ) -> tuple[list[tuple[str, tuple[Key, Found, float]]], list[tuple[Key, Found]]]:
        """What is another state than it was, with what it was and since when; and what has another reason only."""
        changed: list[tuple[str, tuple[Key, Found, float]]] = []
        reasons: list[tuple[Key, Found]] = []
        settled: dict[Key, Found] = {}

        def settle(key: Key, one: Found, since: float | None) -> None:
            row = stands.get(key)
            if since is not None:
                changed.append((row.state if row is not None else "unknown", (key, one, since)))
                settled[key] = one
            elif row is not None:
                same = row.state == one.state
                if same and row.reason != one.reason:
                    reasons.append((key, one))
                settled[key] = one if same else Found(row.state, row.reason)

        for key, one in found.items():
            row = stands.get(key)
            settle(key, one, self._damper.change(key, row.state if row is not None else None, one, now))
        for channel in self._channels:
            one = whole({part: settled.get((channel, part), Found("unknown")) for part in CHANNEL_PARTS})
            key = (channel, "")
            was = stands[key].state if key in stands else "unknown"
            # The channel is as its part is, since that is.
            since = max(
                (at for _, ((c, _p), part, at) in changed if c == channel and part.state == one.state), default=now
            )
            settle(key, one, since if one.state != was else None)
        return changed, reasons

    async def _write(
        self,
        connection: AsyncConnection,
        changed: Sequence[tuple[str, tuple[Key, Found, float]]],
        reasons: Sequence[tuple[Key, Found]],
        gone: Sequence[Key],
    ) -> None:
        insert = self._store.insert(health)
        set_ = {name: insert.excluded[name] for name in ("state", "reason", "since")}
        put = insert.on_conflict_do_update(index_elements=[health.c.channel, health.c.part], set_=set_)
        if changed:
            rows = [
                {"channel": channel, "part": part, "state": one.state, "reason": one.reason, "since": since}
                for _, ((channel, part), one, since) in changed
            ]
            await connection.execute(put, rows)
            # That a channel is there for the first time, and well, is no news.
            news = [
                {"channel": c, "part": p, "at": since, "was": was, "state": one.state, "reason": one.reason}
                for was, ((c, p), one, since) in changed
                if (was, one.state) != ("unknown", "healthy")
            ]
            if news:
                await connection.execute(health_changes.insert(), news)
        for (channel, part), one in reasons:
            place = (health.c.channel == channel, health.c.part == part)
            await connection.execute(health.update().where(*place).values(reason=one.reason))
        for channel, part in gone:
            await connection.execute(delete(health).where(health.c.channel == channel, health.c.part == part))

    def _tell(self, key: Key, was: str, one: Found) -> None:
        channel, part = key
        if (was, one.state) == ("unknown", "healthy"):
            return
        self._metrics.health_changes.labels(channel, part, one.state).inc()
        say = log.warning if one.state in ("degraded", "silent", "down") else log.info
        say("health.changed", channel=channel, part=part, was=was, state=one.state, reason=one.reason)

    async def _prune(self, processes: Sequence[Process], now: float) -> None:
        """Forget counts that are too old, and processes that are long gone or in whose place another one runs."""
        gone = {process.name for process in processes if process.state != "running" and process.age > GONE}
        gone |= {process.name for process in replaced(processes)}
        async with self._store.write() as connection:
            await connection.execute(delete(traffic).where(traffic.c.minute < int(now - self._health.keep_traffic)))
            if gone:
                await connection.execute(delete(instances).where(among(instances.c.name, gone)))
        self._pruned = now
