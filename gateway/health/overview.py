"""The read model of the console's first page and of ``gateway status``: how everything stands now.

It reads small and indexed tables only, in a number of statements that depends neither on how many channels there are
nor on how many cases.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from channels.base import Quota
from config.settings import Settings
from gateway.channelset import ChannelConfig
from gateway.health import figures
from gateway.health.instances import InstanceState, state_of
from gateway.health.judging import CHANNEL_PARTS, ROLES, Found, reason_of_nobody
from gateway.health.latency import percentile
from gateway.health.told import Told, decode
from gateway.store.engine import Store

HOUR = 3600
LATEST_CHANGES = 20


class PartView(msgspec.Struct, frozen=True):
    """How one part of a channel stands, why, and since when (Unix seconds; ``None``: not known)."""

    state: str
    reason: str = ""
    since: float | None = None


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One channel.

    ``parts`` has receiving, sending and credentials; ``paused`` the directions ("in", "out") that an operator stopped.
    ``last_in`` and ``last_out`` are Unix seconds. ``hour`` is what was received in each of the last 60 minutes,
    ``day`` in each of the last 24 hours, the oldest first; the last of each is not over yet. ``p50`` and ``p95`` are
    seconds from a citizen's message to the reply, over the last hour.
    """

    name: str
    type: str
    title: str
    state: str
    reason: str
    since: float | None
    parts: dict[str, PartView]
    paused: tuple[str, ...] = ()
    last_in: float | None = None
    last_out: float | None = None
    hour: list[int]
    day: list[int]
    received_hour: int = 0
    received_day: int = 0
    sent_hour: int = 0
    sent_day: int = 0
    p50: float | None = None
    p95: float | None = None
    waiting: int = 0
    dead: int = 0
    breaker: str = ""
    quotas: tuple[Quota, ...] = ()


class InstanceView(msgspec.Struct, frozen=True):
    """One process: ``missing`` has not been heard of for too long, ``left`` ended as it was asked to."""

    name: str
    role: str
    host: str
    pid: int
    version: str
    started_at: float
    beat_at: float
    state: InstanceState


class Change(msgspec.Struct, frozen=True):
    """A change of state; part "" is the channel itself, channel "" the gateway, of which a part is a role."""

    at: float
    channel: str
    part: str
    was: str
    state: str
    reason: str


class Overview(msgspec.Struct, frozen=True):
    """How everything stood at ``at`` (Unix seconds).

    ``roles`` has how each role of which a process is known stands. ``log_lag`` and ``spool_depth`` are
    records, over all processes that run; ``spool_age`` is how long the oldest has waited, in seconds. ``outbox`` is the
    number of replies waiting for, or in, delivery. ``running`` tells that at least one process runs.
    """

    at: float
    channels: list[ChannelView]
    instances: list[InstanceView]
    log_lag: int
    spool_depth: int
    spool_age: float | None
    outbox: int
    changes: list[Change]
    roles: dict[str, PartView] = {}
    running: bool = True

    @property
    def well(self) -> bool:
        """Whether the gateway runs and nothing is down or silent."""
        if not self.running:
            return False
        states = [*(view.state for view in self.channels), *(role.state for role in self.roles.values())]
        return not {"down", "silent"} & {*states}


async def overview(
    store: Store,
    settings: Settings,
    channels: Mapping[str, ChannelConfig],
    now: float | None = None,
    *,
    day: figures.Day | None = None,
) -> Overview:
    """Read how everything stands. Raises :class:`~gateway.store.engine.StoreUnavailable`.

    Who asks again and again hands in the same ``day`` each time.
    """
    at = time.time() if now is None else now
    async with store.read() as connection:
        lately = await figures.last_hour(connection, store, at)
        hours = await (day or figures.Day()).read(connection, at)
        last = await figures.last_minutes(connection, store, list(channels))
        waiting = await figures.waiting(connection)
        dead = await figures.dead(connection)
        stands = await figures.stands(connection)
        paused = await figures.paused(connection)
        changes = await figures.changes(connection, LATEST_CHANGES)
        rows = await figures.instances(connection)
    instances = [_instance(row, settings.health.missing_after) for row in rows]
    told = {row.name: decode(row.told) for row, view in zip(rows, instances, strict=True) if view.state == "running"}
    nobody = reason_of_nobody(instances, settings.zone)
    views = [
        _channel(
            config,
            at,
            stands=stands if nobody is None else {},
            nobody=nobody,
            paused=tuple(direction for channel, direction in paused if channel == name),
            lately=lately.get(name, figures.Lately()),
            hours=hours.get(name, {}),
            last=last.get(name, (None, None)),
            told=list(told.values()),
            waiting=waiting.get(name, 0),
            dead=dead.get(name, 0),
        )
        for name, config in channels.items()
    ]
    ages = [one.spool_age for one in told.values() if one.spool_age is not None]
    return Overview(
        at=at,
        channels=views,
        instances=instances,
        log_lag=sum(one.log_lag or 0 for one in told.values()),
        spool_depth=sum(one.spool_depth for one in told.values()),
        spool_age=max(ages, default=None),
        outbox=sum(waiting.values()),
        changes=[Change(row.at, row.channel, row.part, row.was, row.state, row.reason) for row in changes],
        roles={
            part: PartView(row.state, row.reason, row.since)
            for (channel, part), row in stands.items()
            if channel == "" and part in ROLES and nobody is None
        },
        running=bool(told),
    )


def _instance(row: Any, missing_after: float) -> InstanceView:
    state = state_of(row.age, row.left_at, missing_after)
    return InstanceView(row.name, row.role, row.host, row.pid, row.version, row.started_at, row.beat_at, state)


def _channel(
    config: ChannelConfig,
    at: float,
    *,
    stands: Mapping[tuple[str, str], Any],
    nobody: Found | None,
    paused: tuple[str, ...],
    lately: figures.Lately,
    hours: Mapping[int, figures.Counted],
    last: tuple[float | None, float | None],
    told: Sequence[Told],
    waiting: int,
    dead: int,
) -> ChannelView:
    name = config.name
    stand = _part(stands.get((name, ""))) if nobody is None else PartView(nobody.state, nobody.reason)
    known = [one.channels[name] for one in told if name in one.channels]
    this_minute, this_hour = int(at // 60) * 60, int(at // HOUR) * HOUR
    nothing = figures.Counted()
    hour = [lately.received.get(minute, 0) for minute in range(this_minute - 59 * 60, this_minute + 60, 60)]
    day = [hours.get(start, nothing) for start in range(this_hour - 23 * HOUR, this_hour + HOUR, HOUR)]
    latencies = [lately.latencies] if lately.latencies else []
    return ChannelView(
        name=name,
        type=config.spec.type,
        title=config.spec.title,
        state=stand.state,
        reason=stand.reason,
        since=stand.since,
        parts={part: _part(stands.get((name, part))) for part in CHANNEL_PARTS},
        paused=paused,
        last_in=max([t for t in (last[0], *(one.last_in for one in known)) if t], default=None),
        last_out=max([t for t in (last[1], *(one.last_out for one in known)) if t], default=None),
        hour=hour,
        day=[counted.received for counted in day],
        received_hour=sum(hour),
        received_day=sum(counted.received for counted in day),
        sent_hour=lately.sent,
        sent_day=sum(counted.sent for counted in day),
        p50=percentile(latencies, 0.50),
        p95=percentile(latencies, 0.95),
        waiting=waiting,
        dead=dead,
        breaker=next((one.breaker for one in known if one.breaker not in ("", "closed")), "")
        or next((one.breaker for one in known if one.breaker), ""),
        quotas=_tightest(quota for one in known for quota in one.quotas),
    )


def _part(row: Any) -> PartView:
    return PartView("unknown") if row is None else PartView(row.state, row.reason, row.since)


def _tightest(quotas: Any) -> tuple[Quota, ...]:
    """Of what several processes heard of one endpoint, the least that is left."""
    found: dict[str, Quota] = {}
    for quota in quotas:
        if quota.endpoint not in found or quota.left < found[quota.endpoint].left:
            found[quota.endpoint] = quota
    return tuple(found.values())
