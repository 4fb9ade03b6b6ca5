"""What a figure depends on: the machine, the versions, how fast the disk syncs."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

SYNCS = 50


class Machine(msgspec.Struct, frozen=True):
    """Facts beside every table. ``sync_ms`` is the median time of an fsync of 4 KiB where the logs are written."""

    processor: str
    cores: int
    system: str
    python: str
    packages: dict[str, str]
    load_before: float
    sync_ms: float

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.cores} cores, {self.processor}, {self.system}; Python {self.python}, {packages}; "
            f"fsync of 4 KiB {self.sync_ms:.2f} ms; load average before the start {self.load_before:.2f}"
        )


def look(folder: Path) -> Machine:
    """Look at this machine; the disk is that of ``folder``."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: version(name) for name in ("aiohttp", "uvloop", "aiokafka", "msgspec")},
        load_before=os.getloadavg()[0],
        sync_ms=_sync_ms(folder),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _sync_ms(folder: Path) -> float:
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)
