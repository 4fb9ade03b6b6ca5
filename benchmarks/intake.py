"""Intake: durable webhook messages a second, the gateway on each of its logs beside a bare aiohttp handler.

Every round loads each server once, one after the other, so that what else happens on the machine meets all of them;
the figures are medians over the rounds. After each load the records in the log are counted: each 200 must have
become exactly one.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec
from rich.table import Table

from benchmarks.load import Result
from benchmarks.servers import TOKEN, Server
from benchmarks.usage import ticks

SETTLE_SECONDS = 30.0


class Plan(msgspec.Struct, frozen=True):
    """What to measure. ``requests`` and ``warmup`` are for one load with 64 connections or more."""

    connections: tuple[int, ...] = (1, 16, 64, 256)
    rounds: int = 5
    requests: int = 20_000
    warmup: int = 2_000

    def requests_for(self, connections: int) -> tuple[int, int]:
        """Measured and warm-up requests: fewer where few connections wait for each sync, so a load takes as long."""
        share = min(1.0, max(0.1, connections / 64))
        return max(connections, round(self.requests * share)), max(connections, round(self.warmup * share))

    def loads(self, servers: Sequence[Server]) -> Iterator[tuple[int, int, Server]]:
        """Round, connections and server of each load, in the order in which they are run."""
        for connections in self.connections:
            for number in range(1, self.rounds + 1):
                for server in servers:
                    yield number, connections, server


class Load(msgspec.Struct, frozen=True):
    """One load of one server. ``durable`` is how many records its log gained; ``None`` where it keeps nothing.

    ``stolen`` is the share of the cores that a virtual machine was denied meanwhile.
    """

    server: str
    round: int
    result: Result
    durable: int | None
    stolen: float = 0.0

    @property
    def lost(self) -> int:
        """Requests answered 200 that the log does not hold."""
        return 0 if self.durable is None else max(0, self.result.taken - self.durable)

    @property
    def doubled(self) -> int:
        """Records that no request explains; a refused one may still have been written."""
        return 0 if self.durable is None else max(0, self.durable - self.result.taken - self.result.refused)


class Figures(msgspec.Struct, frozen=True):
    """Medians of one server at one number of connections; times in milliseconds. ``of_bare`` is the rate's ratio.

    ``stolen`` is the mean over the rounds, of which few may have it all.
    """

    server: str
    connections: int
    rate: float
    of_bare: float
    p50: float
    p99: float
    p99_of_bare: float
    p999: float
    refused: int
    lost: int
    doubled: int
    stolen: float


async def measure(plan: Plan, servers: Sequence[Server], done: Callable[[Load], None]) -> list[Load]:
    """Run all loads; ``done`` hears of each."""
    loads = []
    for number, connections, server in plan.loads(servers):
        load = await _load(plan, number, connections, server)
        done(load)
        loads.append(load)
    return loads


async def _load(plan: Plan, number: int, connections: int, server: Server) -> Load:
    before = await server.durable()
    requests, warmup = plan.requests_for(connections)
    then = ticks()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.load", server.url, "--token", TOKEN, "--run", f"{number}-{connections}"),
        *("--connections", str(connections), "--requests", str(requests), "--warmup", str(warmup)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the load of {server.name} failed, see above")
    stolen = ticks().stolen_since(then)
    result = msgspec.json.decode(output, type=Result)
    if before is None:
        return Load(server.name, number, result, None, stolen)
    return Load(server.name, number, result, await _gained(server, before, result.taken), stolen)


async def _gained(server: Server, before: int, expected: int) -> int:
    """Records gained. What the gateway's spool took may reach Kafka a little later."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        gained = (await server.durable() or 0) - before
        if gained >= expected or asyncio.get_running_loop().time() > deadline:
            return gained
        await asyncio.sleep(0.2)


def figures(loads: Sequence[Load], reference: str) -> list[Figures]:
    """Medians over the rounds, each with its ratio to the server named ``reference``, in the order of the loads."""
    groups: dict[tuple[int, str], list[Load]] = {}
    for load in loads:
        groups.setdefault((load.result.connections, load.server), []).append(load)
    found = []
    for (connections, name), group in groups.items():
        bare = groups[connections, reference]
        found.append(
            Figures(
                server=name,
                connections=connections,
                rate=_median(group, "rate"),
                of_bare=_median(group, "rate") / _median(bare, "rate"),
                p50=_median(group, "p50"),
                p99=_median(group, "p99"),
                p99_of_bare=_median(group, "p99") / _median(bare, "p99"),
                p999=_median(group, "p999"),
                refused=sum(load.result.refused for load in group),
                lost=sum(load.lost for load in group),
                doubled=sum(load.doubled for load in group),
                stolen=statistics.mean(load.stolen for load in group),
            )
        )
    return found


def _median(loads: Sequence[Load], field: str) -> float:
    values: list[float] = [getattr(load.result, field) for load in loads]
    return statistics.median(values)


def table(rows: Sequence[Figures], rounds: int) -> Table:
    """The figures for people."""
    made = Table(title=f"Intake: durable webhook messages, medians of {rounds} rounds", title_justify="left")
    made.add_column("connections", justify="right")
    made.add_column("server")
    times = ("p50 ms", "p99 ms", "× bare", "p99.9 ms")
    for name in ("messages/s", "of bare", *times, "stolen", "refused", "lost", "doubled"):
        made.add_column(name, justify="right")
    last = 0
    for row in rows:
        if last and row.connections != last:
            made.add_section()
        made.add_row(
            str(row.connections) if row.connections != last else "",
            row.server,
            f"{row.rate:,.0f}",
            f"{row.of_bare:.0%}",
            f"{row.p50:.2f}",
            f"{row.p99:.2f}",
            f"{row.p99_of_bare:.2f}",
            f"{row.p999:.2f}",
            f"{row.stolen:.0%}",
            _count(row.refused),
            _count(row.lost),
            _count(row.doubled),
        )
        last = row.connections
    return made


def _count(number: int) -> str:
    return f"[bold red]{number:,}[/]" if number else "0"
