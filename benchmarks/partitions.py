"""Several dispatchers on one topic of twelve partitions, on a real Kafka and PostgreSQL beside them.

The dispatchers are up and have their partitions before the events come; a first few are not counted. Processor time is
what tells: where all processes share two cores, more dispatchers only share them otherwise.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks import hot
from benchmarks.kafka import broker
from benchmarks.postgres import database
from benchmarks.roles import NAMES, Meter, Role, between, settings
from benchmarks.roles import Figures as Used
from config.settings import Settings
from gateway.eventlog.base import EventLog, Record
from gateway.eventlog.factory import make_log
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.tables import cases, messages
from normalizer.cloudevents import headers
from normalizer.event import EventChannel, EventSender, encode

INSTANCES = (1, 2, 4)
EVENTS = 12_000
QUICK_EVENTS = 300
SHARE = 500
STUCK_SECONDS = 120.0
SOURCE = "https://gateway.example.go.id"


class Figures(msgspec.Struct, frozen=True):
    """What so many dispatchers used for each event, and how many events each of them settled (``shares``)."""

    instances: int
    used: Used
    shares: list[int]
    lost: int
    doubled: int


async def measure(work: Path, console: Console, *, quick: bool) -> list[Figures]:
    """Each number of dispatchers in turn, with topics and a database of its own. Raises :class:`Absent`."""
    found = []
    async with broker(work / "broker") as bootstrap:
        for instances in INSTANCES[1:2] if quick else INSTANCES:
            console.print(f"{instances} dispatchers …", highlight=False)
            async with database() as url:
                found.append(await _one(work, bootstrap, url, instances, QUICK_EVENTS if quick else EVENTS))
    return found


async def _one(work: Path, bootstrap: str, url: str, instances: int, events: int) -> Figures:
    name = f"dispatchers-{instances}"
    async with AsyncExitStack() as stack:
        store = Store(url)
        stack.push_async_callback(store.close)
        await migrate(store)
        common = settings(bootstrap, url, name)
        processes = [
            await stack.enter_async_context(Role(work / name / str(n), "dispatch", common)) for n in range(instances)
        ]
        log = await stack.enter_async_context(_producer(bootstrap, work / name / "spool.db", name))
        meter = Meter(store, work / "broker" / "data")
        # Until these are settled, the group may still be shared out anew.
        warm = await _produce(log, f"complaints-{name}", max(events // 10, 100))
        await _settled(store, warm)
        counts = [await one.counted("events") for one in processes]
        before = await meter.read(processes)
        await _produce(log, f"complaints-{name}", events)
        await _settled(store, warm + events)
        used = between("dispatch", before, await meter.read(processes), events)
        shares = [await one.counted("events") - was for one, was in zip(processes, counts, strict=True)]
        async with store.read() as connection:
            opened = (await connection.execute(select(func.count()).select_from(cases))).scalar_one()
            heard = (await connection.execute(select(func.count()).select_from(messages))).scalar_one()
        due = warm + events
        return Figures(instances, used, shares, lost=max(0, due - heard), doubled=max(0, opened - due))


def table(figures: Sequence[Figures]) -> Table:
    """The dispatchers for people."""
    title = f"Dispatchers on a topic of 12 partitions, {os.cpu_count()} cores for all; CPU in µs an event"
    shown = Table(title=title, title_justify="left")
    for column in ("dispatchers", "events/s", "to one", "their CPU", "PostgreSQL's", "Kafka's", "busiest's share"):
        shown.add_column(column, justify="right")
    for column in ("lost", "doubled"):
        shown.add_column(column, justify="right")
    for one in figures:
        used = one.used
        shown.add_row(
            str(one.instances),
            f"{used.rate:,.0f}",
            f"{used.rate / figures[0].used.rate:.2f}",
            *(f"{cost:,.0f}" for cost in (used.role_us, used.postgres_us, used.broker_us)),
            f"{max(one.shares) / max(1, sum(one.shares)):.0%}",
            str(one.lost),
            str(one.doubled),
        )
    return shown


@asynccontextmanager
async def _producer(bootstrap: str, spool: Path, name: str) -> AsyncIterator[EventLog]:
    kafka = {"backend": "kafka", "bootstrap_servers": bootstrap, "path": spool, "append_timeout": 20.0}
    topics = {topic: f"{topic}-{name}" for topic in NAMES}
    log = make_log(Settings.model_validate({"log": kafka, "topics": topics}))
    await log.start()
    try:
        yield log
    finally:
        await log.close()


async def _produce(log: EventLog, topic: str, count: int) -> int:
    """Append so many complaints, each of a citizen of its own."""
    for start in range(0, count, SHARE):
        await log.append([_record(topic) for _ in range(min(SHARE, count - start))])
    return count


def _record(topic: str) -> Record:
    key = uuid4().hex
    event = hot.event(1, key=key)
    event = msgspec.structs.replace(
        event,
        received_at=datetime.now(UTC),
        channel=EventChannel("sms", "sms", key),
        sender=EventSender(key, "+6281234567890", "phone"),
    )
    return Record(topic, key.encode(), encode(event), headers(event, SOURCE))


async def _settled(store: Store, count: int) -> None:
    """Wait until the store has so many messages. Raises :class:`TimeoutError`."""
    async with asyncio.timeout(STUCK_SECONDS + count / 50):
        while True:
            async with store.read() as connection:
                found = (await connection.execute(select(func.count()).select_from(messages))).scalar_one()
            if found >= count:
                return
            await asyncio.sleep(0.2)
