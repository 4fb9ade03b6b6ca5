"""Two of every role on Kafka and PostgreSQL: one killed, one stopped for longer than its lease and woken."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from channels.standin import Fault
from gateway.store.tables import leases, messages, outbox
from tests.crash.fleet import SIX, cluster
from tests.crash.stage import Stage
from tests.crash.ways import SMS, TELEGRAM_POLL, played
from tests.fixtures.postgres import Postgres
from tests.kafka.broker import Broker
from tests.nursery import Nursery

BEFORE, DURING, AFTER = 30, 60, 30
DOUBTED = re.compile(r'"event":"delivery\.maybe_doubled"')


async def test_killed_and_paused_under_load_nothing_is_lost_and_doubles_are_counted(
    kafka_broker: Broker, postgres: Postgres, nursery: Nursery, tmp_path: Path
) -> None:
    """Killing one of each moves its partitions and leases to the other; a paused one finds its own gone."""
    url = postgres.create_migrated()
    fleet = cluster(nursery, tmp_path, kafka_broker.bootstrap_servers, url, names=SIX, lasting=False)
    async with played(SMS) as sms:
        stage = Stage(fleet, {SMS.name: sms})
        try:
            await fleet.start()
            stage.write(SMS, BEFORE)
            await sms.standin.wait_for(lambda sent: len(sent) >= BEFORE // 3, timeout=90)
            # The provider is slow from here on, so that replies are in flight whenever something happens.
            sms.standin.fault = Fault(kind="slow", delay=0.2)
            stage.write(SMS, DURING)
            paused = fleet.processes["deliver-2"]
            await sms.standin.wait_for(lambda sent: len(sent) >= BEFORE, timeout=90)
            paused.send_signal(signal.SIGSTOP)
            for name in ("intake-1", "dispatch-1", "deliver-1"):
                await fleet.processes[name].kill()
            in_flight = await fleet.in_flight()
            stage.write(SMS, AFTER)
            await fleet.launch("deliver-1")
            # Longer than its lease: what it held is the other's by now.
            await asyncio.sleep(1.5 * float(fleet.delivery["lease"]))
            paused.send_signal(signal.SIGCONT)
            for name in ("intake-1", "dispatch-1"):
                await fleet.launch(name)
            book = await stage.settled()
            said = fleet.said()
        finally:
            await stage.stop()
            await fleet.stop()
    assert book.wrong() == []
    assert book.doubled <= in_flight, f"{book.doubled} doubled, {in_flight} were in flight"
    assert book.doubled <= len(DOUBTED.findall(said)), "a reply was heard twice and not counted"
    deliveries = Counter(message.delivery for message in sms.standin.sent)
    assert len(deliveries) == BEFORE + DURING + AFTER


async def test_a_woken_process_sends_nothing_that_another_has_leased_meanwhile(
    kafka_broker: Broker, postgres: Postgres, nursery: Nursery, tmp_path: Path
) -> None:
    """It stops itself with the lease in hand and nothing sent; the other sends; woken, it looks at its lease first."""
    names = ("intake", "dispatch", "deliver-1", "deliver-2")
    url = postgres.create_migrated()
    fleet = cluster(nursery, tmp_path, kafka_broker.bootstrap_servers, url, names=names)
    async with played(SMS) as sms:
        stage = Stage(fleet, {SMS.name: sms})
        try:
            await asyncio.gather(fleet.launch("intake"), fleet.launch("dispatch"))
            await fleet.launch("deliver-1", "after-lease:1:pause")
            stage.write(SMS)
            await fleet.processes["deliver-1"].said("seams: pause after-lease")
            assert await fleet.in_flight() == 1
            await fleet.launch("deliver-2")
            await sms.standin.wait_for(lambda sent: len(sent) == 1, timeout=60)
            await fleet.until(outbox, lambda rows: [row.state for row in rows] == ["sent"])
            fleet.processes["deliver-1"].send_signal(signal.SIGCONT)
            await fleet.processes["deliver-1"].ready()
            # It works on: a second citizen may be answered by either, the first by nobody again.
            await fleet.processes["deliver-2"].kill()
            stage.write(SMS)
            book = await stage.settled()
        finally:
            await stage.stop()
            await fleet.stop()
    assert book.wrong() == []
    assert book.doubled == 0


@pytest.mark.parametrize("end", ["kill", "pause"])
async def test_another_process_reads_on_within_the_lease(
    kafka_broker: Broker, postgres: Postgres, nursery: Nursery, tmp_path: Path, end: str
) -> None:
    """A polled channel: whoever holds its lease dies, or stops and is woken; the other goes on from the cursor."""
    names = ("intake-1", "intake-2", "dispatch", "deliver")
    url = postgres.create_migrated()
    fleet = cluster(nursery, tmp_path, kafka_broker.bootstrap_servers, url, names=names)
    lease = f"pull:{TELEGRAM_POLL.name}"
    async with played(TELEGRAM_POLL) as bot:
        stage = Stage(fleet, {TELEGRAM_POLL.name: bot})
        try:
            await asyncio.gather(*(fleet.launch(name) for name in ("intake-1", "dispatch", "deliver")))
            stage.write(TELEGRAM_POLL, 3)
            await fleet.until(messages, lambda rows: len(rows) == 3)
            [first] = [row.owner for row in await fleet.rows(leases) if row.name == lease]
            await fleet.launch("intake-2")
            await fleet.processes["intake-2"].ready()
            if end == "kill":
                await fleet.processes["intake-1"].kill()
            else:
                fleet.processes["intake-1"].send_signal(signal.SIGSTOP)
            stage.write(TELEGRAM_POLL, 3)
            await fleet.until(messages, lambda rows: len(rows) == 6)
            held = await fleet.until(leases, lambda rows: any(r.name == lease and r.owner != first for r in rows))
            [second] = [row.owner for row in held if row.name == lease]
            if end == "pause":
                fleet.processes["intake-1"].send_signal(signal.SIGCONT)
            stage.write(TELEGRAM_POLL, 3)
            book = await stage.settled()
        finally:
            await stage.stop()
            await fleet.stop()
    assert first != second
    assert book.wrong() == []
    assert book.doubled == 0
