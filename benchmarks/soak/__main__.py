"""``python -m benchmarks.soak``, or ``make soak``: break everything for a while, then open the book."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from benchmarks.soak import report
from benchmarks.soak.account import balance
from benchmarks.soak.citizens import Citizens
from benchmarks.soak.clocks import Clocks, compiler
from benchmarks.soak.report import Soaked
from benchmarks.soak.trouble import Trouble
from gateway.store.engine import StoreUnavailable
from gateway.store.tables import messages, outbox
from tests.crash.fleet import SIX, Fleet, cluster
from tests.crash.ways import LMTP, WAYS, played
from tests.fixtures.postgres import Postgres
from tests.kafka.broker import running
from tests.nursery import Nursery
from tests.process import free_port
from tests.services import available

RESULTS = Path(__file__).parents[1] / "results"
SAY_EVERY = 5.0
PATIENCE = 120.0
THREADS = 100
UNBALANCED, NO_PARTS, FELL_SHORT = 1, 2, 3

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.command()
def main(
    seconds: Annotated[float, typer.Option(min=10, max=86_400, help="How long citizens write.")] = 180.0,
    rate: Annotated[float, typer.Option(min=1, max=1_000, help="Messages a second that citizens write.")] = 110.0,
    least: Annotated[
        float, typer.Option(min=0, help="Messages a second below which the soak counts as failed.")
    ] = 100.0,
    book: Annotated[
        str,
        typer.Option(
            help="The file that takes the book; `-` is standard output.", show_default="benchmarks/results/soak-….jsonl"
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="Draws the same plan again; what comes of it is up to the machine.")] = 1708,
) -> None:
    """Two intakes, two dispatchers and two deliverers on Kafka and PostgreSQL, everything on this machine.

    Citizens write on every channel, each until the gateway says yes; meanwhile processes of every role are killed,
    stopped for longer than their leases or have their clocks stepped by minutes, the broker goes away, PostgreSQL
    restarts, and providers fail three times in ten. Then all is put right, and every message has to be one event, in
    one case or of another intent, and answered; every answer too many has to have been counted by the gateway.

    The book is JSON lines: the sums, then a message a line. What goes on is told on standard error.

    Exit status 1: the book does not balance. 2: a part that it needs is not here. 3: it balances, but less was written
    or went wrong than a soak takes.
    """
    missing = {service: reason for service in ("kafka", "postgresql") if (reason := available(service))}
    if not compiler():
        missing["clocks that step"] = "no C compiler"
    for part, reason in missing.items():
        typer.echo(f"no soak without {part}: {reason}; `make services` may help", err=True)
    if missing:
        raise typer.Exit(NO_PARTS)
    found = uvloop.run(soak(seconds, rate, seed))
    told = report.tell(found, least=least)
    report.keep(found, book, RESULTS)
    if found.account.wrong:
        raise typer.Exit(UNBALANCED)
    if told:
        raise typer.Exit(FELL_SHORT)


class Teller:
    """Tells what goes on, with the time since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        """Tell one line."""
        print(f"{time.monotonic() - self._began:7.1f} s  {line}", file=sys.stderr, flush=True)


async def soak(seconds: float, rate: float, seed: int) -> Soaked:
    """Run it all."""
    # The stand-ins' servers lose callers by the dozen, and say so.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Mails are handed over in threads, and those to a listener that stands still must not hold up the broker's start.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    say = Teller()
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="lapor-soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (runtime := folder / "run").mkdir(mode=0o700)
        # PostgreSQL runs as a user of its own where this runs as root, and must reach its folder.
        await asyncio.to_thread(folder.chmod, 0o755)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        async with AsyncExitStack() as stack:
            broker = stack.enter_context(running(folder / "broker"))
            postgres = Postgres(folder / "postgres")
            stack.callback(postgres.server.cleanup)
            clocks = Clocks(folder)
            with clocks.ticking():
                nursery = Nursery()
            stack.callback(nursery.close)
            fleet = cluster(nursery, folder, broker.bootstrap_servers, postgres.create(), names=SIX, lasting=False)
            stack.push_async_callback(fleet.stop)
            ways = {one.name: await stack.enter_async_context(played(one, port=free_port())) for one in WAYS}
            fleet.channels = {one: way.table for one, way in ways.items()}
            fleet.delivery |= {"timeout": 2.0, "lease": 4.0, "longest_retry": 2.0, "breaker_probe": 0.5}
            # Mail is handed to one of the two intakes; the other listens beside it.
            fleet.own["intake-2"] = {f"channels.{LMTP.name}": {"listen": f"127.0.0.1:{free_port()}"}}
            await fleet.start()
            say(f"six processes run; {rate:g} messages a second for {seconds:g} s")
            citizens = Citizens(fleet, ways, rate=rate, chance=chance)
            stack.callback(citizens.stop)
            trouble = Trouble(fleet, ways, broker, postgres, clocks, seconds=seconds, chance=chance, say=say)
            progress = asyncio.create_task(_progress(fleet, citizens, say))
            began = time.monotonic()
            await asyncio.gather(citizens.write(seconds), trouble.make())
            say("all is put right again; what is under way is finished")
            try:
                await _answered(fleet, citizens)
            except TimeoutError:
                say(f"not everything is answered, and nothing has moved for {PATIENCE:g} s")
                citizens.stop()
            finally:
                progress.cancel()
            answered = time.monotonic() - began
            heard = {one: way.standin.sent for one, way in ways.items()}
            account, entries = balance(
                citizens.letters,
                await fleet.events(),
                await fleet.rows(messages),
                await fleet.rows(outbox),
                heard,
                fleet.said(),
            )
            said = fleet.said() if account.wrong else ""
            return Soaked(account, entries, seconds, citizens.in_time, answered, trouble, said)


async def _counts(fleet: Fleet) -> tuple[int, int, int]:
    """Messages in the store, replies, and replies that wait."""
    waiting = func.count().filter(outbox.c.state == "waiting")
    async with fleet.store.read() as connection:
        heard = (await connection.execute(select(func.count()).select_from(messages))).scalar_one()
        replies, left = (await connection.execute(select(func.count(), waiting).select_from(outbox))).one()
    return heard, replies, left


async def _answered(fleet: Fleet, citizens: Citizens) -> None:
    """Wait until everybody had their yes, the store has every message and no reply waits.

    Raises :class:`TimeoutError` where nothing has moved for :data:`PATIENCE` seconds.
    """
    moved, before = time.monotonic(), (0, 0, 0)
    while True:
        try:
            stored, replies, waiting = await _counts(fleet)
        except (StoreUnavailable, DBAPIError):
            now = before
        else:
            now = (citizens.heard, stored, replies - waiting)
            if min(citizens.heard, stored) >= len(citizens.letters) and not waiting:
                return
        if now != before:
            moved, before = time.monotonic(), now
        elif time.monotonic() - moved > PATIENCE:
            raise TimeoutError
        await asyncio.sleep(0.5)


async def _progress(fleet: Fleet, citizens: Citizens, say: Teller) -> None:
    while True:
        await asyncio.sleep(SAY_EVERY)
        try:
            stored, replies, waiting = await _counts(fleet)
        except (StoreUnavailable, DBAPIError):
            say(f"{len(citizens.letters)} written, {citizens.heard} taken; the store is away")
        else:
            sent = replies - waiting
            say(f"{len(citizens.letters)} written, {citizens.heard} taken, {stored} dispatched, {sent} answered")


if __name__ == "__main__":
    sys.exit(app())
