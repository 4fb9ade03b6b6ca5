"""The heart on a store: what it tells, what it learns, and what it does while the store is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from config.operations import Health
from gateway.health.heart import Heart
from gateway.health.journal import Journal
from gateway.health.others import Others
from gateway.health.pauses import Pauses, pause
from gateway.health.told import Told, decode
from gateway.metrics import Metrics
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.migrate import migrate
from gateway.store.operations import health, instances, interactions, traffic

LATELY = 60.0


class Body:
    """A heart and what it is connected to."""

    def __init__(self, store: Store, **settings: Any) -> None:
        self.store = store
        self.metrics = Metrics()
        self.pauses = Pauses()
        self.journal = Journal()
        self.others = Others()
        self.heart = Heart(
            store=store,
            settings=Health(**{"heartbeat": 0.02, "interactions": 5, **settings}),
            metrics=self.metrics,
            owner="host:1:abc",
            role="all",
            tell=lambda: Told(at=1.0, spool_depth=3),
            pauses=self.pauses,
            journal=self.journal,
            others=self.others,
        )

    async def rows(self, table: Any) -> Sequence[Any]:
        async with self.store.read() as connection:
            return (await connection.execute(select(table))).all()


async def test_a_beat_tells_how_the_process_stands(store: Store) -> None:
    body = Body(store)
    await body.heart.beat()
    await body.heart.beat()
    (row,) = await body.rows(instances)
    assert (row.name, row.role, row.left_at) == ("host:1:abc", "all", None)
    assert decode(row.told) == Told(at=1.0, spool_depth=3)
    assert abs(row.beat_at - time.time()) < LATELY
    beat = body.metrics.registry.get_sample_value("lapor_gateway_heartbeat_timestamp_seconds")
    assert beat == pytest.approx(time.time(), abs=LATELY)


async def test_a_beat_brings_the_counts_and_the_journal_to_the_store(store: Store) -> None:
    body = Body(store)
    body.metrics.messages_received.labels("sms").inc(3)
    body.journal.note("sms", "in", "POST /webhooks/sms", 200, 0.01, "text (3)", "")
    await body.heart.beat()
    body.metrics.messages_received.labels("sms").inc()
    await body.heart.beat()
    assert sum(row.received for row in await body.rows(traffic)) == 4
    (row,) = await body.rows(interactions)
    assert (row.channel, row.direction, row.status) == ("sms", "in", 200)
    assert (row.call, row.request) == ("POST /webhooks/sms", "text (3)")


async def test_the_latest_interactions_of_each_channel_stay(store: Store) -> None:
    body = Body(store)
    for beat in range(3):
        for n in range(4):
            body.journal.note("sms", "out", f"send {beat}.{n}", 500, 0.0)
        body.journal.note("mail", "out", f"send {beat}", 500, 0.0)
        await body.heart.beat()
    found = await body.rows(interactions)
    assert [row.call for row in found if row.channel == "sms"] == ["send 1.3", *(f"send 2.{n}" for n in range(4))]
    assert [row.call for row in found if row.channel == "mail"] == ["send 0", "send 1", "send 2"]


async def test_a_beat_learns_what_is_paused_and_what_the_watch_sees(store: Store) -> None:
    body = Body(store)
    assert body.pauses.holds("sms", "out")
    assert not body.pauses.paused("sms", "in")
    await pause(store, "sms", "in", "sari")
    async with store.write() as connection:
        await connection.execute(health.insert().values(channel="sms", part="", state="paused", since=1.0))
    await body.heart.beat()
    assert body.pauses.paused("sms", "in")
    assert not body.pauses.holds("sms", "out")
    assert (body.heart.view.state("sms"), body.heart.view.state("mail")) == ("paused", "unknown")


async def test_a_beat_learns_how_many_processes_send(store: Store) -> None:
    body = Body(store)
    await body.heart.beat()
    assert body.others.deliverers == 1
    rows = [
        # name, role, heartbeat's age, left
        ("sends", "deliver", 0.0, False),
        ("does everything", "all", 0.0, False),
        ("takes in", "intake", 0.0, False),
        ("left", "deliver", 0.0, True),
        ("is missing", "deliver", 3600.0, False),
    ]
    async with store.write() as connection:
        for name, role, age, left in rows:
            at = time.time() - age
            times = {"started_at": at, "beat_at": at, "left_at": at if left else None}
            row = {"name": name, "role": role, "host": "h", "pid": 1, "version": "1", "told": "{}", **times}
            await connection.execute(instances.insert().values(row))
    await body.heart.beat()
    assert body.others.deliverers == 3


async def test_the_last_word_says_that_it_left(store: Store) -> None:
    body = Body(store)
    task = asyncio.create_task(body.heart.run())
    async with asyncio.timeout(20):
        while not await body.rows(instances):
            await asyncio.sleep(0.01)
    body.heart.stop()
    await task
    body.metrics.replies_sent.labels("sms").inc()
    await body.heart.leave()
    (row,) = await body.rows(instances)
    assert row.left_at is not None
    assert sum(row.sent for row in await body.rows(traffic)) == 1


async def test_a_heart_that_never_beat_says_nothing(store: Store) -> None:
    body = Body(store)
    await body.heart.leave()
    assert await body.rows(instances) == []


async def test_while_the_store_is_away_counts_and_journal_wait(tmp_path: Path) -> None:
    """A store that is not made yet is as good as one that is away."""
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/gateway.db")
    try:
        body = Body(store)
        body.metrics.messages_received.labels("sms").inc(3)
        body.journal.note("sms", "in", "POST /webhooks/sms", 503, 0.01)
        with pytest.raises(StoreUnavailable):
            await body.heart.beat()
        task = asyncio.create_task(body.heart.run())
        await migrate(store)
        async with asyncio.timeout(20):
            while not await body.rows(interactions):
                await asyncio.sleep(0.01)
        body.heart.stop()
        await task
        assert [row.received for row in await body.rows(traffic)] == [3]
        assert len(await body.rows(interactions)) == 1
    finally:
        await store.close()
