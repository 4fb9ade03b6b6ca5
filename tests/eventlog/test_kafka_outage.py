"""What the Kafka log does when brokers, producers and consumers fail, shown on a broker that is stopped and killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.produce import ProduceRequest

from gateway.eventlog.base import LogUnavailable, Record, RecordRefused
from gateway.eventlog.kafka import KafkaLog
from gateway.eventlog.kafka_consumer import KafkaConsumer
from gateway.eventlog.spool import SpooledLog
from tests.eventlog.backends import (
    PARTITIONS,
    Backend,
    by_key,
    fetch,
    first_times,
    new_topics,
    put,
    read,
    record,
    until,
    values,
)
from tests.kafka.broker import Broker

KEYS = 8


def backend_on(broker: Broker, **changes: Any) -> Backend:
    wanted = {"kind": "kafka", "append_timeout": 1.0, "stall_timeout": 1.5, **changes}
    return Backend(bootstrap_servers=broker.bootstrap_servers, topics=new_topics(1), **wanted)


@pytest.fixture
def backend(kafka_broker: Broker) -> Backend:
    return backend_on(kafka_broker)


@pytest.fixture
async def log(backend: Backend) -> AsyncIterator[KafkaLog]:
    async with backend.open() as opened:
        assert isinstance(opened, KafkaLog)
        yield opened


class Load:
    """Appenders, one a key, each trying one record until it is taken."""

    def __init__(self, log: KafkaLog, topic: str) -> None:
        self.acknowledged: set[str] = set()
        self.refused = 0
        self._stop = False
        self._log = log
        self._topic = topic

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for key in range(KEYS):
                tasks.create_task(self._append(f"k{key}"))

    def stop(self) -> None:
        self._stop = True

    async def more(self, count: int) -> None:
        """Wait until so many more have been taken."""
        wanted = len(self.acknowledged) + count
        await until(lambda: len(self.acknowledged) >= wanted)

    async def _append(self, key: str) -> None:
        number = 0
        while not self._stop:
            try:
                await self._log.append([record(self._topic, key, f"{key}-{number}")])
            except LogUnavailable:
                self.refused += 1
                await asyncio.sleep(0.05)
            else:
                self.acknowledged.add(f"{key}-{number}")
                number += 1


def assert_in_order(said: dict[str, list[str]]) -> None:
    for key, found in said.items():
        once = first_times(found)
        assert once == [f"{key}-{n}" for n in range(len(once))]


async def test_a_broker_killed_and_started_under_load_loses_nothing(frail_broker: Broker) -> None:
    backend = backend_on(frail_broker)
    async with backend.open() as log:
        assert isinstance(log, KafkaLog)
        load = Load(log, backend.topic)
        running = asyncio.create_task(load.run())
        consumer = log.consumer("g-outage", [backend.topic])
        taken = await fetch(consumer, 50)
        await asyncio.to_thread(frail_broker.kill)
        await until(lambda: load.refused > KEYS)
        assert log.ready()[0] is False
        await asyncio.to_thread(frail_broker.start)
        await load.more(200)
        load.stop()
        await running
        while missing := load.acknowledged - set(values(taken)):
            taken += await fetch(consumer, 1)
            assert missing
        assert_in_order(by_key(taken))
        assert log.links >= 2


async def test_a_broker_that_is_down_at_the_start_is_no_error(frail_broker: Broker, tmp_path: Path) -> None:
    await asyncio.to_thread(frail_broker.stop)
    backend = backend_on(frail_broker)
    spooled = backend_on(frail_broker, kind="spool", path=str(tmp_path / "log.db"))
    async with backend.open() as log, spooled.open() as spool:
        assert log.ready()[0] is False
        with pytest.raises(LogUnavailable):
            await log.append([record(backend.topic, "k", "too early")])
        consumer = log.consumer("g-early", [backend.topic])
        assert not await consumer.fetch(limit=1, timeout=0.2)
        assert await consumer.lag() == 0

        assert isinstance(spool, SpooledLog)
        await asyncio.gather(*(spool.append([record(spooled.topic, "k", n)]) for n in range(50)))
        assert spool.depth == 50
        assert spool.ready()[0] is True

        await asyncio.to_thread(frail_broker.start)
        await until(lambda: log.ready()[0])
        await put(log, record(backend.topic, "k", "now"))
        assert values(await fetch(consumer, 1)) == ["now"]

        await until(lambda: spool.depth == 0)
        await spool.append([record(spooled.topic, "k", "direct")])
        assert values(await read(spool, [spooled.topic], until={"direct"})) == [*map(str, range(50)), "direct"]


async def test_a_broker_that_does_not_answer_fails_appends_within_their_bound(frail_broker: Broker) -> None:
    backend = backend_on(frail_broker, append_timeout=0.3)
    async with backend.open() as log:
        await put(log, record(backend.topic, "k", "before"))
        frail_broker.pause()
        try:
            async with asyncio.timeout(20):
                with pytest.raises(LogUnavailable, match=r"no confirmation within 0\.3 s"):
                    await log.append([record(backend.topic, "k", "during")])
                with pytest.raises(LogUnavailable):
                    await log.append([record(backend.topic, "k", "after that")])
        finally:
            frail_broker.resume()
        await until(lambda: log.ready()[0])
        await put(log, record(backend.topic, "k", "afterwards"))
        assert {"before", "afterwards"} <= set(values(await read(log, [backend.topic], until={"afterwards"})))


async def test_closing_while_the_broker_does_not_answer_comes_to_an_end(frail_broker: Broker) -> None:
    backend = backend_on(frail_broker, append_timeout=0.3)
    log = backend.make()
    await log.start()
    consumer = log.consumer("g-closing", [backend.topic])
    await log.append([record(backend.topic, "k", "v")])
    await fetch(consumer, 1, commit=False)
    frail_broker.pause()
    try:
        append = asyncio.create_task(log.append([record(backend.topic, "k", "v")]))
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await log.close()
        with pytest.raises(LogUnavailable):
            await append
    finally:
        frail_broker.resume()


async def test_a_producer_with_a_sequence_error_is_made_anew(log: KafkaLog, backend: Backend) -> None:
    """The broker has lost a batch, as it seems to it: it takes nothing of this producer any more."""
    await put(log, record(backend.topic, "k", "before"))
    assert log._link is not None
    sequences = log._link._sender._sequences
    for place in sequences:
        sequences[place] += 7
    with pytest.raises(LogUnavailable, match="OutOfOrderSequenceNumber"):
        await log.append([record(backend.topic, "k", "refused")])
    await until(lambda: log.ready()[0])
    await put(log, record(backend.topic, "k", "after"))
    assert log.links >= 2
    assert values(await read(log, [backend.topic], until={"before", "after"})) == ["before", "after"]


async def test_a_batch_that_is_sent_again_is_written_once(
    log: KafkaLog, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has taken the first; its confirmation is lost."""
    honest = AIOKafkaClient.send
    lost: list[object] = []

    async def lose(self: AIOKafkaClient, node: int, request: Any, **options: Any) -> Any:
        answer = await honest(self, node, request, **options)
        if isinstance(request, ProduceRequest) and not lost:
            lost.append(answer)
            raise KafkaConnectionError
        return answer

    monkeypatch.setattr(AIOKafkaClient, "send", lose)
    await log.append([record(backend.topic, "k", n) for n in range(3)])
    await log.append([record(backend.topic, "k", 3)])
    assert lost
    assert log.links == 1
    assert values(await read(log, [backend.topic], until={"3"})) == ["0", "1", "2", "3"]


async def test_a_connection_that_nobody_reads_is_made_anew(log: KafkaLog, backend: Backend) -> None:
    await put(log, record(backend.topic, "k", "before"))
    cancel("AIOKafkaConnection._read")
    await put(log, record(backend.topic, "k", "after"))
    said = values(await read(log, [backend.topic], until={"before", "after"}))
    assert first_times(said) == ["before", "after"]


async def test_a_consumer_that_stands_still_is_made_anew(log: KafkaLog, backend: Backend) -> None:
    consumer = log.consumer("g-still", [backend.topic])
    await put(log, record(backend.topic, "k", 0))
    assert values(await fetch(consumer, 1)) == ["0"]
    cancel("Fetcher._fetch_requests_routine")
    # One request may be under way still; nothing asks for more after it.
    for n in range(1, 4):
        await log.append([record(backend.topic, "k", n)])
        assert values(await fetch(consumer, 1)) == [str(n)]
    assert consumer.members == 2


async def test_a_consumer_that_dies_is_made_anew(
    log: KafkaLog, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = log.consumer("g-dead", [backend.topic])
    await put(log, record(backend.topic, "k", 0))
    assert values(await fetch(consumer, 1)) == ["0"]
    honest = GroupCoordinator._do_heartbeat

    async def fail(self: GroupCoordinator) -> None:
        monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", honest)
        raise KafkaError("forged")

    monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", fail)
    async with asyncio.timeout(20):
        while consumer.members == 1:
            assert not await consumer.fetch(limit=10, timeout=0.2)
    await put(log, record(backend.topic, "k", 1))
    assert values(await fetch(consumer, 1)) == ["1"]


async def test_a_consumer_that_has_nothing_to_do_is_left_alone(kafka_broker: Broker) -> None:
    """Also the one that has no partition at all, as there are more members than partitions."""
    backend = backend_on(kafka_broker, stall_timeout=0.5)
    async with AsyncExitStack() as stack:
        logs = [await stack.enter_async_context(backend.open()) for _ in range(PARTITIONS + 1)]
        consumers = [log.consumer("g-idle", [backend.topic]) for log in logs]
        for _ in range(4):
            assert not any(await asyncio.gather(*(one.fetch(limit=1, timeout=0.5) for one in consumers)))
        assert [one.members for one in consumers if isinstance(one, KafkaConsumer)] == [1] * (PARTITIONS + 1)


async def test_a_record_that_can_never_be_taken_is_refused_at_once(log: KafkaLog, backend: Backend) -> None:
    with pytest.raises(RecordRefused, match="larger than"):
        await log.append([Record(backend.topic, b"k", b"x" * 1_000_000)])
    with pytest.raises(RecordRefused, match="no-such-topic"):
        await log.append([record("no-such-topic", "k", "v")])
    await put(log, record(backend.topic, "k", "v"))
    assert log.links == 1


async def test_a_record_larger_than_the_broker_takes_is_refused_and_harms_no_other(
    log: KafkaLog, backend: Backend
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=backend.bootstrap_servers)
    await admin.start()
    small = {"max.message.bytes": "10000"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, backend.topic, configs=small)])
    await admin.close()
    # The broker has said yes to the change, and makes it a moment later.
    async with asyncio.timeout(20):
        with pytest.raises(RecordRefused):
            await _keep_on(log, Record(backend.topic, b"large", b"x" * 20_000))
    await until(lambda: log.ready()[0])
    await put(log, record(backend.topic, "k", "small"))
    said = await read(log, [backend.topic], until={"small"})
    assert [one for one in values(said) if not one.startswith("x")] == ["small"]


async def test_a_batch_under_work_may_be_committed_while_a_member_joins(log: KafkaLog, backend: Backend) -> None:
    """The partitions are handed over only after the commit, so that nothing is worked on twice."""
    await log.append([record(backend.topic, n, n) for n in range(30)])
    first = log.consumer("g-join", [backend.topic])
    taken = await fetch(first, 30, commit=False)
    async with backend.open() as other:
        second = other.consumer("g-join", [backend.topic])
        joining = asyncio.create_task(second.fetch(limit=100, timeout=2.0))
        await asyncio.sleep(0.5)
        await first.commit()
        rest, again = await asyncio.gather(first.fetch(limit=100, timeout=1.5), joining)
    assert len(taken) == 30
    assert [*rest, *again] == []


async def test_a_topic_that_exists_keeps_its_partitions(log: KafkaLog, backend: Backend) -> None:
    async with Backend(**{**vars(backend), "topics": backend.topics}).open() as other:
        await asyncio.gather(*(other.append([record(backend.topic, n, n)]) for n in range(60)))
        await asyncio.gather(*(log.append([record(backend.topic, n, n)]) for n in range(60)))
    taken = await read(log, [backend.topic], count=120)
    places: dict[str, set[int]] = {}
    for one in taken:
        places.setdefault(one.record.key.decode(), set()).add(one.partition)
    assert {len(found) for found in places.values()} == {1}
    assert set().union(*places.values()) == {0, 1, 2}


async def _keep_on(log: KafkaLog, one: Record) -> None:
    while True:
        await log.append([one])


def cancel(routine: str) -> None:
    """End one of aiokafka's background tasks, as a defect in it would."""
    found = [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == routine]  # type: ignore[union-attr]
    assert found
    for task in found:
        task.cancel()
