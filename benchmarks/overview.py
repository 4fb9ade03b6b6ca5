"""The operators' first page: how long it takes with many channels and many cases in the store.

The store is PostgreSQL, filled by statements of its own: cases, each with a message and a reply that was sent; counts
of every minute of the last day and of every hour of the sixty days before; dead letters. Then the page is asked for
over HTTP, signed in, one request after another.

The gateway hands one reading of the store to all who ask within a second of it. So every other request comes when the
last reading is over, and after each channel has received and sent something: it pays for a whole reading, and for
drawing every card anew. The request behind it is given the same page. Each kind has figures of its own.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.load import percentile
from benchmarks.outcome import Outcome
from benchmarks.postgres import database
from benchmarks.servers import Server
from benchmarks.usage import usage_of
from gateway.console import accounts
from gateway.console.shared import FRESH
from gateway.store.engine import Store
from gateway.store.migrate import migrate

TARGET_MS = 200.0
FILL_SECONDS = 600.0
WARM_UP = 3
"""Pages of each kind before those that count: a process compiles its templates once."""
LETTERS = 500
STEPS = 20
"""The cases are filled in so many steps, to be seen."""
PER_CASE = (
    """INSERT INTO cases (number, sender_key, channel_type, channel, state, anonymous, confidential, language,
           opened_at, updated_at)
       SELECT (1000000000 + n)::text, md5((n / 3)::text), 'sms', 'sms-' || n % :channels, 'received', n % 20 = 0, false,
           'id', :now - n, :now - n
       FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n""",
    """INSERT INTO messages (event_id, kind, channel_type, channel, provider_id, sender_key, received_at, case_number,
           disposition, document)
       SELECT md5(n::text), 'message', 'sms', 'sms-' || n % :channels, n::text, md5((n / 3)::text), :now - n,
           (1000000000 + n)::text, 'complaint', '{}'
       FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n""",
    """INSERT INTO outbox (id, channel_type, channel, sender_key, address, text, template, case_number, event_id,
           received_at, created_at, state, due_at, attempts, settled_at)
       SELECT md5(n::text), 'sms', 'sms-' || n % :channels, md5((n / 3)::text), '', '', 'acknowledgement',
           (1000000000 + n)::text, md5(n::text), :now - n, :now - n, 'sent', :now - n, 1, :now - n
       FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n""",
)
ONCE = (
    """INSERT INTO traffic (channel, minute, instance, received, sent, failed, latencies)
       SELECT 'sms-' || c, (:now / 60)::bigint * 60 - m * 60, 'one', 5, 5, 0, '[0,1,4,0,0,0,0,0,0,0,0,0,0,0,0]'
       FROM generate_series(0, :channels - 1) c,
           (SELECT generate_series(0, 1440) m UNION SELECT generate_series(1500, 86400, 60)) m""",
    """INSERT INTO dead_letters (id, stage, channel, reason, at, raw, raw_type)
       SELECT md5(n::text), 'deliver', 'sms-' || n % :channels, 'gave_up', :now - n, '', 'text/plain'
       FROM generate_series(1, :letters) n""",
)
ONE_MORE = """INSERT INTO traffic AS t (channel, minute, instance, received, sent, failed, latencies)
    SELECT 'sms-' || c, (:now / 60)::bigint * 60, 'two', 1, 1, 0, '[0,0,1,0,0,0,0,0,0,0,0,0,0,0,0]'
    FROM generate_series(0, :channels - 1) c
    ON CONFLICT (channel, minute, instance) DO UPDATE SET received = t.received + 1, sent = t.sent + 1"""
"""What every channel received and sent since the last page."""

Seen = Callable[[str, int, int], None]
"""Told what is done now, how far it is, and how far it goes."""


class Took(msgspec.Struct, frozen=True):
    """``*_ms`` are milliseconds from the request to the page's last byte, ``cpu_ms`` the gateway's own for one page."""

    pages: int
    median_ms: float
    p95_ms: float
    longest_ms: float
    cpu_ms: float


class Figures(msgspec.Struct, frozen=True):
    """``fresh`` pages were read from the store for the request, ``shared`` ones for the request before.

    ``size`` is a page's in bytes.
    """

    cases: int
    channels: int
    fresh: Took
    shared: Took
    size: int


class OnPostgres(Server):
    """A whole gateway with many SMS channels on a PostgreSQL store."""

    name = "gateway on PostgreSQL"

    def __init__(self, folder: Path, store_url: str, channels: int) -> None:
        super().__init__(folder)
        self._store_url = store_url
        self._channels = channels

    def command(self) -> list[str]:
        """Write the settings, start all roles."""
        channels = "".join(
            f'[channels.sms-{n}]\ntype = "sms"\ndialect = "kannel"\nsender = "1708"\nwebhook_token = "benchmark"\n'
            f'username = "benchmark"\npassword = "benchmark"\nsend_url = "http://127.0.0.1:{self.port}/nowhere"\n\n'
            for n in range(self._channels)
        )
        settings = self.folder / "gateway.toml"
        settings.write_text(
            f'[server]\nport = {self.port}\n\n[log]\npath = "{self.folder}/log.db"\n\n'
            f'[store]\nurl = "{self._store_url}"\n\n[blobs]\npath = "{self.folder}/blobs"\n\n{channels}'
        )
        return ["-m", "gateway", "run", "--config", str(settings)]


async def measure(folder: Path, *, cases: int, channels: int, pages: int, seen: Seen) -> Figures:
    """Fill a PostgreSQL of its own, start a gateway on it, and ask for so many pages of each kind.

    Raises :class:`benchmarks.outcome.Absent` where the tests' PostgreSQL is not installed.
    """
    async with database() as url:
        engine = create_async_engine(url, connect_args={"command_timeout": FILL_SECONDS})
        try:
            password = await _fill(engine, url, cases, channels, seen)
            async with OnPostgres(folder / "gateway", url, channels) as server, _signed_in(server, password) as session:
                return await _ask(server, session, engine, cases=cases, channels=channels, pages=pages, seen=seen)
        finally:
            await engine.dispose()


def table(figures: Figures) -> Table:
    """What is printed."""
    shown = Table(
        title=f"/ops with {figures.channels} channels and {figures.cases:,} cases, {figures.size / 1024:.0f} KiB a page"
    )
    shown.add_column("read")
    for column in ("pages", "median", "p95", "longest", "target", "CPU a page"):
        shown.add_column(column, justify="right")
    for kind, took in (("for the request", figures.fresh), ("for the one before", figures.shared)):
        milliseconds = (took.median_ms, took.p95_ms, took.longest_ms, TARGET_MS, took.cpu_ms)
        shown.add_row(kind, str(took.pages), *(f"{one:.0f} ms" for one in milliseconds))
    return shown


def took(times: Sequence[float], cpu: float) -> Took:
    """The figures of one kind, from the seconds that each page took and those of the processor for all of them."""
    if not times:
        return Took(0, 0.0, 0.0, 0.0, 0.0)
    found = sorted(1000 * one for one in times)
    middle, most = percentile(found, 0.5), percentile(found, 0.95)
    return Took(len(found), middle, most, found[-1], 1000 * cpu / len(found))


async def _fill(engine: AsyncEngine, url: str, cases: int, channels: int, seen: Seen) -> str:
    store = Store(url)
    try:
        await migrate(store)
        password = await accounts.ensure_sandbox_operator(store)
    finally:
        await store.close()
    values = {"channels": channels, "letters": LETTERS, "now": time.time()}
    step = -(-cases // STEPS)
    spans = [{"first": first, "last": min(first + step - 1, cases)} for first in range(1, cases + 1, step)]
    work = [(statement, span) for statement in PER_CASE for span in spans] + [(statement, {}) for statement in ONCE]
    for number, (statement, span) in enumerate(work):
        seen(f"filling PostgreSQL with {cases:,} cases", number, len(work))
        await _execute(engine, statement, **values, **span)
    seen("letting PostgreSQL tidy up", len(work), len(work))
    # A store that grew over years was vacuumed long ago; one that was filled in a minute would be while it is measured.
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))
        await connection.execute(text("CHECKPOINT"))
    return password


async def _execute(engine: AsyncEngine, statement: str, **values: float) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement), {n: v for n, v in values.items() if f":{n}" in statement})


@asynccontextmanager
async def _signed_in(server: OnPostgres, password: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A session in which the operator has signed in."""
    base = f"http://127.0.0.1:{server.port}"
    jar = aiohttp.CookieJar(unsafe=True)
    headers = {"Origin": base}
    async with aiohttp.ClientSession(base, cookie_jar=jar, raise_for_status=True, headers=headers) as session:
        async with session.get("/ops/sign-in") as response:
            token = re.search(r'name="csrf" value="([^"]*)"', await response.text())
        assert token is not None
        form = {"csrf": token[1], "name": accounts.SANDBOX_OPERATOR, "password": password, "next": "/ops"}
        async with session.post("/ops/sign-in", data=form) as response:
            assert response.url.path == "/ops", "the sign-in was refused"
        yield session


async def _ask(
    server: OnPostgres,
    session: aiohttp.ClientSession,
    engine: AsyncEngine,
    *,
    cases: int,
    channels: int,
    pages: int,
    seen: Seen,
) -> Figures:
    times: dict[bool, list[float]] = {True: [], False: []}
    cpu = {True: 0.0, False: 0.0}
    before = b""
    for number in range(-WARM_UP, pages):
        seen("asking for pages", max(0, number), pages)
        await _execute(engine, ONE_MORE, channels=channels, now=time.time())
        await asyncio.sleep(1.1 * FRESH)
        for _ in range(2):
            busy, began = usage_of(server.pid).cpu, time.perf_counter()
            async with session.get("/ops") as response:
                page = await response.read()
            # By what it says, not by when it was asked for: on a machine that stalls, the second may be read anew.
            fresh = page != before
            before = page
            if number < 0:
                continue
            times[fresh].append(time.perf_counter() - began)
            cpu[fresh] += usage_of(server.pid).cpu - busy
    return Figures(cases, channels, took(times[True], cpu[True]), took(times[False], cpu[False]), len(before))


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` fills a hundredth."""
    cases = 10_000 if quick else 1_000_000
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        if not console.is_terminal:
            console.print(f"filling PostgreSQL with {cases:,} cases …", highlight=False)

        def seen(what: str, done: int, of: int) -> None:
            progress.update(task, description=what, completed=done, total=of)

        figures = await measure(work, cases=cases, channels=50, pages=10 if quick else 60, seen=seen)
    console.print(table(figures))
    return Outcome(figures)
