"""Growth: what stays as fast with 1,000,000 cases as with 10,000, and what several dispatchers do together.

A store on SQLite and one on PostgreSQL are filled step by step (:mod:`benchmarks.grown`). At each size the gateway's
own code looks cases and messages up and dispatches batches (:mod:`benchmarks.hot`); figures are medians. The database
is asked how it carries out every statement that was heard: none may read a table of the years from end to end.

Then each role's process is measured alone (:mod:`benchmarks.roles`), and one, two and four dispatchers share a topic of
twelve partitions (:mod:`benchmarks.partitions`). From these costs ``docs/scaling.md`` reckons.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import grown, hot, partitions, roles
from benchmarks.outcome import Absent, Outcome
from benchmarks.plans import Plan, listened, plans_of
from benchmarks.postgres import database
from benchmarks.usage import cpu_of, family
from gateway.store.engine import Store
from gateway.store.migrate import migrate

SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (500, 2_000)
LARGE = 100_000
"""Cases from which PostgreSQL's own choice of a plan is the one that counts: of fewer it may well read all."""
TIMES = 11
ONCE = 10
"""What is done once takes less time than the clock of a busy machine tells: it is done so many times as often."""


class Time(msgspec.Struct, frozen=True):
    """One work on one database at one size, in milliseconds: the median with its quartiles, and processor time.

    ``cpu_ms`` is the mean over all times, of this process and of all of the database's: on a machine that does much
    else it tells more than the clock.
    """

    database: str
    cases: int
    work: str
    size: int
    cpu_ms: float
    median_ms: float
    low_ms: float
    high_ms: float


class Figures(msgspec.Struct, frozen=True):
    """All times, the plans of every statement at the last size, the roles' costs, and the dispatchers'."""

    times: list[Time]
    plans: dict[str, list[Plan]]
    costs: list[roles.Figures]
    dispatchers: list[partitions.Figures]


async def measure(
    name: str, store: Store, sizes: Sequence[int], times: int, console: Console
) -> tuple[list[Time], list[Plan]]:
    """Grow a store through the sizes; the times at each, and the plans at the last."""
    found: list[Time] = []
    before = 0
    now = time.time()
    for cases in sizes:
        console.print(f"{name}: filling up to {cases:,} cases …", highlight=False)
        await grown.grow(store, before + 1, cases, ahead=sizes[-1], now=now)
        before = cases
        chance = random.Random(cases)

        def draw(cases: int = cases, chance: random.Random = chance) -> int:
            return chance.randint(4, cases)

        with listened(store) as heard:
            for work in hot.works():
                await work.do(store, draw)
                used = await _used(store)
                took = sorted([await work.do(store, draw) for _ in range(times * (ONCE if work.size == 1 else 1))])
                cpu = 1000 * (await _used(store) - used) / len(took)
                low, _, high = (1000 * one for one in statistics.quantiles(took, n=4, method="inclusive"))
                found.append(Time(name, cases, work.name, work.size, cpu, 1000 * statistics.median(took), low, high))
    return found, await plans_of(store, heard, any_size=before < LARGE)


async def _used(store: Store) -> float:
    """Seconds of processor time so far: ours, and that of the database's processes where it has its own."""
    own = time.process_time()
    return own if store.sqlite else own + cpu_of(*family(await roles.postmaster(store)))


def table(times: Sequence[Time], sizes: Sequence[int]) -> Table:
    """A row a work and database, a column a size."""
    title = "Milliseconds by the number of cases in the store: processor time, and the clock's median"
    shown = Table(title=title, title_justify="left")
    shown.add_column("database")
    shown.add_column("work")
    for cases in sizes:
        shown.add_column(f"{cases:,}", justify="right")
    shown.add_column("CPU, last to first", justify="right")
    rows: dict[tuple[str, str], list[Time]] = {}
    for one in times:
        rows.setdefault((one.database, one.work), []).append(one)
    last = ""
    for (name, work), row in rows.items():
        if last and name != last:
            shown.add_section()
        cells = [f"{one.cpu_ms:.2f} ({one.median_ms:.2f})" for one in row]
        shown.add_row(name if name != last else "", work, *cells, f"{row[-1].cpu_ms / row[0].cpu_ms:.2f}")
        last = name
    return shown


def scans(name: str, plans: Sequence[Plan], console: Console) -> None:
    """Say how the statements are carried out, and show every one that reads a large table from end to end."""
    bad = [plan for plan in plans if plan.scans]
    by_index = len(plans) - len(bad)
    console.print(f"{name}: {len(plans)} statements, {by_index} of them by an index alone", highlight=False)
    for plan in bad:
        console.print(f"[bold red]reads all of {', '.join(plan.scans)}:[/] {plan.statement}\n{plan.plan}")


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` fills some thousand rows and dispatches some hundred events."""
    sizes, count = (QUICK_SIZES, 2) if quick else (SIZES, TIMES)
    times: list[Time] = []
    plans: dict[str, list[Plan]] = {}

    async def grow(name: str, url: str) -> None:
        store = Store(url)
        try:
            await migrate(store)
            of_one, plans[name] = await measure(name, store, sizes, count, console)
            times.extend(of_one)
            console.print(table(of_one, sizes))
            scans(name, plans[name], console)
        finally:
            await store.close()

    await grow("SQLite", f"sqlite+aiosqlite:///{work}/gateway.db")
    costs: list[roles.Figures] = []
    dispatchers: list[partitions.Figures] = []
    try:
        async with database() as url:
            await grow("PostgreSQL", url)
        costs = await roles.measure(work / "roles", console, quick=quick)
        console.print(roles.table(costs))
        dispatchers = await partitions.measure(work / "partitions", console, quick=quick)
        console.print(partitions.table(dispatchers))
    except Absent as reason:
        console.print(f"[yellow]In part only:[/] {reason}")
    return Outcome(Figures(times, plans, costs, dispatchers), any(one.lost or one.doubled for one in dispatchers))
