"""The operators' first page: how long it takes with many channels and many cases in the store.

The store is PostgreSQL, filled by statements of its own: cases, each with a message and a reply that was sent; counts
of every minute of the last day and of every hour of the sixty days before; dead letters. Then the page is asked for
over HTTP, signed in, one request after another.
"""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.outcome import Outcome
from benchmarks.postgres import database
from benchmarks.servers import Server
from gateway.console import accounts
from gateway.store.engine import Store
from gateway.store.migrate import migrate

TARGET_MS = 200.0
FILL_SECONDS = 600.0
LETTERS = 500
FILL = (
    """INSERT INTO cases (number, sender_key, channel_type, channel, state, anonymous, confidential, language,
           opened_at, updated_at)
       SELECT (1000000000 + n)::text, md5((n / 3)::text), 'sms', 'sms-' || n % :channels, 'received', n % 20 = 0, false,
           'id', :now - n, :now - n
       FROM generate_series(1, :cases) n""",
    """INSERT INTO messages (event_id, kind, channel_type, channel, provider_id, sender_key, received_at, case_number,
           disposition, document)
       SELECT md5(n::text), 'message', 'sms', 'sms-' || n % :channels, n::text, md5((n / 3)::text), :now - n,
           (1000000000 + n)::text, 'complaint', '{}'
       FROM generate_series(1, :cases) n""",
    """INSERT INTO outbox (id, channel_type, channel, sender_key, address, text, template, case_number, event_id,
           received_at, created_at, state, due_at, attempts, settled_at)
       SELECT md5(n::text), 'sms', 'sms-' || n % :channels, md5((n / 3)::text), '', '', 'acknowledgement',
           (1000000000 + n)::text, md5(n::text), :now - n, :now - n, 'sent', :now - n, 1, :now - n
       FROM generate_series(1, :cases) n""",
    """INSERT INTO traffic (channel, minute, instance, received, sent, failed, latencies)
       SELECT 'sms-' || c, (:now / 60)::bigint * 60 - m * 60, 'one', 5, 5, 0, '[0,1,4,0,0,0,0,0,0,0,0,0,0,0,0]'
       FROM generate_series(0, :channels - 1) c,
           (SELECT generate_series(0, 1440) m UNION SELECT generate_series(1500, 86400, 60)) m""",
    """INSERT INTO dead_letters (id, stage, channel, reason, at, raw, raw_type)
       SELECT md5(n::text), 'deliver', 'sms-' || n % :channels, 'gave_up', :now - n, '', 'text/plain'
       FROM generate_series(1, :letters) n""",
    "ANALYZE",
)


class Figures(msgspec.Struct, frozen=True):
    """Milliseconds from the request to the page's last byte, and the page's size in bytes."""

    cases: int
    channels: int
    pages: int
    median_ms: float
    p95_ms: float
    longest_ms: float
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


async def measure(folder: Path, *, cases: int, channels: int, pages: int) -> Figures:
    """Fill a PostgreSQL of its own, start a gateway on it, and ask for the page so many times.

    Raises :class:`benchmarks.outcome.Absent` where the tests' PostgreSQL is not installed.
    """
    async with database() as url:
        password = await _fill(url, cases, channels)
        async with OnPostgres(folder / "gateway", url, channels) as server:
            return await _ask(server, password, cases, channels, pages)


def table(figures: Figures) -> Table:
    """What is printed."""
    shown = Table(title=f"/ops with {figures.channels} channels and {figures.cases:,} cases, {figures.pages} requests")
    for column in ("median", "p95", "longest", "target", "page"):
        shown.add_column(column, justify="right")
    milliseconds = (figures.median_ms, figures.p95_ms, figures.longest_ms, TARGET_MS)
    shown.add_row(*(f"{one:.0f} ms" for one in milliseconds), f"{figures.size / 1024:.0f} KiB")
    return shown


async def _fill(url: str, cases: int, channels: int) -> str:
    store = Store(url)
    try:
        await migrate(store)
        password = await accounts.ensure_sandbox_operator(store)
    finally:
        await store.close()
    values = {"cases": cases, "channels": channels, "letters": LETTERS, "now": time.time()}
    # Filling takes longer than the gateway allows any statement of its own to take.
    engine = create_async_engine(url, connect_args={"command_timeout": FILL_SECONDS})
    try:
        for statement in FILL:
            async with engine.begin() as connection:
                await connection.execute(text(statement), {n: v for n, v in values.items() if f":{n}" in statement})
    finally:
        await engine.dispose()
    return password


async def _ask(server: OnPostgres, password: str, cases: int, channels: int, pages: int) -> Figures:
    base = f"http://127.0.0.1:{server.port}"
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, raise_for_status=True, headers={"Origin": base}) as session:
        async with session.get(f"{base}/ops/sign-in") as response:
            token = re.search(r'name="csrf" value="([^"]*)"', await response.text())
        assert token is not None
        form = {"csrf": token[1], "name": accounts.SANDBOX_OPERATOR, "password": password, "next": "/ops"}
        async with session.post(f"{base}/ops/sign-in", data=form) as response:
            assert response.url.path == "/ops", "the sign-in was refused"
        took, size = [], 0
        for _ in range(pages):
            began = time.perf_counter()
            async with session.get(f"{base}/ops") as response:
                size = len(await response.read())
            took.append(1000 * (time.perf_counter() - began))
    took.sort()
    return Figures(cases, channels, pages, statistics.median(took), took[int(len(took) * 0.95)], took[-1], size)


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` fills a hundredth."""
    cases = 10_000 if quick else 1_000_000
    console.print(f"filling PostgreSQL with {cases:,} cases …", highlight=False)
    figures = await measure(work, cases=cases, channels=50, pages=20 if quick else 100)
    console.print(table(figures))
    return Outcome(figures)
