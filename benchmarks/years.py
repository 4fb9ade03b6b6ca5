"""The six years: about as many reports as LAPOR took since 2015, over all four channels, as fast as they are answered.

One gateway with its embedded defaults (all roles, SQLite for log and store) stands between two processes' worth of
ports: :mod:`benchmarks.world` writes and listens as citizens and providers do. Providers' limits are raised in the
settings. The load is a closed loop: at most some hundred citizens wait for an answer at a time, so that what is
measured can be kept up for ever.

The books are the world's and the store's: letters taken are events on the log and in the store, each one a case, a join
or neither, and every answer that is due was heard once. After each tenth of the letters nothing is left to do; then the
gateway's memory and its files are looked at.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.books import Books, open_books, report
from benchmarks.outcome import Outcome
from benchmarks.servers import Server, free_port
from benchmarks.usage import MIB, Usage, files_of, ticks, usage_of
from benchmarks.world import wire
from benchmarks.world.__main__ import Block, Plan

LETTERS = 1_000_000
QUICK = 2_000
BLOCKS = 10
MEMORY_TARGET = 1.10
RATE_TARGET = 0.90
QUIET_SECONDS = 120.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway after a block of letters, with nothing left to do. ``rate`` is letters a second, times are in ms.

    ``cpu_us`` is processor time of the gateway's process for each letter, all threads, in microseconds; ``memory`` its
    resident set; ``log`` and ``store`` the bytes of their files, the write-ahead logs among them; ``stolen`` the share
    of the cores that a virtual machine was denied meanwhile.
    """

    letters: int
    rate: float
    cpu_us: float
    world_cpu_us: float
    p50: float
    p99: float
    memory: int
    log: int
    store: int
    stolen: float


class Figures(msgspec.Struct, frozen=True):
    """All samples and the books; ``memory_ratio`` and ``rate_ratio`` are the last block's to the first's."""

    letters: int
    written: dict[str, int]
    idle_memory: int
    samples: list[Sample]
    memory_ratio: float
    rate_ratio: float
    cpu_ratio: float
    books: Books


class Embedded(Server):
    """A whole gateway with all four channels, whose providers are at ``plan``'s ports."""

    name = "gateway, embedded"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.plan = Plan(port=self.port, lmtp=free_port(), web=free_port(), smtp=free_port())

    def command(self) -> list[str]:
        """Write the settings, start all roles."""
        web = f"http://127.0.0.1:{self.plan.web}"
        settings = self.folder / "gateway.toml"
        settings.write_text(
            f'[server]\nport = {self.port}\n\n[log]\npath = "{self.folder}/log.db"\n\n'
            f'[store]\nurl = "sqlite+aiosqlite:///{self.folder}/gateway.db"\n\n'
            f'[blobs]\npath = "{self.folder}/blobs"\n\n'
            '[channels.sms]\ntype = "sms"\ndialect = "kannel"\nsender = "1708"\nusername = "u"\npassword = "p"\n'
            f'webhook_token = "{wire.TOKEN}"\nsend_url = "{web}/cgi-bin/sendsms"\nmax_in_flight = 64\n\n'
            f'[channels.telegram]\ntype = "telegram"\ntoken = "{wire.BOT_TOKEN}"\nmode = "webhook"\n'
            f'username = "{wire.BOT}"\nwebhook_secret = "{wire.SECRET}"\napi_url = "{web}"\n'
            "max_per_second = 100000\nmax_in_flight = 64\n\n"
            f'[channels.twitter]\ntype = "twitter"\nmode = "webhook"\ncatch_up = 0\napi_url = "{web}"\n'
            f'handle = "{wire.HANDLE}"\nuser_id = "{wire.US}"\nbearer_token = "{wire.TOKEN}"\n'
            f'consumer_secret = "{wire.SECRET}"\nmax_in_flight = 32\n\n'
            f'[channels.email]\ntype = "email"\naddress = "{wire.MAILBOX}"\nlisten = "127.0.0.1:{self.plan.lmtp}"\n'
            f'protocol = "lmtp"\nsmtp_url = "smtp://127.0.0.1:{self.plan.smtp}"\nmax_in_flight = 32\n'
        )
        return ["-m", "gateway", "run", "--config", str(settings)]

    async def ended(self) -> None:
        """Wait for its end."""
        assert self._process is not None
        await self._process.wait()

    async def quiet(self) -> None:
        """Wait until no reply waits and nothing is left to be said on the log. Raises :class:`TimeoutError`."""
        async with asyncio.timeout(QUIET_SECONDS):
            while await self._busy():  # noqa: ASYNC110 - another process's work: nothing here tells of its end
                await asyncio.sleep(0.1)

    async def _busy(self) -> bool:
        try:
            return await asyncio.to_thread(_left, self.folder / "gateway.db")
        except sqlite3.OperationalError:
            # Intake needs no store: its tables may not be there yet when it is ready.
            return True


def table(figures: Figures) -> Table:
    """The samples for people."""
    first = figures.samples[0]
    shown = Table(
        title=f"{figures.letters:,} reports over four channels, one embedded process "
        f"({figures.idle_memory / MIB:.0f} MiB before the first)",
        title_justify="left",
    )
    for column in ("reports", "reports/s", "of first", "CPU µs each", "reply p50 ms", "p99 ms"):
        shown.add_column(column, justify="right")
    for column in ("memory MiB", "of first", "log MiB", "store MiB", "stolen"):
        shown.add_column(column, justify="right")
    for one in figures.samples:
        shown.add_row(
            f"{one.letters:,}",
            f"{one.rate:,.0f}",
            f"{one.rate / first.rate:.0%}",
            f"{one.cpu_us:,.0f}",
            f"{one.p50:,.0f}",
            f"{one.p99:,.0f}",
            f"{one.memory / MIB:.1f}",
            f"{one.memory / first.memory:.0%}",
            f"{one.log / MIB:,.1f}",
            f"{one.store / MIB:,.1f}",
            f"{one.stolen:.0%}",
        )
    return shown


async def measure(folder: Path, letters: int, done: Callable[[Sample], None]) -> Figures:
    """Run all blocks; ``done`` hears of each.

    Raises :class:`benchmarks.outcome.Absent` where a process's memory cannot be read.
    """
    samples: list[Sample] = []
    async with Embedded(folder / "gateway") as server:
        await server.quiet()
        before = usage_of(server.pid)
        idle = before.memory
        world = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.world", msgspec.json.encode(server.plan).decode()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        refused = 0
        try:
            for size in sizes(letters):
                then = ticks()
                block = await _block(server, world, size)
                stolen = ticks().stolen_since(then)
                refused += block.refused
                await server.quiet()
                after = usage_of(server.pid)
                samples.append(_sample(block, before, after, files_of(server.folder), stolen))
                before = after
                done(samples[-1])
                if block.unheard:
                    break
        finally:
            assert world.stdin is not None
            world.stdin.close()
            await world.wait()
        books = await asyncio.to_thread(open_books, server.folder, block, refused)
    first, last = samples[0], samples[-1]
    return Figures(
        letters=sum(block.written.values()),
        written=block.written,
        idle_memory=idle,
        samples=samples,
        memory_ratio=last.memory / first.memory,
        rate_ratio=last.rate / first.rate,
        cpu_ratio=last.cpu_us / first.cpu_us,
        books=books,
    )


def sizes(letters: int) -> list[int]:
    """The letters of each block: tenths of all, as even as can be."""
    return [letters // BLOCKS + (n < letters % BLOCKS) for n in range(BLOCKS)]


async def _block(server: Embedded, world: asyncio.subprocess.Process, letters: int) -> Block:
    """Have some letters written. Raises :class:`RuntimeError` where a process ends meanwhile."""
    assert world.stdin is not None
    assert world.stdout is not None
    world.stdin.write(f"{letters}\n".encode())
    await world.stdin.drain()
    answer = asyncio.create_task(world.stdout.readline())
    ended = asyncio.create_task(server.ended())
    try:
        await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() or not answer.result():
            raise RuntimeError(f"the {'world' if answer.done() else 'gateway'} ended in the middle of its work")
    finally:
        answer.cancel()
        ended.cancel()
    return msgspec.json.decode(answer.result(), type=Block)


def _sample(block: Block, before: Usage, after: Usage, files: dict[str, int], stolen: float) -> Sample:
    return Sample(
        letters=sum(block.written.values()),
        rate=block.letters / block.seconds,
        cpu_us=1e6 * (after.cpu - before.cpu) / block.letters,
        world_cpu_us=1e6 * block.cpu_seconds / block.letters,
        p50=block.p50,
        p99=block.p99,
        memory=after.memory,
        log=sum(size for name, size in files.items() if name.startswith("log.db")),
        store=sum(size for name, size in files.items() if name.startswith("gateway.db")),
        stolen=stolen,
    )


def _left(file: Path) -> bool:
    waiting = "SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'waiting') OR EXISTS (SELECT 1 FROM publications)"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return bool(connection.execute(waiting).fetchone()[0])


async def run(console: Console, work: Path, *, quick: bool, letters: int | None = None) -> Outcome:
    """Measure and print; ``quick`` writes a few thousand, ``letters`` sets another number."""
    count = QUICK if quick else letters or LETTERS

    def done(sample: Sample) -> None:
        console.print(
            f"{sample.letters:,} of {count:,}: {sample.rate:,.0f}/s, {sample.cpu_us:,.0f} µs of processor time each, "
            f"{sample.memory / MIB:.1f} MiB, {sample.stolen:.0%} stolen",
            highlight=False,
        )

    figures = await measure(work, count, done)
    console.print(table(figures))
    console.print(report(figures.books))
    console.print(
        f"memory at the end {figures.memory_ratio:.0%} of the first block's (target: at most {MEMORY_TARGET:.0%}), "
        f"rate {figures.rate_ratio:.0%} (target: at least {RATE_TARGET:.0%}), "
        f"processor time a report {figures.cpu_ratio:.0%}",
        highlight=False,
    )
    for line in figures.books.wrong:
        console.print(f"[bold red]{line}[/]")
    return Outcome(figures, bool(figures.books.wrong))
