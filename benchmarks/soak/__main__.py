"""``python -m benchmarks.soak``, or ``make soak``: break everything for a while, then open the book."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
import typer
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from benchmarks.soak.account import Account, Entry, balance
from benchmarks.soak.citizens import Citizens
from benchmarks.soak.trouble import Trouble
from gateway.store.engine import StoreUnavailable
from gateway.store.tables import messages, outbox
from tests.crash.fleet import SIX, Fleet, cluster
from tests.crash.nursery import Nursery
from tests.crash.ways import LMTP, WAYS, played
from tests.fixtures.postgres import Postgres
from tests.kafka.broker import running
from tests.process import free_port
from tests.services import available

RESULTS = Path(__file__).parents[1] / "results"
SAY_EVERY = 5.0
PATIENCE = 300.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.command()
def main(
    seconds: Annotated[float, typer.Option(min=10, max=86_400, help="How long citizens write.")] = 180.0,
    rate: Annotated[float, typer.Option(min=1, max=1_000, help="Messages a second, at most.")] = 110.0,
    seed: Annotated[int, typer.Option(help="Draws the same plan again; what comes of it is up to the machine.")] = 1708,
) -> None:
    """Two intakes, two dispatchers and two deliverers on Kafka and PostgreSQL, everything on this machine.

    Citizens write on every channel; meanwhile processes of every role are killed or stopped for longer than their
    leases, the broker goes away, PostgreSQL restarts, and providers fail three times in ten. Then all is put right,
    and every message has to be one event, in one case or of another intent, and answered; every answer too many has to
    have been counted by the gateway.

    Exit status 1: the book does not balance. It is written as JSON lines, a message a line.
    """
    for service in ("kafka", "postgresql"):
        if reason := available(service):
            typer.echo(f"no soak without {service}: {reason}; `make services` may help", err=True)
            raise typer.Exit(2)
    raise typer.Exit(1 if asyncio.run(soak(seconds, rate, seed)).wrong else 0)


class Teller:
    """Tells what goes on, with the time since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        """Tell one line."""
        print(f"{time.monotonic() - self._began:7.1f} s  {line}", flush=True)


async def soak(seconds: float, rate: float, seed: int) -> Account:
    """Run it all; returns the account."""
    # The stand-ins' servers lose callers by the dozen, and say so.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
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
            trouble = Trouble(fleet, ways, broker, postgres, seconds=seconds, chance=chance, say=say)
            progress = asyncio.create_task(_progress(fleet, citizens, say))
            await asyncio.gather(citizens.write(seconds), trouble.make())
            written = len(citizens.letters) / seconds
            say("all is put right again; what is under way is finished")
            try:
                async with asyncio.timeout(PATIENCE):
                    await citizens.all_heard()
                    await _answered(fleet, citizens)
            except TimeoutError:
                say(f"not everything was answered within {PATIENCE:g} s")
                citizens.stop()
            finally:
                progress.cancel()
            heard = {one: way.standin.sent for one, way in ways.items()}
            account, entries = balance(
                citizens.letters,
                await fleet.events(),
                await fleet.rows(messages),
                await fleet.rows(outbox),
                heard,
                fleet.said(),
            )
    _print(account, trouble, written, _keep(account, entries, fleet.said() if account.wrong else ""))
    return account


async def _counts(fleet: Fleet) -> tuple[int, int, int]:
    """Messages in the store, replies, and replies that wait."""
    waiting = func.count().filter(outbox.c.state == "waiting")
    async with fleet.store.read() as connection:
        heard = (await connection.execute(select(func.count()).select_from(messages))).scalar_one()
        replies, left = (await connection.execute(select(func.count(), waiting).select_from(outbox))).one()
    return heard, replies, left


async def _answered(fleet: Fleet, citizens: Citizens) -> None:
    """Wait until the store has every message and no reply waits."""
    while True:
        try:
            heard, _, waiting = await _counts(fleet)
        except (StoreUnavailable, DBAPIError):
            heard, waiting = 0, 1
        if heard >= len(citizens.letters) and not waiting:
            return
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


def _keep(account: Account, entries: list[Entry], said: str) -> Path:
    """Write the book down; where it is wrong, the logs of all processes beside it."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"soak-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    lines: list[Any] = [account, *entries]
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    if said:
        file.with_suffix(".log").write_text(said, encoding="utf-8")
    return file


def _print(account: Account, trouble: Trouble, written: float, file: Path) -> None:
    killed = sum(count for what, count in trouble.counts.items() if what.startswith("killed"))
    print(f"\n{written:.1f} messages a second, {killed} kills")
    print(", ".join(f"{what}: {count}" for what, count in sorted(trouble.counts.items())))
    print(
        f"{account.written} written by citizens = {account.events} events ({account.copies} records on the log)"
        f" = {account.opened} cases + {account.joined} joins + {account.other} other intents"
    )
    print(f"{account.replies} replies, {account.doubled} heard more than once")
    for cause, count in account.doubled_by.items():
        print(f"  {count}: {cause}")
    for line in account.wrong[:50]:
        print(f"WRONG  {line}")
    print("the book does not balance" if account.wrong else "the book balances", f"- {file}")


if __name__ == "__main__":
    sys.exit(app())
