"""``python -m benchmarks``, or ``make bench``: run the benchmarks, print their tables, write their JSON."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import growth, intake, kafka, outage, overview, reply, stages, start, years
from benchmarks.load import MAX_CONNECTIONS
from benchmarks.machine import look
from benchmarks.outcome import Absent, Outcome
from benchmarks.servers import Bare, NotStarted, OnKafka, OnSqlite, Server

RESULTS = Path(__file__).parent / "results"

Run = Callable[..., Awaitable[Outcome]]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


class Name(StrEnum):
    """The benchmarks there are."""

    GROWTH = "growth"
    INTAKE = "intake"
    OUTAGE = "outage"
    OVERVIEW = "overview"
    REPLY = "reply"
    STAGES = "stages"
    START = "start"
    YEARS = "years"


class Log(StrEnum):
    """The gateway's logs."""

    SQLITE = "sqlite"
    KAFKA = "kafka"


class Benchmark(msgspec.Struct, frozen=True):
    """``run(console, work, quick=…)`` measures in a folder of its own, and prints its tables.

    One that takes ``long`` is run when it is named, and by ``--quick``.
    """

    run: Run
    long: bool = False


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

    **outage** asks how intake does while Kafka is away for five minutes under 200 messages a second, killed and then
    stopped: how long an answer takes, how long the spool takes to drain, whether each sender's order holds. It fails
    when a message is refused, lost or out of order.

    **overview** asks how long the operators' first page takes with 50 channels and 1,000,000 cases on PostgreSQL.

    **growth** asks whether look-ups and the dispatcher's transactions stay as fast with 1,000,000 cases in the store as
    with 10,000, by which plans, and what one, two and four dispatchers do on a topic of twelve partitions.

    **reply** asks how many messages a second go the whole way, from the citizen's message in to the provider's yes to
    the reply with its number, and how long that takes at half the rate: embedded in one process, and as three processes
    on Kafka and PostgreSQL. `of bare` is as in intake.

    **stages** asks what one message costs in CPU time at each stage of its way.

    **start** asks how long `gateway run` takes until it is ready, and how much memory it has then.

    **years** replays 1,000,000 reports (`--requests` sets another number) over all four channels through one embedded
    process: whether every one is answered once, and whether memory and speed at the end are those of the beginning.

    What takes long runs only when it is named with `--only`.

    Exit status 1: a message answered 200 is not in the log, or is there twice.
    """
    plan = intake.Plan()
    plan = msgspec.structs.replace(
        plan,
        connections=tuple(connections or plan.connections),
        rounds=rounds or plan.rounds,
        requests=requests or plan.requests,
        warmup=(requests or plan.requests) // 10,
    )
    console = Console(width=None if sys.stdout.isatty() else 140)
    benchmarks = {
        Name.INTAKE: Benchmark(partial(run_intake, plan=plan, logs=set(log or Log))),
        Name.OUTAGE: Benchmark(outage.run, long=True),
        Name.OVERVIEW: Benchmark(overview.run),
        Name.REPLY: Benchmark(reply.run, long=True),
        Name.STAGES: Benchmark(stages.run),
        Name.START: Benchmark(start.run),
        Name.GROWTH: Benchmark(growth.run, long=True),
        Name.YEARS: Benchmark(partial(years.run, letters=requests), long=True),
    }
    failed = False
    for name in only or [name for name, one in benchmarks.items() if quick or not one.long]:
        failed |= asyncio.run(one_of(name, benchmarks[name].run, console, quick=quick))
    raise typer.Exit(1 if failed else 0)


async def one_of(name: Name, run: Run, console: Console, *, quick: bool) -> bool:
    """Look at the machine, run a benchmark, write its JSON; returns whether a message was lost or doubled."""
    RESULTS.mkdir(exist_ok=True)
    # Not in the system's folder for temporary files: that may be memory, where a sync costs nothing.
    work = Path(tempfile.mkdtemp(prefix="work-", dir=RESULTS))
    try:
        machine = look(work)
        console.print(f"{machine}", highlight=False)
        outcome = await run(console, work, quick=quick)
    except NotStarted as error:
        console.print(f"[bold red]{error}[/]")
        return True
    except Absent as reason:
        console.print(f"[yellow]Without {name}:[/] {reason}")
        return False
    finally:
        shutil.rmtree(work, ignore_errors=True)
    now = datetime.now(UTC)
    file = RESULTS / f"{name}-{now:%Y%m%d-%H%M%S}.json"
    report = {"benchmark": name, "at": now, "machine": machine, "figures": outcome.figures}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    console.print(f"Written to {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")
    return outcome.failed


async def run_intake(console: Console, work: Path, *, plan: intake.Plan, logs: set[Log], quick: bool) -> Outcome:
    """Start the servers, measure, print; ``quick`` makes fewer requests."""
    if quick:
        plan = msgspec.structs.replace(plan, connections=(1, 16), rounds=1, requests=2_000, warmup=200)
    async with AsyncExitStack() as stack:
        servers: list[Server] = [await stack.enter_async_context(Bare(work / "bare"))]
        if Log.SQLITE in logs:
            servers.append(await stack.enter_async_context(OnSqlite(work / "sqlite")))
        if Log.KAFKA in logs:
            try:
                bootstrap = await stack.enter_async_context(kafka.broker(work / "broker"))
            except Absent as reason:
                console.print(f"[yellow]Without Kafka:[/] {reason}")
            else:
                servers.append(await stack.enter_async_context(OnKafka(work / "kafka", bootstrap)))
        loads = await measure(plan, servers, console)
    figures = intake.figures(loads, Bare.name)
    console.print(intake.table(figures, plan.rounds))
    failed = any(row.lost or row.doubled for row in figures)
    return Outcome({"plan": plan, "medians": figures, "loads": loads}, failed)


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
