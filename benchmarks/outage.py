"""Intake while Kafka is away: how long an answer takes, how the spool drains, and whether each sender's order holds.

One intake on a real broker. Citizens write at a fixed rate whether or not earlier messages have been answered, each
of them one message after the other, numbered. The broker goes away in two ways: killed, so that its port refuses
connections, and stopped (SIGSTOP), so that connections open and nothing answers. When it is back, the load goes on
while the spool drains. In the end the topic is read by offset, and the books must balance: each message answered 200
is there, and the first copies of each sender's messages stand in the order in which they were written.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import kafka
from benchmarks.numbered import Answers, Away, Books, Citizens, Message, Phase, answered, balance, on_topic
from benchmarks.outcome import Outcome
from benchmarks.servers import OnKafka

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

TARGET_MS = 250.0
LOOK_SECONDS = 0.25
DRAIN_SECONDS = 300.0


class Plan(msgspec.Struct, frozen=True):
    """What to measure: messages a second, and seconds. ``senders`` is how many citizens take turns."""

    rate: float = 200.0
    senders: int = 400
    before: float = 10.0
    away: float = 300.0
    after: float = 10.0


QUICK = Plan(rate=50.0, senders=100, before=1.0, away=3.0, after=1.0)


class Drained(msgspec.Struct, frozen=True):
    """What the spool held at most, and the seconds from the broker's return to its end; ``None``: it never came."""

    away: Away
    depth: int
    seconds: float | None
    books: Books


class Figures(msgspec.Struct, frozen=True):
    """Everything. ``memory_mib`` is the most that the intake's process held; 0 where the system does not tell."""

    plan: Plan
    answers: list[Answers]
    drained: list[Drained]
    memory_mib: float


class Intake(OnKafka):
    """The gateway's intake with the bounds that it has in the field."""

    def log_settings(self) -> str:
        """The broker, and a spool in the server's folder."""
        where = f'backend = "kafka"\nbootstrap_servers = "{self.bootstrap}"\npath = "{self.folder}/spool.db"\n'
        return where + "replication_factor = 1\n"


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` stays away for seconds. Raises :class:`benchmarks.outcome.Absent`."""
    figures = await measure(work, QUICK if quick else Plan(), console)
    console.print(*tables(figures), sep="\n")
    failed = any(one.seconds is None or not one.books.balanced for one in figures.drained)
    return Outcome(figures, failed)


async def measure(work: Path, plan: Plan, console: Console) -> Figures:
    """One broker and one intake; the broker goes away in each way, one after the other."""
    outages = []
    async with (
        kafka.running(work / "broker") as broker,
        Intake(work / "intake", broker.bootstrap_servers) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        for away in Away:
            console.print(f"Kafka {away} for {plan.away:g} s under {plan.rate:g} messages/s …", highlight=False)
            outages.append(await _outage(plan, away, broker, server, http))
        memory = _most_memory(server.pid)
        found = await on_topic(broker.bootstrap_servers)
    return Figures(
        plan,
        [answers for messages, _, _ in outages for answers in answered(messages)],
        [Drained(messages[0].away, depth, seconds, balance(messages, found)) for messages, depth, seconds in outages],
        memory,
    )


async def _outage(
    plan: Plan, away: Away, broker: Broker, server: Intake, http: aiohttp.ClientSession
) -> tuple[list[Message], int, float | None]:
    """The messages, the spool's greatest depth, and how long it took to drain."""
    ways: dict[Away, tuple[Callable[[], None], Callable[[], None]]] = {
        Away.KILLED: (broker.kill, broker.start),
        Away.STOPPED: (broker.pause, broker.resume),
    }
    leave, come_back = ways[away]
    citizens = Citizens(http, server.url, away, rate=plan.rate, senders=plan.senders)
    async with citizens.writing():
        await asyncio.sleep(plan.before)
        citizens.phase = Phase.AWAY
        await asyncio.to_thread(leave)
        await asyncio.sleep(plan.away)
        citizens.phase = Phase.BACK
        await asyncio.to_thread(come_back)
        # From here on the spool can only become less deep, but for what is written meanwhile.
        depth = await _depth(http, server)
        back = time.monotonic()
        drained = await _drained(http, server, back)
        await asyncio.sleep(plan.after)
    await _drained(http, server, time.monotonic())
    return citizens.messages, depth, drained


async def _drained(http: aiohttp.ClientSession, server: Intake, began: float) -> float | None:
    """Wait until nothing waits in the spool; the seconds since ``began``, or ``None`` where it takes too long."""
    while await _depth(http, server):
        if time.monotonic() - began > DRAIN_SECONDS:
            return None
        await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - began


async def _depth(http: aiohttp.ClientSession, server: Intake) -> int:
    async with http.get(f"http://127.0.0.1:{server.port}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("lapor_gateway_spool_depth "))


def _most_memory(pid: int) -> float:
    """The most that a process has held, in MiB; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def tables(figures: Figures) -> list[Table]:
    """The figures for people."""
    plan = figures.plan
    answers = Table(
        title=f"The webhook's answers, {plan.rate:g} messages/s, Kafka away for {plan.away:g} s; "
        f"target: p99 while away under {TARGET_MS:g} ms",
        title_justify="left",
    )
    answers.add_column("Kafka was")
    answers.add_column("")
    for name in ("messages", "refused", "p50 ms", "p99 ms", "longest ms"):
        answers.add_column(name, justify="right")
    for row in figures.answers:
        if row.phase is Phase.BEFORE:
            answers.add_section()
        times = (f"{one:.1f}" for one in (row.p50, row.p99, row.longest))
        first = row.away if row.phase is Phase.BEFORE else ""
        answers.add_row(first, row.phase, f"{row.messages:,}", f"{row.refused:,}", *times)
    spool = Table(title=f"The spool; the intake held at most {figures.memory_mib:.0f} MiB", title_justify="left")
    spool.add_column("Kafka was")
    for name in ("deepest", "drained in s", "lost", "reordered", "doubled", "copies"):
        spool.add_column(name, justify="right")
    for one in figures.drained:
        took = "never" if one.seconds is None else f"{one.seconds:.1f}"
        books = (one.books.lost, one.books.reordered, one.books.doubled, one.books.copies)
        spool.add_row(one.away, f"{one.depth:,}", took, *(f"{n:,}" for n in books))
    return [answers, spool]
