"""Promise 4 with real parts: Kafka away, Kafka away at the start, PostgreSQL away. Intake goes on, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from channels.sms.standin import StandIn
from gateway.store.tables import cases
from tests.e2e.conftest import Site, cluster
from tests.fixtures.postgres import Postgres
from tests.kafka.broker import Broker
from tests.nursery import Nursery


@pytest.fixture
def frail_postgres() -> Iterator[Postgres]:
    """A server that a test may stop."""
    server = Postgres.start()
    yield server
    server.end()


@pytest.fixture
async def frail(
    frail_broker: Broker, frail_postgres: Postgres, tmp_path: Path, standin: StandIn, nursery: Nursery
) -> AsyncIterator[Site]:
    """Three roles on a broker and a database that may go away."""
    made = cluster(tmp_path, frail_broker.bootstrap_servers, frail_postgres.create_migrated(), nursery)
    made.channel.update(standin.overrides(standin.accounts[0]))
    yield made
    await made.stop()


async def spooled(site: Site) -> float:
    """The metric ``spool_depth`` of the intake."""
    async with aiohttp.ClientSession() as http, http.get(f"{site.processes['intake'].url}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith("lapor_gateway_spool_depth "):
                return float(line.split()[1])
    raise AssertionError("no such metric")


async def text(site: Site, standin: StandIn, n: int, words: str = "laporan") -> None:
    answer = await standin.text(site.webhook, f"+62812000000{n % 20:02}", f"{words} {n}", id=f"{words}-{n}")
    assert answer.status == 200, answer.text


async def test_texts_are_taken_while_kafka_is_away_and_answered_when_it_is_back(
    frail: Site, frail_broker: Broker, standin: StandIn
) -> None:
    await frail.start()
    for n in range(20):
        await text(frail, standin, n)
    await standin.wait_for(lambda sent: len(sent) == 20, timeout=60)
    await asyncio.to_thread(frail_broker.stop)
    try:
        for n in range(20, 60):
            await text(frail, standin, n)
        assert await spooled(frail) >= 40
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{frail.processes['intake'].url}/readyz") as answer,
        ):
            assert answer.status == 200
            assert "spool" in (await answer.json())["dependencies"]["log"]
    finally:
        await asyncio.to_thread(frail_broker.start)
    async with asyncio.timeout(90):
        while await spooled(frail):
            await asyncio.sleep(0.1)
    events = await frail.events(60)
    assert len({event.channel.message_id for event in events}) == 60
    # Each sender's messages are on the log in the order in which they were sent.
    for n in range(20):
        theirs = [e.channel.message_id for e in events if e.sender.address == f"+62812000000{n:02}"]
        assert list(dict.fromkeys(theirs)) == [f"laporan-{n + 20 * k}" for k in range(3)]
    assert len(await frail.rows(cases)) == 20


async def test_kafka_may_be_away_at_the_start(frail: Site, frail_broker: Broker, standin: StandIn) -> None:
    await asyncio.to_thread(frail_broker.stop)
    try:
        await frail.start()
        for n in range(10):
            await text(frail, standin, n, "awal")
        assert await spooled(frail) == 10
    finally:
        await asyncio.to_thread(frail_broker.start)
    await standin.wait_for(lambda sent: len(sent) == 10, timeout=90)
    assert len(await frail.rows(cases)) == 10


async def test_the_store_may_be_away_and_intake_does_not_notice(
    frail: Site, frail_postgres: Postgres, standin: StandIn
) -> None:
    await frail.start()
    await text(frail, standin, 0, "dulu")
    await standin.wait_for(lambda sent: len(sent) == 1, timeout=60)
    await asyncio.to_thread(frail_postgres.server.stop)
    for n in range(1, 20):
        await text(frail, standin, n, "dulu")
    assert len(standin.sent) == 1
    await asyncio.to_thread(frail_postgres.server.start)
    await standin.wait_for(lambda sent: len({m.to for m in sent}) == 20, timeout=90)
    assert len(await frail.rows(cases)) == 20
