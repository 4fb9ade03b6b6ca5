"""End to end: from a citizen's message in to the provider's yes to the reply, and how many a second.

The gateway takes two forms: one process with SQLite, and three processes (intake, dispatch, deliver) on Kafka and
PostgreSQL. Each round loads the gateway twice: as fast as it takes messages in, until the last reply is out, which
gives the sustained rate; then at half that rate, which gives the time to a reply. Before the first of the two and
behind it the bare handler is loaded, as the machine may be another by then. Phones and provider
(:mod:`benchmarks.phones`), broker and database share the machine with it. The figures are medians.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks import kafka, load, phones, postgres
from benchmarks.outcome import Absent, Outcome
from benchmarks.servers import TOKEN, Bare, Server, free_port
from benchmarks.usage import ticks

T = TypeVar("T")

CONNECTIONS = 64
IN_FLIGHT = 256
"""Replies that the provider takes at once; the usual 32 are meant for a provider that counts."""
P99_MS = 500.0
CITIZENS_APART = 1_000_000
"""Citizens of one load, at most: no phone writes twice, and each message opens a case."""


class Plan(msgspec.Struct, frozen=True):
    """What to measure: ``messages`` of a load, ``seconds`` at half the rate."""

    rounds: int = 3
    messages: int = 10_000
    warmup: int = 1_000
    seconds: float = 10.0


class Round(msgspec.Struct, frozen=True):
    """One round of one form: ``flat_out`` is the load as fast as it goes, ``at_half`` that at half its rate.

    ``bare_rate`` is the mean of the bare handler's two loads. ``cpu_us`` is the CPU time of each of the form's
    processes for one message of ``flat_out``, in microseconds. ``stolen`` and ``stolen_at_half`` are the shares of the
    cores that a virtual machine was denied during the two loads.
    """

    form: str
    bare_rate: float
    flat_out: phones.Result
    at_half: phones.Result
    cpu_us: dict[str, float]
    stolen: float = 0.0
    stolen_at_half: float = 0.0


class Figures(msgspec.Struct, frozen=True):
    """Medians of one form; ``rate`` in messages a second, times in milliseconds, CPU time in microseconds a message."""

    form: str
    bare_rate: float
    rate: float
    of_bare: float
    target: float
    half_rate: float
    p50: float
    p99: float
    cpu_us: dict[str, float]
    refused: int
    lost: int
    doubled: int
    wrong: int
    stolen: float
    stolen_at_half: float


class Role(Server):
    """One process of the gateway; ``settings`` is the settings file that all processes of a form read."""

    def __init__(self, folder: Path, role: str, settings: Path) -> None:
        super().__init__(folder)
        self.name = role
        self._settings = settings

    def command(self) -> list[str]:
        """Every role gets a port, for its health at least."""
        return [
            *("-m", "gateway", "run", "--config", str(self._settings)),
            *("--role", self.name, "--port", str(self.port)),
        ]


class Form:
    """The gateway in one of its forms, started and stopped as one; ``more`` is added to its settings."""

    def __init__(
        self, name: str, target: float, folder: Path, roles: Sequence[str], more: str, *, postgres: str = ""
    ) -> None:
        folder.mkdir(parents=True)
        self._postgres = postgres
        self.name = name
        self.target = target
        self.provider = free_port()
        settings = folder / "gateway.toml"
        settings.write_text(
            f'{more}\n[blobs]\npath = "{folder}/blobs"\n\n[channels.sms]\ntype = "sms"\ndialect = "kannel"\n'
            f'sender = "1708"\nwebhook_token = "{TOKEN}"\nusername = "benchmark"\npassword = "benchmark"\n'
            f'send_url = "http://127.0.0.1:{self.provider}/cgi-bin/sendsms"\nmax_in_flight = {IN_FLIGHT}\n'
        )
        self.processes = [Role(folder / role, role, settings) for role in roles]
        self.url = self.processes[0].url
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for process in self.processes:
                await stack.enter_async_context(process)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def settle(self) -> None:
        """Let PostgreSQL count its rows, as it does by itself once a minute.

        What it planned for empty tables it would carry out until then: it would read them from end to end.
        """
        if self._postgres:
            engine = create_async_engine(self._postgres, isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:
                await connection.execute(text("ANALYZE"))
            await engine.dispose()


def embedded(folder: Path) -> Form:
    """One process, SQLite."""
    more = f'[log]\npath = "{folder}/log.db"\n\n[store]\nurl = "sqlite+aiosqlite:///{folder}/gateway.db"\n'
    return Form("embedded", 0.25, folder, ["all"], more)


def as_processes(folder: Path, bootstrap: str, store_url: str) -> Form:
    """Three processes on Kafka and PostgreSQL; the spool does not cut in on a machine that stalls."""
    more = (
        f'[log]\nbackend = "kafka"\nbootstrap_servers = "{bootstrap}"\npath = "{folder}/spool.db"\n'
        f'replication_factor = 1\nappend_timeout = "20s"\n\n[store]\nurl = "{store_url}"\n'
    )
    return Form("as processes", 0.15, folder, ["intake", "dispatch", "deliver"], more, postgres=store_url)


async def measure(form: Form, bare: Bare, plan: Plan) -> list[Round]:
    """All rounds of one form that runs, beside the bare handler that runs too."""
    first = 0
    await _phones(form, first, plan.warmup)
    await form.settle()
    rounds = []
    for number in range(plan.rounds):
        before_it = await _bare(bare, 2 * number, plan.messages)
        first += CITIZENS_APART
        before, then = _cpu(form), ticks()
        flat_out = await _phones(form, first, plan.messages)
        spent = {name: 1e6 * (after - before[name]) / plan.messages for name, after in _cpu(form).items()}
        stolen = ticks().stolen_since(then)
        behind_it = await _bare(bare, 2 * number + 1, plan.messages)
        first += CITIZENS_APART
        half, then = flat_out.rate / 2, ticks()
        at_half = await _phones(form, first, max(100, int(half * plan.seconds)), rate=half)
        bare_rate = (before_it.rate + behind_it.rate) / 2
        stolen_at_half = ticks().stolen_since(then)
        rounds.append(Round(form.name, bare_rate, flat_out, at_half, spent, stolen, stolen_at_half))
    return rounds


def figures(rounds: Sequence[Round], target: float) -> Figures:
    """Medians over the rounds of one form; what is lost, doubled or wrong is added up."""

    def median(values: Sequence[float]) -> float:
        return statistics.median(values)

    loads = [load for one in rounds for load in (one.flat_out, one.at_half)]
    return Figures(
        form=rounds[0].form,
        bare_rate=median([one.bare_rate for one in rounds]),
        rate=median([one.flat_out.rate for one in rounds]),
        of_bare=median([one.flat_out.rate / one.bare_rate for one in rounds]),
        target=target,
        half_rate=median([one.at_half.messages / one.at_half.seconds for one in rounds]),
        p50=median([one.at_half.p50 for one in rounds]),
        p99=median([one.at_half.p99 for one in rounds]),
        cpu_us={name: median([one.cpu_us[name] for one in rounds]) for name in rounds[0].cpu_us},
        refused=sum(load.messages - load.taken for load in loads),
        lost=sum(load.lost for load in loads),
        doubled=sum(load.doubled for load in loads),
        wrong=sum(load.wrong for load in loads),
        stolen=median([one.stolen for one in rounds]),
        stolen_at_half=median([one.stolen_at_half for one in rounds]),
    )


def table(found: Sequence[Figures], plan: Plan) -> Table:
    """What is printed."""
    shown = Table(
        title=f"From a message in to the provider's yes: {plan.messages:,} messages, median of {plan.rounds} rounds",
        caption="p50 and p99: time to reply at half the sustained rate. CPU: microseconds a message, by process. "
        "Stolen: the cores' time that the machine beneath gave to others, flat out and at half.",
    )
    shown.add_column("gateway")
    times = ("p50", "p99", "target", "CPU")
    for column in ("bare/s", "replies/s", "of bare", "target", *times, "stolen", "lost", "doubled", "wrong"):
        shown.add_column(column, justify="right")
    for one in found:
        shown.add_row(
            one.form,
            f"{one.bare_rate:,.0f}",
            f"{one.rate:,.0f}",
            f"{one.of_bare:.0%}",
            f"≥ {one.target:.0%}",
            f"{one.p50:.0f} ms",
            f"{one.p99:.0f} ms",
            f"< {P99_MS:.0f} ms",
            " + ".join(f"{spent:.0f}" for spent in one.cpu_us.values()),
            f"{one.stolen:.0%}, {one.stolen_at_half:.0%}",
            *(str(count) for count in (one.lost, one.doubled, one.wrong)),
        )
    return shown


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` sends some hundreds of messages once."""
    plan = Plan(rounds=1, messages=400, warmup=50, seconds=1.0) if quick else Plan()
    found: list[Figures] = []
    rounds: list[Round] = []
    async with Bare(work / "bare") as bare:
        async with embedded(work / "embedded") as form:
            rounds += await measure(form, bare, plan)
        found.append(figures(rounds, form.target))
        try:
            async with (
                kafka.broker(work / "broker") as bootstrap,
                postgres.database() as url,
                as_processes(work / "processes", bootstrap, url) as form,
            ):
                several = await measure(form, bare, plan)
        except Absent as reason:
            console.print(f"[yellow]Without processes:[/] {reason}")
        else:
            rounds += several
            found.append(figures(several, form.target))
    console.print(table(found, plan))
    failed = any(one.lost or one.doubled or one.wrong for one in found)
    return Outcome({"plan": plan, "medians": found, "rounds": rounds}, failed)


def _cpu(form: Form) -> dict[str, float]:
    """Seconds of CPU time that each process has used (proc(5), ``stat``: utime and stime), where the system tells."""
    found = {}
    for process in form.processes:
        try:
            told = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            continue
        found[process.name] = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    return found


async def _phones(form: Form, first: int, messages: int, rate: float | None = None) -> phones.Result:
    options = ["--provider", str(form.provider), "--first", str(first), "--messages", str(messages)]
    paced = [] if rate is None else ["--rate", f"{rate:.1f}"]
    return await _generator("benchmarks.phones", form.url, *options, *paced, shape=phones.Result)


async def _bare(bare: Bare, number: int, requests: int) -> load.Result:
    options = ["--requests", str(requests), "--warmup", str(requests // 10), "--run", str(number)]
    return await _generator("benchmarks.load", bare.url, *options, shape=load.Result)


async def _generator(module: str, url: str, *options: str, shape: type[T]) -> T:
    """Run a load generator in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, url, "--token", TOKEN, "--connections", str(CONNECTIONS), *options),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed, see above")
    return msgspec.json.decode(output, type=shape)
