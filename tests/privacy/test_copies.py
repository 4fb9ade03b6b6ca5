"""Copies on the log: overwritten where they lie in SQLite's files, and when they expire on Kafka."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from config.durations import DAY
from config.settings import Log, Settings, Topics
from gateway.eventlog.base import LogUnavailable, Record
from gateway.eventlog.kafka import KafkaLog
from gateway.eventlog.kafka_cluster import Cluster, Topic
from gateway.eventlog.spool import SpooledLog
from gateway.eventlog.sqlite import SqliteLog
from gateway.eventlog.sqlite_rewrite import rewrite
from gateway.privacy.copies import Blanking, blank_copies, files
from gateway.privacy.expiry import expiries
from normalizer.event import decode, encode
from tests.dispatcher.make import CITIZEN, NOON, event
from tests.eventlog.backends import fetch, record, values
from tests.kafka.broker import Broker

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def in_files(folder: Path, word: bytes) -> bool:
    return any(word in path.read_bytes() for path in folder.iterdir())


def masked(one: Record, _settled: bool) -> bytes | None:
    return b"{}" if b"secret" in one.value else None


async def test_records_are_overwritten_in_place_while_the_log_is_at_work(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db", retention_seconds=3600)
    await log.start()
    try:
        consumer = log.consumer("g", ["t"])
        # Small and large ones, in batches of many sizes, so that pages of every kind are met.
        for n in range(40):
            some = [record("t", i, ("secret" if i % 3 == 0 else "common") * (n * 40 + i + 1)) for i in range(n % 5 + 1)]
            await log.append(some)
        before = [len(one.record.value) for one in await fetch(consumer, 120)]

        await asyncio.to_thread(rewrite, log.path, masked)

        assert not in_files(tmp_path, b"secret")
        again = log.consumer("another", ["t"])
        taken = await fetch(again, 120)
        assert [len(one.record.value) for one in taken] == before
        assert {value.strip() for value in values(taken) if "common" not in value} == {"{}"}
        await log.append([record("t", 1, "after")])
        assert values(await fetch(consumer, 1)) == ["after"]
    finally:
        await log.close()


async def test_the_next_time_only_what_is_new_is_looked_at(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db", retention_seconds=3600)
    await log.start()
    try:
        consumer = log.consumer("g", ["t"])
        await log.append([record("t", 1, "first")])
        await fetch(consumer, 1)
        seen: list[str] = []

        def look(one: Record, settled: bool) -> None:
            seen.append(f"{one.value.decode()} {settled}")

        since = rewrite(log.path, look)
        await log.append([record("t", 1, "second")])
        since = rewrite(log.path, look, since=since)
        rewrite(log.path, look, since=since)
        # What is not committed is looked at until it is.
        assert seen == ["first True", "second False", "second False"]
    finally:
        await log.close()


def test_a_file_that_is_no_log_is_told_and_one_that_is_not_there_is_not(tmp_path: Path) -> None:
    assert rewrite(tmp_path / "none.db", masked) == {}
    (tmp_path / "log.db").write_bytes(b"no database at all, whatever its name" * 100)
    with pytest.raises(LogUnavailable, match="SQLITE_NOTADB"):
        rewrite(tmp_path / "log.db", masked)


def test_a_batch_that_nobody_could_read_goes_where_the_address_stands_in_it(tmp_path: Path) -> None:
    from gateway.privacy.spelled import Spelled

    path = tmp_path / "log.db"

    async def make() -> None:
        log = SqliteLog(path, retention_seconds=3600)
        await log.start()
        await log.close()

    asyncio.run(make())
    with sqlite3.connect(path) as connection:
        rows = [("t", 0, 1, 0.0, b"\xc1 +6281234567890"), ("t.unreadable", 0, 1, 0.0, b"\xc1 +6281298765432")]
        connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()
    blanking = Blanking(Topics(), {}, spelled=Spelled("+6281234567890", "phone"))

    rewrite(path, blanking)

    assert blanking.changed == 1
    assert not in_files(tmp_path, b"81234567890")
    assert in_files(tmp_path, b"81298765432")


async def test_what_waits_in_a_spool_for_kafka_is_blank_there(tmp_path: Path) -> None:
    settings = Settings(log=Log(backend="kafka", path=tmp_path / "log.db"))
    cluster = Cluster("127.0.0.1:1", "test", timeout=0.2)
    kafka = KafkaLog(cluster, {settings.topics.complaints: Topic()}, append_timeout=0.2)
    log = SpooledLog(kafka, tmp_path / "log.db", max_bytes=2**30, min_free_bytes=0)
    hers, other = event("lubang menganga"), event("lampu padam")
    await log.start()
    try:
        topic = settings.topics.complaints
        await log.append([Record(topic, CITIZEN.encode(), encode(hers)), Record(topic, b"another", encode(other))])
        assert log.depth == 2
        assert files(settings) == [tmp_path / "log.db"]
        blanking = Blanking(settings.topics, {CITIZEN: NOON.timestamp()})

        await blank_copies(settings, blanking)

        assert (blanking.changed, blanking.waiting) == (1, 1)
        assert not in_files(tmp_path, b"menganga")
        assert in_files(tmp_path, b"padam")
        assert decode(b"%s  " % encode(other)) == other
    finally:
        await log.close()


async def test_kafka_tells_when_the_last_copy_expires(kafka_broker: Broker) -> None:
    name = secrets.token_hex(4)
    topics = Topics(**{field: f"{name}-{field}" for field in Topics.model_fields})
    kept = {
        topics.complaints: {"retention.ms": "86400000", "segment.ms": "3600000"},
        topics.cases: {"retention.ms": "-1"},
        topics.case_updates: {"cleanup.policy": "compact"},
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=config) for topic, config in kept.items()])
    finally:
        await admin.close()
    log = Log(backend="kafka", bootstrap_servers=kafka_broker.bootstrap_servers, retention=30 * DAY)

    found = {one.topic: one for one in await expiries(Settings(log=log, topics=topics), NOW)}

    complaints = found[topics.complaints]
    assert (complaints.at, complaints.latest) == (NOW + timedelta(days=1), NOW + timedelta(days=1, hours=1))
    said = complaints.said(Settings(timezone="Asia/Jakarta"))
    assert said == (
        f"{topics.complaints}: kept 24h, expires 23 Nov 2026 12:00 WIB, with its segment 23 Nov 2026 13:00 WIB at the latest"
    )
    assert found[topics.cases].at is found[topics.case_updates].at is None
    assert "for ever" in found[topics.cases].said(Settings())
    missing = found[topics.dead_letters]
    assert (missing.at, missing.read) == (NOW + timedelta(days=30), False)


async def test_without_a_broker_our_own_setting_stands_in() -> None:
    log = Log(backend="kafka", bootstrap_servers="127.0.0.1:1", retention=7 * DAY)
    found = await expiries(Settings(log=log), NOW)
    assert {(one.at, one.read) for one in found} == {(NOW + timedelta(days=7), False)}
    assert "the broker could not be asked" in found[0].said(Settings())
    assert await expiries(Settings(), NOW) == []
