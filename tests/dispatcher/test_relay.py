"""The relay over both stores: what transactions had to say reaches the log in order, once, and nothing holds it up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import func, select

from gateway.dispatcher.relay import BATCH, Relay
from gateway.eventlog.base import LogUnavailable, Record, RecordRefused
from gateway.store.engine import Store
from gateway.store.tables import leases, publications

PATIENCE = 60.0
HEADERS = (("ce_id", b"1"),)


class Log:
    """A log that keeps what it takes, and refuses what it is told to."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = 0

    async def append(self, records: Sequence[Record]) -> None:
        if self.away:
            self.away -= 1
            raise LogUnavailable("away")
        if any(record.value == b"too large" for record in records):
            raise RecordRefused("too large")
        self.records += records


async def say(store: Store, *values: bytes) -> None:
    headers = msgspec.json.encode(HEADERS)
    async with store.write() as connection:
        rows = [{"topic": "t", "key": b"k", "value": value, "headers": headers} for value in values]
        await connection.execute(publications.insert(), rows)


async def left(store: Store) -> int:
    async with store.read() as connection:
        return (await connection.execute(select(func.count()).select_from(publications))).scalar() or 0


@asynccontextmanager
async def running(store: Store, log: Any, *owners: str) -> AsyncIterator[None]:
    relays = [Relay(store=store, log=log, owner=owner) for owner in owners]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        async with asyncio.timeout(PATIENCE):
            while await left(store):
                await asyncio.sleep(0.01)
        yield
    finally:
        for relay in relays:
            relay.stop()
        await asyncio.gather(*tasks)


async def test_everything_is_said_once_and_in_order(store: Store) -> None:
    log = Log()
    values = [b"%d" % n for n in range(1200)]
    await say(store, *values)
    async with running(store, log, "one", "two"):
        assert [record.value for record in log.records] == values
        assert log.records[0] == Record("t", b"k", b"0", HEADERS)


async def test_a_log_that_is_away_is_waited_for(store: Store) -> None:
    log = Log()
    log.away = 1
    await say(store, b"a", b"b")
    async with running(store, log, "one"):
        assert [record.value for record in log.records] == [b"a", b"b"]


async def test_the_lease_is_given_back_as_soon_as_nothing_waits(store: Store) -> None:
    """Else a process that dies would keep the others from speaking until its lease is over."""
    relay = Relay(store=store, log=Log(), owner="one")  # type: ignore[arg-type]
    await say(store, *(b"%d" % n for n in range(BATCH + 1)))
    holders = []
    for _ in range(2):
        await relay._carry()
        async with store.read() as connection:
            holders.append((await connection.execute(select(leases.c.owner))).scalars().all())
    assert holders == [["one"], []]


async def test_a_relay_whose_log_is_away_lets_another_speak(store: Store) -> None:
    away, well = Log(), Log()
    away.away = 1_000_000
    await say(store, b"a")
    first = Relay(store=store, log=away, owner="one")  # type: ignore[arg-type]
    task = asyncio.create_task(first.run())
    async with asyncio.timeout(PATIENCE):
        while away.away == 1_000_000:
            await asyncio.sleep(0.01)
    async with running(store, well, "two"):
        assert [record.value for record in well.records] == [b"a"]
    first.stop()
    await task


async def test_what_the_log_will_never_take_holds_up_nothing(store: Store) -> None:
    log = Log()
    await say(store, b"a", b"too large", b"b")
    async with running(store, log, "one"):
        assert [record.value for record in log.records] == [b"a", b"b"]
