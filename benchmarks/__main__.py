"""``python -m benchmarks``, or ``make bench``: run the benchmarks, print their tables, write their JSON."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import intake, kafka, overview
from benchmarks.load import MAX_CONNECTIONS
from benchmarks.machine import Machine, look
from benchmarks.servers import Bare, NotStarted, OnKafka, OnSqlite, Server

RESULTS = Path(__file__).parent / "results"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


class Name(StrEnum):
    """The benchmarks there are."""

    INTAKE = "intake"
    OVERVIEW = "overview"


class Log(StrEnum):
    """The gateway's logs."""

    SQLITE = "sqlite"
    KAFKA = "kafka"


class Report(msgspec.Struct, frozen=True):
    """What is written as JSON: the medians, and every load that they come from."""

    benchmark: str
    at: datetime
    machine: Machine
    plan: intake.Plan
    figures: list[intake.Figures]
    loads: list[intake.Load]


@app.command()
def main(
    only: Annotated[
        list[Name] | None, typer.Option(help="Run this benchmark alone; may be given again.", show_default=False)
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A few seconds for each: does it run, and is nothing lost? No figures to quote."),
    ] = False,
    connections: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=MAX_CONNECTIONS,
            help="Connections held open at once; may be given again.",
            show_default="1 16 64 256",
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, max=100, help="Rounds.", show_default="5")] = None,
    requests: Annotated[
        int | None, typer.Option(min=100, max=1_000_000, help="Requests of one load.", show_default="20000")
    ] = None,
    log: Annotated[
        list[Log] | None, typer.Option(help="The gateway on this log; may be given again.", show_default="both")
    ] = None,
) -> None:
    """Measure this gateway beside a reference, in one run, on this machine.

    **intake** asks how many webhook messages a second one process makes durable, and how long an answer takes. The
    reference is a bare aiohttp handler that only reads the form: `of bare` is the gateway's rate divided by its rate.
    Figures are medians over the rounds; each round loads every server in turn. Server, load generator and Kafka share
    this machine, so close what else runs, and compare ratios rather than figures.

    With one connection a message waits for one sync of the disk, which the first line of the output gives; with many,
    one sync serves all that came meanwhile.

    **overview** asks how long the operators' first page takes with 50 channels and 1,000,000 cases on PostgreSQL.

    Exit status 1: a message answered 200 is not in the log, or is there twice.
    """
    plan = intake.Plan()
    if quick:
        plan = intake.Plan(connections=(1, 16), rounds=1, requests=2_000)
    plan = msgspec.structs.replace(
        plan,
        connections=tuple(connections or plan.connections),
        rounds=rounds or plan.rounds,
        requests=requests or plan.requests,
        warmup=(requests or plan.requests) // 10,
    )
    console = Console(width=None if sys.stdout.isatty() else 140)
    failed = False
    for name in only or list(Name):
        match name:
            case Name.INTAKE:
                failed |= asyncio.run(run_intake(plan, set(log or Log), console))
            case Name.OVERVIEW:
                asyncio.run(run_overview(console, quick=quick))
    raise typer.Exit(1 if failed else 0)


async def run_intake(plan: intake.Plan, logs: set[Log], console: Console) -> bool:
    """Start the servers, measure, print, write; returns whether a message was lost or doubled."""
    RESULTS.mkdir(exist_ok=True)
    # Not in the system's folder for temporary files: that may be memory, where a sync costs nothing.
    work = Path(tempfile.mkdtemp(prefix="work-", dir=RESULTS))
    try:
        machine = look(work)
        console.print(f"{machine}", highlight=False)
        async with AsyncExitStack() as stack:
            servers: list[Server] = [await stack.enter_async_context(Bare(work / "bare"))]
            if Log.SQLITE in logs:
                servers.append(await stack.enter_async_context(OnSqlite(work / "sqlite")))
            if Log.KAFKA in logs:
                try:
                    bootstrap = await stack.enter_async_context(kafka.broker(work / "broker"))
                except kafka.Absent as reason:
                    console.print(f"[yellow]Without Kafka:[/] {reason}")
                else:
                    servers.append(await stack.enter_async_context(OnKafka(work / "kafka", bootstrap)))
            loads = await measure(plan, servers, console)
    except NotStarted as error:
        console.print(f"[bold red]{error}[/]")
        return True
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures = intake.figures(loads, Bare.name)
    console.print(intake.table(figures, plan.rounds))
    now = datetime.now(UTC)
    file = RESULTS / f"intake-{now:%Y%m%d-%H%M%S}.json"
    report = Report("intake", now, machine, plan, figures, loads)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    console.print(f"Written to {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")
    return any(row.lost or row.doubled for row in figures)


async def run_overview(console: Console, *, quick: bool) -> None:
    """Fill a store, measure, print, write."""
    RESULTS.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="work-", dir=RESULTS))
    try:
        machine = look(work)
        console.print(f"{machine}", highlight=False)
        figures = await overview.run(console, work, quick=quick)
    except ModuleNotFoundError as error:
        console.print(f"[yellow]Without PostgreSQL:[/] it needs {error.name}; run `make bench` in a clone")
        return
    finally:
        shutil.rmtree(work, ignore_errors=True)
    now = datetime.now(UTC)
    file = RESULTS / f"overview-{now:%Y%m%d-%H%M%S}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode({"at": now, "machine": machine, "figures": figures})))


async def measure(plan: intake.Plan, servers: list[Server], console: Console) -> list[intake.Load]:
    """All loads, with a progress bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("intake", total=len(plan.connections) * plan.rounds * len(servers))

        def done(load: intake.Load) -> None:
            at = f"{load.result.connections} connections, {load.server}"
            progress.update(task, advance=1, description=f"{at}: {load.result.rate:,.0f}/s")

        return await intake.measure(plan, servers, done)


if __name__ == "__main__":
    app()
