"""What a message costs each process: intake, dispatch and deliver one after the other, on a real Kafka and PostgreSQL.

Each role works alone, so that what is measured is its own: intake takes messages over 64 connections, then a dispatcher
settles what is on the topic, then a deliverer sends the replies to a provider that says yes. Processor time is that of
the role's process, of all of PostgreSQL's and of the broker's; bytes are those of PostgreSQL's write-ahead log, of the
database and of the topics' segments. The first tenth of each is not counted.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks.kafka import broker
from benchmarks.outcome import Absent
from benchmarks.postgres import database
from benchmarks.servers import TOKEN, Server, free_port
from benchmarks.usage import cpu_of, family, named, usage_of
from benchmarks.world.providers import Web
from gateway.store.engine import Store

MESSAGES = 10_000
QUICK_MESSAGES = 300
CONNECTIONS = 64
STUCK_SECONDS = 300.0
LOOK_SECONDS = 0.5
NAMES = ("complaints", "cases", "case_updates", "deliveries", "dead_letters")
"""The topics' names in the settings."""


class Role(Server):
    """One process of one role, with a port for its metrics."""

    def __init__(self, folder: Path, role: str, settings: str) -> None:
        super().__init__(folder)
        self.name = role
        self._settings = settings

    def command(self) -> list[str]:
        """Write the settings, start the role."""
        file = self.folder / "gateway.toml"
        file.write_text(f'[log]\npath = "{self.folder}/spool.db"\n{self._settings}')
        return ["-m", "gateway", "run", "--config", str(file), "--role", self.name, "--port", str(self.port)]

    async def counted(self, metric: str) -> int:
        """The sum of one of this process's counters, over its labels; ``metric`` is without the prefix."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            lines = (await response.text()).splitlines()
        found = [line.rpartition(" ")[2] for line in lines if line.startswith(f"lapor_gateway_{metric}_total{{")]
        return sum(round(float(value)) for value in found)

    async def reach(self, metric: str, count: int) -> int:
        """Wait until a counter has come so far; returns how far it is. Raises :class:`TimeoutError`."""
        async with asyncio.timeout(STUCK_SECONDS):
            while True:
                found = await self.counted(metric)
                if found >= count:
                    return found
                await asyncio.sleep(LOOK_SECONDS)


def settings(bootstrap: str, url: str, name: str, *, send_url: str = "http://127.0.0.1:1/nowhere") -> str:
    """The settings of every process of one deployment, from the second line of ``[log]`` on; topics bear its name."""
    topics = "".join(f'{topic} = "{topic}-{name}"\n' for topic in NAMES)
    return (
        f'backend = "kafka"\nbootstrap_servers = "{bootstrap}"\nreplication_factor = 1\ngroup = "{name}"\n'
        f'append_timeout = "20s"\n\n[topics]\n{topics}\n[store]\nurl = "{url}"\n\n'
        '[privacy]\nkey = "the-key-of-a-benchmark"\n\n'
        '[channels.sms]\ntype = "sms"\ndialect = "kannel"\nsender = "1708"\nusername = "u"\npassword = "p"\n'
        f'webhook_token = "{TOKEN}"\nsend_url = "{send_url}"\n'
    )


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All meters at one moment: processor time in seconds, sizes in bytes since ever."""

    at: float
    role: float
    postgres: float
    broker: float
    wal: int
    store: int
    topics: int


class Meter:
    """Reads what the role's processes, PostgreSQL and the broker (a child of ours, its files in ``data``) have used."""

    def __init__(self, store: Store, data: Path) -> None:
        self._store = store
        self._data = data

    async def read(self, roles: Sequence[Role]) -> Reading:
        """Raises :class:`Absent` where processes cannot be looked at."""
        asked = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), pg_database_size(current_database())"
        async with self._store.read() as connection:
            wal, store = (await connection.execute(text(asked))).one()
        return await asyncio.to_thread(self._reading, roles, await postmaster(self._store), int(wal), int(store))

    def _reading(self, roles: Sequence[Role], server: int, wal: int, store: int) -> Reading:
        usage_of(os.getpid())
        return Reading(
            at=time.perf_counter(),
            role=cpu_of(*(one.pid for one in roles)),
            postgres=cpu_of(*family(server)),
            broker=cpu_of(*named("java", family(os.getpid()))),
            wal=wal,
            store=store,
            topics=sum(file.stat().st_size for file in self._data.glob("*/*.log") if file.parent.name[0] != "_"),
        )


async def postmaster(store: Store) -> int:
    """The first of PostgreSQL's processes, on this machine. Raises :class:`Absent` where it cannot be told."""
    async with store.read() as connection:
        folder = (await connection.execute(text("SHOW data_directory"))).scalar_one()
    try:
        return int((await asyncio.to_thread((Path(folder) / "postmaster.pid").read_text)).split()[0])
    except OSError as error:
        raise Absent("PostgreSQL's process cannot be told") from error


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What ``messages`` messages cost: processor time in microseconds and bytes, each of one message."""

    role: str
    messages: int
    rate: float
    role_us: float
    postgres_us: float
    broker_us: float
    wal_bytes: float
    store_bytes: float
    topic_bytes: float


def between(role: str, before: Reading, after: Reading, messages: int) -> Figures:
    """What was used from one moment to another, for each message."""

    def each(name: str, scale: float = 1.0) -> float:
        used: float = getattr(after, name) - getattr(before, name)
        return scale * used / messages

    return Figures(
        role=role,
        messages=messages,
        rate=messages / (after.at - before.at),
        role_us=each("role", 1e6),
        postgres_us=each("postgres", 1e6),
        broker_us=each("broker", 1e6),
        wal_bytes=each("wal"),
        store_bytes=each("store"),
        topic_bytes=each("topics"),
    )


def table(figures: Sequence[Figures]) -> Table:
    """The roles for people."""
    shown = Table(title="What a message costs, by process: CPU in µs, bytes written", title_justify="left")
    shown.add_column("role")
    for column in ("messages/s", "its CPU", "PostgreSQL's", "Kafka's", "WAL bytes", "store bytes", "topic bytes"):
        shown.add_column(column, justify="right")
    for one in figures:
        values = (one.rate, one.role_us, one.postgres_us, one.broker_us)
        shown.add_row(one.role, *(f"{x:,.0f}" for x in (*values, one.wal_bytes, one.store_bytes, one.topic_bytes)))
    return shown


async def measure(work: Path, console: Console, *, quick: bool) -> list[Figures]:
    """The three roles in turn. Raises :class:`Absent` without Kafka or PostgreSQL."""
    count = QUICK_MESSAGES if quick else MESSAGES
    first, last = count // 10, count
    found = []
    async with AsyncExitStack() as stack:
        bootstrap = await stack.enter_async_context(broker(work / "broker"))
        url = await stack.enter_async_context(database())
        store = Store(url)
        stack.push_async_callback(store.close)
        meter = Meter(store, work / "broker" / "data")
        port = free_port()
        server = await asyncio.get_running_loop().create_server(lambda: Web(_hear), "127.0.0.1", port, backlog=1024)
        stack.callback(server.close)
        common = settings(bootstrap, url, "roles", send_url=f"http://127.0.0.1:{port}/cgi-bin/sendsms")
        async with Role(work / "intake", "intake", common) as intake:
            console.print("intake …", highlight=False)
            await _load(intake, first, "warm")
            before = await meter.read([intake])
            await _load(intake, last - first, "load")
            found.append(between("intake", before, await meter.read([intake]), last - first))
        for role, metric in (("dispatch", "events"), ("deliver", "replies_sent")):
            console.print(f"{role} …", highlight=False)
            async with Role(work / role, role, common) as process:
                done = await process.reach(metric, first)
                before = await meter.read([process])
                end = await process.reach(metric, last)
                # The few of a quick run may be one batch, and done before the first look: no figures to quote.
                found.append(between(role, before, await meter.read([process]), max(1, end - done)))
    return found


async def _load(intake: Role, messages: int, run: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.load", intake.url, "--token", TOKEN, "--run", run),
        *("--connections", str(min(CONNECTIONS, messages)), "--requests", str(messages)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode != 0 or b'"200":%d' % messages not in output:
        raise RuntimeError("intake did not take every message")


def _hear(*_: str) -> None:
    """The phones of this world only say yes."""
