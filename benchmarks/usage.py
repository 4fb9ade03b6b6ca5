"""What a process uses, as Linux tells it (proc(5)), and how large its files are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from benchmarks.outcome import Absent

MIB = 1024 * 1024


class Usage(msgspec.Struct, frozen=True):
    """``memory`` is the resident set in bytes, ``cpu`` the processor time of all threads in seconds."""

    memory: int
    cpu: float


def usage_of(pid: int) -> Usage:
    """What a process uses now, without its children. Raises :class:`Absent` where there is no ``/proc``."""
    try:
        return _usage(pid)
    except OSError as error:
        raise Absent("a process's memory and processor time are read from Linux's /proc") from error


def cpu_of(*pids: int) -> float:
    """The processor time of several processes in seconds; one that has ended meanwhile has none."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += _usage(pid).cpu
    return total


def family(pid: int) -> list[int]:
    """A process and its children that live, such as a database's backends."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += [one for child in task.read_text(encoding="utf-8").split() for one in family(int(child))]
    return found


def named(name: str, pids: Iterable[int]) -> list[int]:
    """Those of the processes that run this program."""
    found = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name:
                found.append(pid)
    return found


class Ticks(msgspec.Struct, frozen=True):
    """The processor time of all cores since the machine's start, in the system's ticks.

    ``stolen`` is what it would have used, had the machine beneath it not been at other work (proc(5), ``steal``).
    """

    whole: int
    stolen: int

    def stolen_since(self, before: Ticks) -> float:
        """The share that was stolen since ``before``, from 0 to 1."""
        whole = self.whole - before.whole
        return (self.stolen - before.stolen) / whole if whole else 0.0


def ticks() -> Ticks:
    """The account of this moment; one that stands still where there is no ``/proc``."""
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return Ticks(0, 0)
    # A guest's time, behind these, is in the user's already.
    spent = [int(field) for field in first.split()[1:9]]
    return Ticks(sum(spent), spent[7])


def files_of(folder: Path) -> dict[str, int]:
    """The bytes of each file in a folder, by name."""
    return {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}


def _usage(pid: int) -> Usage:
    # The name in brackets may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    ticks = int(fields[11]) + int(fields[12])
    return Usage(int(pages) * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))
