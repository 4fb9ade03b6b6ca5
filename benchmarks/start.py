"""How long ``gateway run`` takes until it is ready, and how much memory it has then, idle.

Each start is a process of its own on a store that is up to date, as after a restart. Beside it stand the times of the
interpreter alone and of the program's imports, and the packages whose import takes longest. The processes run one
after the other; the figures are medians.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.outcome import Outcome
from benchmarks.servers import TOKEN, Server, free_port
from benchmarks.usage import ticks

IDLE_SECONDS = 3.0
IMPORTS = "import gateway.cli, gateway.log, gateway.app, gateway.console.pages"
"""What `gateway run` imports before it listens, but for its channels."""
TOP = 12

_IMPORTED = re.compile(r"import time: +(\d+) \| +\d+ \| +([^.\s]+)")

SMS = (
    '[channels.sms]\ntype = "sms"\ndialect = "kannel"\nsender = "1708"\n'
    f'webhook_token = "{TOKEN}"\nusername = "benchmark"\npassword = "benchmark"\n'
    'send_url = "{provider}/cgi-bin/sendsms"\n'
)
OTHERS = (
    '[channels.telegram]\ntype = "telegram"\ntoken = "1:benchmark"\nmode = "polling"\napi_url = "{provider}"\n'
    '[channels.twitter]\ntype = "twitter"\nmode = "mentions"\napi_url = "{provider}"\nhandle = "lapor1708"\n'
    'user_id = "1"\nbearer_token = "benchmark"\n'
    '[channels.email]\ntype = "email"\naddress = "lapor@example.go.id"\nlisten = "127.0.0.1:{port}"\n'
    'smtp_url = "smtp://127.0.0.1:{port}"\n'
)


class Start(msgspec.Struct, frozen=True):
    """One start: seconds until ready, of CPU time until then, and MiB resident some seconds later.

    ``stolen`` is the share of the cores that a virtual machine was denied until it was ready.
    """

    ready: float
    cpu: float
    memory: float
    stolen: float


class Import(msgspec.Struct, frozen=True):
    """What importing the modules of one package takes, in milliseconds."""

    package: str
    milliseconds: float


class Figures(msgspec.Struct, frozen=True):
    """Medians of one configuration, and what they should stay under."""

    channels: str
    ready: float
    cpu: float
    memory: float
    stolen: float
    target_ready: float
    target_memory: float


class Starting(Server):
    """A whole gateway with these channels; nothing answers where it looks for its providers."""

    name = "gateway"

    def __init__(self, folder: Path, channels: str) -> None:
        super().__init__(folder)
        self._settings = folder / "gateway.toml"
        nowhere = free_port()
        self._settings.write_text(
            f'[server]\nport = {self.port}\n\n[log]\npath = "{folder}/log.db"\n\n'
            f'[store]\nurl = "sqlite+aiosqlite:///{folder}/gateway.db"\n\n[blobs]\npath = "{folder}/blobs"\n\n'
            + channels.format(provider=f"http://127.0.0.1:{nowhere}", port=free_port())
        )

    def command(self) -> list[str]:
        """The program as it is started by people."""
        return ["-m", "gateway", "run", "--config", str(self._settings)]


async def starts(folder: Path, channels: str, *, rounds: int, idle: float) -> list[Start]:
    """Start it so many times, after a first start that makes the store's tables."""
    server = Starting(folder, channels)
    async with server:
        pass
    found = []
    for _ in range(rounds):
        began, then = time.perf_counter(), ticks()
        async with server:
            ready, cpu, stolen = time.perf_counter() - began, _cpu(server.pid), ticks().stolen_since(then)
            await asyncio.sleep(idle)
            found.append(Start(ready, cpu, _memory(server.pid), stolen))
    return found


def figures(channels: str, found: Sequence[Start], target_ready: float, target_memory: float) -> Figures:
    """Medians of the starts."""
    return Figures(
        channels,
        statistics.median(one.ready for one in found),
        statistics.median(one.cpu for one in found),
        statistics.median(one.memory for one in found),
        statistics.median(one.stolen for one in found),
        target_ready,
        target_memory,
    )


def alone(program: str, rounds: int) -> float:
    """Seconds that the interpreter takes for this program, median."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def imports() -> list[Import]:
    """The packages whose modules take longest to import, by their own time (``-X importtime``), longest first."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", IMPORTS], check=True, capture_output=True, text=True
    )
    spent: Counter[str] = Counter()
    for found in _IMPORTED.finditer(run.stderr):
        spent[found[2]] += int(found[1])
    return [Import(package, microseconds / 1000) for package, microseconds in spent.most_common(TOP)]


def table(found: Sequence[Figures], rounds: int) -> Table:
    """What is printed of the starts."""
    shown = Table(title=f"gateway run, median of {rounds} starts on a store that is up to date")
    shown.add_column("channels")
    for column in ("ready", "target", "CPU until then", "stolen", "idle memory", "target"):
        shown.add_column(column, justify="right")
    for one in found:
        shown.add_row(
            one.channels,
            f"{one.ready:.2f} s",
            f"< {one.target_ready} s",
            f"{one.cpu:.2f} s",
            f"{one.stolen:.0%}",
            f"{one.memory:.0f} MiB",
            f"< {one.target_memory:.0f} MiB",
        )
    return shown


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` starts each once."""
    rounds, idle = (1, 0.5) if quick else (5, IDLE_SECONDS)
    found = []
    for name, channels, ready, memory in (("sms", SMS, 1.5, 120.0), ("all four", SMS + OTHERS, 3.0, 180.0)):
        these = await starts(work / name.replace(" ", "-"), channels, rounds=rounds, idle=idle)
        found.append(figures(name, these, ready, memory))
    console.print(table(found, rounds))
    interpreter, imported = alone("pass", rounds), alone(IMPORTS, rounds)
    console.print(f"The interpreter alone: {interpreter:.2f} s; with the program's imports: {imported:.2f} s")
    longest = imports()
    console.print("Longest imports: " + ", ".join(f"{one.package} {one.milliseconds:.0f} ms" for one in longest))
    return Outcome({"starts": found, "interpreter": interpreter, "imports": imported, "longest": longest})


def _cpu(pid: int) -> float:
    """Seconds of CPU time that a process has used (proc(5), ``stat``: utime and stime)."""
    told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """MiB of a process that are in memory (proc(5), ``statm``: resident)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
