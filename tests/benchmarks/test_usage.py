"""What processes used, from Linux's own account of them, and what that makes for each message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.outcome import Absent
from benchmarks.roles import Reading, between
from benchmarks.usage import Ticks, cpu_of, family, files_of, named, ticks, usage_of


def test_a_process_is_charged_for_what_it_uses() -> None:
    before = usage_of(os.getpid())
    kept = bytearray(64 * 1024 * 1024)
    while cpu_of(os.getpid()) - before.cpu < 0.05:
        sum(range(100_000))
    after = usage_of(os.getpid())
    assert after.memory - before.memory > len(kept) // 2


def test_children_are_found_by_what_they_run() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = family(os.getpid())
        assert child.pid in found
        name = Path(f"/proc/{child.pid}/comm").read_text(encoding="utf-8").strip()
        assert child.pid in named(name, found)
        child.communicate(b"\n")


def test_a_process_that_has_ended_has_used_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert cpu_of(child.pid) == 0.0
    with pytest.raises(Absent):
        usage_of(child.pid)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (Ticks(1_000, 100), Ticks(1_400, 200), 0.25),
        (Ticks(1_000, 100), Ticks(1_400, 100), 0.0),
        (Ticks(0, 0), Ticks(0, 0), 0.0),
    ],
)
def test_what_the_machine_beneath_took_is_a_share_of_all_cores(before: Ticks, after: Ticks, share: float) -> None:
    assert after.stolen_since(before) == share


def test_the_machines_own_account_goes_on() -> None:
    before, spent = ticks(), cpu_of(os.getpid())
    while cpu_of(os.getpid()) - spent < 0.1:
        sum(range(100_000))
    after = ticks()
    assert after.whole > before.whole
    assert 0.0 <= after.stolen_since(before) <= 1.0


def test_files_are_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(bytes(10))
    (tmp_path / "blobs").mkdir()
    assert files_of(tmp_path) == {"log.db": 10}


def test_each_message_bears_its_share() -> None:
    before = Reading(at=10.0, role=1.0, postgres=2.0, broker=3.0, wal=1_000, store=0, topics=500)
    after = Reading(at=14.0, role=3.0, postgres=3.0, broker=3.5, wal=801_000, store=400_000, topics=200_500)
    used = between("dispatch", before, after, 1_000)
    assert (used.rate, used.role_us, used.postgres_us, used.broker_us) == (250.0, 2_000.0, 1_000.0, 500.0)
    assert (used.wal_bytes, used.store_bytes, used.topic_bytes) == (800.0, 400.0, 200.0)
