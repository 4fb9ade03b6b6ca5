"""The soak's clocks step for one process, and for nothing but its wall clock."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.soak.clocks import Clocks, compiler
from tests.services import in_ci

# Tells its own number, and that of a child that it forks; then, after each line it is sent, what its clocks say.
TELLER = """
import os, sys, time
from datetime import UTC, datetime
down, up = os.pipe()
born, there = os.pipe()
child = os.fork()
if child == 0:
    os.write(there, b"x")
    os.read(down, 1)
    os.write(1, f"{time.time()}\\n".encode())
    os._exit(0)
# The child's clock is made in the child.
os.read(born, 1)
print(os.getpid(), child, flush=True)
for _ in sys.stdin:
    print(time.time(), datetime.now(UTC).timestamp(), time.monotonic(), flush=True)
os.write(up, b"x")
os.waitpid(child, 0)
"""
HOUR = 3600


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    if not compiler():
        # As with a service: where the whole is vouched for, a part that was not tried is a failure.
        (pytest.fail if in_ci() else pytest.skip)("the soak's clocks need a C compiler")
    return Clocks(tmp_path)


def off(process: subprocess.Popen[str]) -> list[int]:
    """By how many hours each of a process's clocks is off, as it tells itself: wall clock, date, monotonic clock."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    wall, date, monotonic = map(float, process.stdout.readline().split())
    now, ticks = time.time(), time.monotonic()
    return [round(seconds / HOUR) for seconds in (wall - now, date - now, monotonic - ticks)]


def test_one_process_s_wall_clock_steps(clocks: Clocks) -> None:
    with clocks.ticking():
        process = subprocess.Popen(
            [sys.executable, "-c", TELLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    assert process.stdout is not None
    with process:
        own, child = map(int, process.stdout.readline().split())
        assert off(process) == [0, 0, 0]
        clocks.set(own, 2 * HOUR)
        assert off(process) == [2, 2, 0]
        clocks.set(own, -HOUR)
        clocks.set(child, 5 * HOUR)
        assert off(process) == [-1, -1, 0]
        forked, _ = process.communicate()
        assert round((float(forked) - time.time()) / HOUR) == 5


def test_who_has_no_clock_of_its_own_is_told(clocks: Clocks) -> None:
    with pytest.raises(FileNotFoundError):
        clocks.set(1, HOUR)
