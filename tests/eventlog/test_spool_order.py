"""The spool's order and completeness under any interleaving of appends, confirmations and outages."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.eventlog import spool as spool_module
from gateway.eventlog.base import LogUnavailable, Record
from gateway.eventlog.kafka import KafkaLog
from gateway.eventlog.spool import SpooledLog
from gateway.eventlog.sqlite_writer import Statement, Writer
from tests.eventlog.backends import PATIENCE, first_times, record, until

TOPIC = "t"


@dataclass
class Append:
    """A sender says the next thing, without waiting for the last."""

    key: int


@dataclass
class Confirm:
    """Kafka confirms the oldest appends."""

    count: int


@dataclass
class Lose:
    """Kafka stays, but the appends under way for one key are not confirmed."""

    key: int


@dataclass
class Break:
    """Kafka goes away; of the appends under way, some became durable unseen."""

    durable: int


@dataclass
class Mend:
    """Kafka comes back."""


@dataclass
class Tick:
    """Time passes: a loop's turn, or what an fsync takes."""

    seconds: float


STEPS = st.lists(
    st.one_of(
        st.builds(Append, st.integers(0, 2)),
        st.builds(Append, st.integers(0, 2)),
        st.builds(Confirm, st.integers(1, 4)),
        st.builds(Lose, st.integers(0, 2)),
        st.builds(Break, st.integers(0, 3)),
        st.builds(Mend),
        st.builds(Tick, st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.005])),
    ),
    max_size=60,
)


class ScriptedKafka:
    """A Kafka whose every answer is given by the test."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.up = True
        self.willing = False
        self._pending: list[tuple[Sequence[Record], asyncio.Future[None]]] = []

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    def ready(self) -> tuple[bool, str]:
        return self.up, "" if self.up else "away"

    async def append(self, records: Sequence[Record]) -> None:
        await self.submit(records)

    def submit(self, records: Sequence[Record]) -> asyncio.Future[None]:
        if not self.up:
            raise LogUnavailable("away")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((records, future))
        if self.willing:
            self.confirm(len(self._pending))
        return future

    def confirm(self, count: int) -> None:
        for _ in range(min(count, len(self._pending))):
            records, future = self._pending.pop(0)
            self.records += records
            future.set_result(None)

    async def come_back(self) -> None:
        """A new connection takes longer than it takes those to wake up who waited on the last."""
        for _ in range(3):
            await asyncio.sleep(0)
        self.up = True

    def lose(self, key: bytes) -> None:
        lost = [one for one in self._pending if one[0][0].key == key]
        self._pending = [one for one in self._pending if one not in lost]
        for _, future in lost:
            future.set_exception(LogUnavailable("no confirmation"))

    def go_away(self, durable: int) -> None:
        self.up = False
        for records, _ in self._pending[:durable]:
            self.records += records
        pending, self._pending = self._pending, []
        for _, future in pending:
            future.set_exception(LogUnavailable("no confirmation"))


async def play(steps: Sequence[object], folder: Path) -> tuple[list[Record], list[str]]:
    """Run the script; returns what is in Kafka at the end and what was acknowledged."""
    kafka = ScriptedKafka()
    log = SpooledLog(cast("KafkaLog", kafka), folder / "log.db", max_bytes=10**9)
    await log.start()
    said: dict[int, int] = {}
    acknowledged: list[str] = []

    async def append(key: int, value: str) -> None:
        await log.append([record(TOPIC, key, value)])
        acknowledged.append(value)

    async with asyncio.TaskGroup() as tasks:
        for step in steps:
            match step:
                case Append(key):
                    number = said[key] = said.get(key, -1) + 1
                    tasks.create_task(append(key, f"{key}-{number}"))
                case Confirm(count):
                    kafka.confirm(count)
                case Lose(key):
                    kafka.lose(str(key).encode())
                case Break(durable):
                    kafka.go_away(durable)
                case Mend():
                    await kafka.come_back()
                case Tick(seconds):
                    await asyncio.sleep(seconds)
        await kafka.come_back()
        kafka.willing = True
        kafka.confirm(10**6)
    await until(lambda: log.ready() == (True, ""))
    assert log.depth == 0
    await log.close()
    assert len(acknowledged) == sum(number + 1 for number in said.values())
    return kafka.records, acknowledged


@settings(max_examples=60)
@given(STEPS)
def test_every_senders_words_arrive_in_order(steps: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(Writer, "_transact", slowly(Writer._transact))
        patch.setattr(spool_module, "FIRST_BACKOFF", 0.001)
        patch.setattr(spool_module, "LONGEST_BACKOFF", 0.002)
        arrived, acknowledged = asyncio.run(play(steps, Path(folder)))
    assert {one.value.decode() for one in arrived} == set(acknowledged)
    for key, said in grouped(arrived).items():
        once = first_times(said)
        assert once == [f"{key}-{n}" for n in range(len(once))]


async def test_what_comes_while_the_disk_syncs_shares_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a disk that is slow for a moment delays what comes meanwhile once, not a message after the other."""
    kafka = ScriptedKafka()
    kafka.up = False
    log = SpooledLog(cast("KafkaLog", kafka), tmp_path / "log.db", max_bytes=10**9)
    await log.start()
    spool = log._own
    assert spool is not None
    honest, stalled, synced = Writer._transact, threading.Event(), 0

    def stall(self: Writer, statements: Sequence[Statement]) -> None:
        nonlocal synced
        synced += 1
        stalled.wait(PATIENCE)
        honest(self, statements)

    monkeypatch.setattr(Writer, "_transact", stall)
    appends = [asyncio.create_task(log.append([record(TOPIC, "k", "first")]))]
    await until(lambda: synced == 1)
    for n in range(200):
        appends.append(asyncio.create_task(log.append([record(TOPIC, n, n)])))
        await asyncio.sleep(0)
    await until(lambda: log.depth == 201 and not spool._log._tick)
    stalled.set()
    await asyncio.gather(*appends)
    assert synced == 2
    await log.close()


def slowly(transact: Callable[[Writer, Sequence[Statement]], None]) -> Callable[[Writer, Sequence[Statement]], None]:
    """A disk whose sync takes long enough for something to happen meanwhile."""

    def wait(self: Writer, statements: Sequence[Statement]) -> None:
        time.sleep(0.003)
        transact(self, statements)

    return wait


def grouped(records: Sequence[Record]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in records:
        found.setdefault(one.key.decode(), []).append(one.value.decode())
    return found
