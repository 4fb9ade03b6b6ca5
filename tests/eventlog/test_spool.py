"""The spool before a real broker that is paused, resumed and left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from gateway.eventlog import spool as spool_module
from gateway.eventlog.base import LogFull, LogUnavailable, Record, RecordRefused
from gateway.eventlog.spool import SpooledLog
from tests.eventlog.backends import (
    Backend,
    by_key,
    child,
    fetch,
    first_times,
    new_topics,
    read,
    record,
    until,
    values,
)
from tests.kafka.broker import Broker

KEYS = 6


@pytest.fixture
def backend(frail_broker: Broker, tmp_path: Path) -> Backend:
    return backend_on(frail_broker, tmp_path)


def backend_on(broker: Broker, folder: Path, **changes: Any) -> Backend:
    path = str(folder / "log.db")
    wanted = {"append_timeout": 0.5, "path": path, "topics": new_topics(1), **changes}
    return Backend("spool", bootstrap_servers=broker.bootstrap_servers, **wanted)


@asynccontextmanager
async def opened(backend: Backend) -> AsyncIterator[SpooledLog]:
    async with backend.open() as log:
        assert isinstance(log, SpooledLog)
        yield log


class Talk:
    """One sender a key, each sending one thing after the other without a pause, and none of it refused."""

    def __init__(self, log: SpooledLog, topic: str) -> None:
        self.said = 0
        self._stop = False
        self._log = log
        self._topic = topic

    async def __aenter__(self) -> Talk:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop = True
        await self._task

    async def more(self, count: int) -> None:
        wanted = self.said + count
        await until(lambda: self.said >= wanted or self._task.done())

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for key in range(KEYS):
                tasks.create_task(self._talk(f"k{key}"))

    async def _talk(self, key: str) -> None:
        number = 0
        while not self._stop:
            await self._log.append([record(self._topic, key, f"{key}-{number}")])
            number += 1
            self.said += 1
            await asyncio.sleep(0.002)


async def assert_all_in_order(log: SpooledLog, topic: str, count: int) -> None:
    found = by_key(await read(log, [topic], count=count))
    assert sum(len(set(said)) for said in found.values()) == count
    for key, said in found.items():
        assert first_times(said) == [f"{key}-{n}" for n in range(len(set(said)))]


async def test_a_broker_away_and_back_is_not_noticed_by_the_senders(backend: Backend, frail_broker: Broker) -> None:
    """And each sender's order holds, over direct and spooled records, both times."""
    async with opened(backend) as log:
        async with Talk(log, backend.topic) as talk:
            for _ in range(2):
                await talk.more(100)
                frail_broker.pause()
                await until(lambda: log.depth > 50)
                assert log.ready() == (True, log.ready()[1])
                assert "wait in the spool" in log.ready()[1]
                await talk.more(100)
                assert log.oldest is not None
                frail_broker.resume()
                await until(lambda: log.ready() == (True, ""))
        assert (log.depth, log.oldest) == (0, None)
        assert log.spooled > 200
        await assert_all_in_order(log, backend.topic, talk.said)


async def test_while_the_broker_is_known_to_be_away_nobody_waits_for_it(backend: Backend, frail_broker: Broker) -> None:
    async with opened(backend) as log:
        frail_broker.pause()
        await log.append([record(backend.topic, "k", "finds out")])
        asked = 0
        honest = log._kafka.submit

        def counted(records: Any) -> Any:
            nonlocal asked
            asked += 1
            return honest(records)

        log._kafka.submit = counted  # type: ignore[method-assign]
        await asyncio.gather(*(log.append([record(backend.topic, "k", n)]) for n in range(100)))
        assert asked == 0
        assert log.depth == 101


async def test_kill_9_while_draining_loses_nothing_and_keeps_the_order(backend: Backend, frail_broker: Broker) -> None:
    async with child("append", backend, "c") as other:
        await other.until(50)
        frail_broker.pause()
        acknowledged = set(await other.until(len(other.lines) + 500))
        frail_broker.resume()
        await other.until(len(acknowledged) + 50)
        acknowledged |= set(await other.kill())
    async with opened(backend) as log:
        await until(lambda: log.depth == 0)
        found = by_key(await read(log, [backend.topic], until=acknowledged))
    for key, said in found.items():
        once = first_times(said)
        assert once == [f"{key}-{n}" for n in range(len(once))]


async def test_each_process_has_a_spool_of_its_own_and_the_next_takes_what_the_dead_left(
    backend: Backend, frail_broker: Broker, tmp_path: Path
) -> None:
    async with opened(backend) as log, child("append", backend, "c") as other:
        await other.until(20)
        frail_broker.pause()
        await until(lambda: (tmp_path / "log.1.db").exists() and pending(tmp_path / "log.1.db") > 50)
        await other.kill()
        left = pending(tmp_path / "log.1.db")
        await log.append([record(backend.topic, "k", "own")])
        assert pending(tmp_path / "log.db") == 1
    assert pending(tmp_path / "log.1.db") == left
    frail_broker.resume()
    async with opened(backend) as log:
        await until(lambda: log.ready() == (True, ""))
        said = set(values(await read(log, [backend.topic], until=set(other.lines) | {"own"})))
        assert not (tmp_path / "log.1.db").exists()
    assert set(other.lines) | {"own"} <= said


async def test_a_spool_left_behind_is_found_while_running(
    backend: Backend, frail_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "ORPHANS_SECONDS", 0.2)
    async with opened(backend) as log:
        async with opened(backend) as other:
            frail_broker.pause()
            await other.append([record(backend.topic, "k", "left")])
        assert pending(tmp_path / "log.1.db") == 1
        frail_broker.resume()
        await until(lambda: not (tmp_path / "log.1.db").exists() and log.ready() == (True, ""))
        await log.append([record(backend.topic, "k", "after")])
        said = values(await read(log, [backend.topic], until={"after"}))
        assert first_times(said) == ["left", "after"]


async def test_a_full_spool_says_so_and_takes_again_when_it_is_drained(frail_broker: Broker, tmp_path: Path) -> None:
    backend = backend_on(frail_broker, tmp_path, spool_max_bytes=20_000)
    async with opened(backend) as log:
        frail_broker.pause()
        taken = 0

        async def fill() -> None:
            nonlocal taken
            for _ in range(100):
                await log.append([record(backend.topic, "k", f"{taken}{'.' * 1000}")])
                taken += 1

        with pytest.raises(LogFull):
            await fill()
        assert 15 < taken < 25
        assert log.ready()[0] is False
        frail_broker.resume()
        await until(lambda: log.ready() == (True, ""))
        await log.append([record(backend.topic, "k", "again")])
        said = first_times(values(await read(log, [backend.topic], until={"again"})))
        assert [value.rstrip(".") for value in said] == [*map(str, range(taken)), "again"]


async def test_a_disk_with_little_room_is_left_alone(frail_broker: Broker, tmp_path: Path) -> None:
    backend = backend_on(frail_broker, tmp_path)
    kafka = backend.make()._kafka  # type: ignore[union-attr]
    log = SpooledLog(kafka, backend.path, max_bytes=10**9, min_free_bytes=10**18)
    await log.start()
    await log.append([record(backend.topic, "k", "direct")])
    frail_broker.pause()
    with pytest.raises(LogFull):
        await log.append([record(backend.topic, "k", "no room")])
    frail_broker.resume()
    await log.close()


async def test_without_a_spool_an_append_fails_while_the_broker_is_away(frail_broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    backend = backend_on(frail_broker, tmp_path, path=str(tmp_path / "in-the-way" / "log.db"))
    async with opened(backend) as log:
        await log.append([record(backend.topic, "k", "direct")])
        frail_broker.pause()
        with pytest.raises(LogUnavailable):
            await log.append([record(backend.topic, "k", "lost")])
        assert log.ready()[0] is False
        frail_broker.resume()
        await until(lambda: log.ready() == (True, ""))
        await log.append([record(backend.topic, "k", "direct again")])


async def test_what_cannot_be_delivered_is_put_aside_and_holds_up_nothing(
    backend: Backend, frail_broker: Broker, tmp_path: Path
) -> None:
    path = tmp_path / "log.db"
    frail_broker.pause()
    async with opened(backend) as log:
        await log.append([record(backend.topic, "k", "first")])
        await log.append([record(backend.topic, "k", "unreadable")])
        await log.append([record("of-older-settings", "k", "refused")])
        await log.append([record(backend.topic, "k", "last")])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batches SET body = x'93c4' WHERE last = 1")
    frail_broker.resume()
    async with opened(backend) as log:
        await until(lambda: log.ready() == (True, ""))
        assert values(await read(log, [backend.topic], until={"last"})) == ["first", "last"]
        assert (log.depth, log.put_aside) == (0, 1)
    with closing(sqlite3.connect(path)) as connection:
        kept = dict(connection.execute("SELECT topic, body FROM batches WHERE topic != 'spooled'"))
    assert kept["spooled.unreadable"] == b"\x93\xc4"
    assert b"refused" in kept["refused"]
    assert b"of-older-settings" in kept["refused"]


async def test_a_spool_that_is_no_database_is_moved_out_of_the_way(
    backend: Backend, frail_broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database" * 1000)
    async with opened(backend) as log:
        frail_broker.pause()
        await log.append([record(backend.topic, "k", "kept")])
        assert log.depth == 1
        frail_broker.resume()
        assert set(values(await read(log, [backend.topic], until={"kept"}))) == {"kept"}
    assert [moved.read_bytes() for moved in broken(tmp_path)] == [b"not a database" * 1000]


async def test_a_record_that_kafka_will_never_take_is_refused_at_once(backend: Backend) -> None:
    async with opened(backend) as log:
        with pytest.raises(RecordRefused):
            await log.append([Record(backend.topic, b"k", b"x" * 1_100_000)])
        assert log.depth == 0
        await log.append([record(backend.topic, "k", "v")])


async def test_a_consumer_reads_from_kafka(backend: Backend) -> None:
    async with opened(backend) as log:
        await log.append([record(backend.topic, "k", "v")])
        assert values(await fetch(log.consumer("g-spool", [backend.topic]), 1)) == ["v"]


def broken(folder: Path) -> list[Path]:
    """Files that were moved out of the way."""
    return list(folder.glob("log.db.broken-*"))


def pending(path: Path) -> int:
    """Records in a spool's file that were not drained."""
    query = """
    SELECT ifnull(max(last) + 1, 0) - ifnull((SELECT next FROM positions WHERE topic = 'spooled'), 0)
    FROM batches WHERE topic = 'spooled'
    """
    with closing(sqlite3.connect(path)) as connection:
        try:
            count: int = connection.execute(query).fetchone()[0]
        except sqlite3.OperationalError:
            return 0
    return count
