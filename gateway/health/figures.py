"""What the store has on channels and processes: one small statement a question, for the overview and the watch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Integer, Text, cast, func, literal, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.health.latency import summed
from gateway.store.engine import Store
from gateway.store.operations import health, health_changes, pauses, traffic
from gateway.store.operations import instances as processes
from gateway.store.sql import clock
from gateway.store.tables import dead_letters, outbox

MINUTE, HOUR, DAY = 60, 3600, 86400


class Counted(msgspec.Struct):
    """What all processes counted on one channel in a stretch of time."""

    received: int = 0
    sent: int = 0
    failed: int = 0


class Lately(msgspec.Struct):
    """The last hour of one channel: ``received`` by minute (Unix seconds, whole minutes), ``sent`` in all.

    ``latencies``: :mod:`gateway.health.latency`, empty where no reply went out.
    """

    received: dict[int, int] = {}
    sent: int = 0
    latencies: list[int] = []


_MINUTES = msgspec.json.Decoder(list[tuple[int, int, int, str]])


async def last_hour(connection: AsyncConnection, store: Store, at: float) -> dict[str, Lately]:
    """By channel, the 60 minutes of which the one of ``at`` is the last."""
    # One row a channel, its minutes as JSON: some thousand rows cost the driver more than the database.
    line, group = (func.json_array, func.json_group_array) if store.sqlite else (func.json_build_array, func.json_agg)
    rows = cast(group(line(traffic.c.minute, traffic.c.received, traffic.c.sent, traffic.c.latencies)), Text)
    begin = int(at // MINUTE - 59) * MINUTE
    wanted = traffic.c.minute.between(begin, begin + 59 * MINUTE)
    query = select(traffic.c.channel, rows).where(wanted).group_by(traffic.c.channel)
    return {channel: _lately(_MINUTES.decode(minutes)) for channel, minutes in await connection.execute(query)}


def _lately(rows: Sequence[tuple[int, int, int, str]]) -> Lately:
    found = Lately()
    for minute, received, sent, _ in rows:
        found.received[minute] = found.received.get(minute, 0) + received
        found.sent += sent
    found.latencies = summed([took for _, _, _, took in rows])
    return found


async def hours(connection: AsyncConnection, since: float, until: float | None = None) -> dict[str, dict[int, Counted]]:
    """By channel and hour (Unix seconds, whole hours), from ``since`` to before ``until``."""
    hour = (traffic.c.minute - traffic.c.minute % literal_column(str(HOUR), Integer)).label("hour")
    query = (
        select(
            traffic.c.channel,
            hour,
            func.sum(traffic.c.received).label("received"),
            func.sum(traffic.c.sent).label("sent"),
            func.sum(traffic.c.failed).label("failed"),
        )
        .where(traffic.c.minute > int(since) - 60)
        .group_by(traffic.c.channel, hour)
    )
    if until is not None:
        query = query.where(traffic.c.minute < math.ceil(until))
    found: dict[str, dict[int, Counted]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.channel, {})[int(row.hour)] = Counted(int(row.received), int(row.sent), int(row.failed))
    return found


class Day:
    """The hours of the last day, for one who asks every few seconds: only the last two are read each time.

    Counts of an hour that is over hardly change (a process writes late when the store was away), so the whole day is
    read again after ``WHOLE_EVERY`` seconds.
    """

    WHOLE_EVERY = 300.0

    def __init__(self) -> None:
        self._read_at = -math.inf
        self._kept: dict[str, dict[int, Counted]] = {}

    async def read(self, connection: AsyncConnection, at: float) -> dict[str, dict[int, Counted]]:
        """As :func:`hours` gives them, of the 24 hours before ``at``."""
        if not 0 <= at - self._read_at < self.WHOLE_EVERY:
            self._kept = await hours(connection, at - DAY)
            self._read_at = at
            return self._kept
        for channel, counted in (await hours(connection, (at // HOUR - 1) * HOUR)).items():
            self._kept.setdefault(channel, {}).update(counted)
        return self._kept


async def received(connection: AsyncConnection, since: float) -> dict[str, dict[int, int]]:
    """What was received, by channel and minute, from ``since`` on; minutes without a message are left out."""
    query = (
        select(traffic.c.channel, traffic.c.minute, func.sum(traffic.c.received).label("received"))
        .where(traffic.c.minute > int(since) - 60, traffic.c.received > 0)
        .group_by(traffic.c.channel, traffic.c.minute)
    )
    found: dict[str, dict[int, int]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.channel, {})[row.minute] = int(row.received)
    return found


async def last_minutes(
    connection: AsyncConnection, store: Store, channels: Sequence[str]
) -> dict[str, tuple[float | None, float | None]]:
    """The minute in which each channel last received, and last sent, something."""
    # A row for each channel, so that each answer is one look at the end of the primary key.
    name: ColumnElement[Any]
    if store.sqlite:
        name = func.json_each(json.dumps(list(channels))).table_valued("value").c.value
    else:
        name = func.unnest(literal(list(channels), ARRAY(Text))).column_valued("name")

    def last(counted: ColumnElement[int]) -> ColumnElement[int]:
        return (
            select(traffic.c.minute)
            .where(traffic.c.channel == name, counted > 0)
            .order_by(traffic.c.minute.desc())
            .limit(1)
            .scalar_subquery()
        )

    query = select(name.label("channel"), last(traffic.c.received), last(traffic.c.sent))
    return {channel: (received, sent) for channel, received, sent in await connection.execute(query)}


async def waiting(connection: AsyncConnection) -> dict[str, int]:
    """How many replies wait for, or are in, delivery, by channel."""
    query = (
        select(outbox.c.channel, func.count().label("waiting"))
        .where(outbox.c.state == "waiting")
        .group_by(outbox.c.channel)
    )
    return {row.channel: row.waiting for row in await connection.execute(query)}


async def dead(connection: AsyncConnection) -> dict[str, int]:
    """How many dead letters wait for an operator, by channel."""
    query = (
        select(dead_letters.c.channel, func.count().label("dead"))
        .where(dead_letters.c.replayed_at.is_(None), dead_letters.c.discarded_at.is_(None))
        .group_by(dead_letters.c.channel)
    )
    return {row.channel: row.dead for row in await connection.execute(query)}


async def stands(connection: AsyncConnection) -> dict[tuple[str, str], Any]:
    """Every row of ``health``, by channel and part."""
    return {(row.channel, row.part): row for row in await connection.execute(select(health))}


async def paused(connection: AsyncConnection) -> list[tuple[str, str]]:
    """Channel and direction of every pause."""
    found = await connection.execute(
        select(pauses.c.channel, pauses.c.direction).order_by(pauses.c.channel, pauses.c.direction)
    )
    return [(row.channel, row.direction) for row in found]


async def pause_reasons(connection: AsyncConnection) -> dict[tuple[str, str], str]:
    """Who paused what, and why."""
    found = await connection.execute(select(pauses))
    return {(row.channel, row.direction): f"by {row.by}" + (f": {row.reason}" if row.reason else "") for row in found}


async def changes(connection: AsyncConnection, limit: int) -> Sequence[Any]:
    """The latest changes of state, the newest first."""
    return (await connection.execute(select(health_changes).order_by(health_changes.c.id.desc()).limit(limit))).all()


async def instances(connection: AsyncConnection) -> Sequence[Any]:
    """Every process, the newest first, with ``age``, the seconds since its heartbeat, and ``clock``, the store's."""
    query = select(processes, (clock() - processes.c.beat_at).label("age"), clock().label("clock"))
    return (await connection.execute(query.order_by(processes.c.started_at.desc(), processes.c.name))).all()
