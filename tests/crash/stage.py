"""Playing one crash after another: citizens who write, processes that end themselves, and the book at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from gateway.dispatcher.relay import LEASE as RELAY
from gateway.seams import Seam
from gateway.store.engine import StoreUnavailable
from gateway.store.tables import leases, messages, outbox
from tests.crash.book import Book, complaint, written_up
from tests.crash.fleet import Fleet
from tests.crash.ways import Played, Way, insist

PATIENCE = 90.0

PUSHED = (
    Seam.VERIFIED,
    Seam.BEFORE_APPEND,
    Seam.BEFORE_LOG_WRITE,
    Seam.AFTER_LOG_WRITE,
    Seam.AFTER_APPEND,
    Seam.ANSWERED,
)
LISTENED = (Seam.BEFORE_APPEND, Seam.BEFORE_LOG_WRITE, Seam.AFTER_LOG_WRITE, Seam.AFTER_APPEND)
READ = (
    Seam.FETCHED,
    Seam.BEFORE_APPEND,
    Seam.BEFORE_LOG_WRITE,
    Seam.AFTER_LOG_WRITE,
    Seam.AFTER_APPEND,
    Seam.BEFORE_CURSOR,
    Seam.AFTER_CURSOR,
)
DISPATCHED = (
    Seam.TAKEN,
    Seam.DECIDED,
    Seam.BEFORE_STORE_COMMIT,
    Seam.AFTER_STORE_COMMIT,
    Seam.AFTER_LOG_COMMIT,
    Seam.BEFORE_RELAY,
    Seam.AFTER_RELAY_APPEND,
    Seam.AFTER_RELAY,
)
DELIVERED = (Seam.LEASED, Seam.BEFORE_SEND, Seam.SENT, Seam.SETTLED)


def seams_of(way: Way) -> Sequence[Seam]:
    """The steps that a message takes that comes in this way."""
    arriving = READ if not way.called else PUSHED if way.type != "email" else LISTENED
    return (*arriving, *DISPATCHED, *DELIVERED)


def role_at(seam: Seam) -> str:
    """The role that takes a step."""
    if seam in DISPATCHED:
        return "dispatch"
    return "deliver" if seam in DELIVERED else "intake"


class Stage:
    """One site and its ways in. Citizens write in the background, each until the gateway says yes."""

    def __init__(self, fleet: Fleet, ways: Mapping[str, Played]) -> None:
        self.fleet = fleet
        self.ways = ways
        self.letters: dict[int, tuple[str, str]] = {}
        self.may_double = 0
        self._writing: list[asyncio.Task[int]] = []
        fleet.channels = {name: one.table for name, one in ways.items()}
        fleet.delivery |= {"timeout": 1.5, "lease": 2.0}

    def write(self, way: Way, count: int = 1) -> None:
        """Some more citizens write."""
        played = self.ways[way.name]
        for _ in range(count):
            n = len(self.letters)
            self.letters[n] = (way.name, played.citizen(n))
            hand_over = played.letter(n, complaint(n))
            self._writing.append(asyncio.create_task(insist(hand_over, lambda: self._webhook(way))))

    def _webhook(self, way: Way) -> str:
        return self.fleet.webhook_of(self.fleet.intake(), way.name)

    async def crash(self, seam: Seam, way: Way, citizens: int, *, count: int = 1, times: int = 1) -> None:
        """Start the process that takes this step, let citizens write, and wait until it has ended itself there."""
        alone = len(self.fleet.names) == 1
        name = "all" if alone else role_at(seam)
        self.write(way, citizens)
        await self.fleet.launch(name, f"{seam}:{count}")
        await self.fleet.died(name, seam, times)
        # Alone, a crash at any step may come while replies are in flight; else only the deliverer's own.
        if alone or role_at(seam) == "deliver":
            self.may_double += await self.fleet.in_flight()
        await self._let_leases_lapse()

    async def _let_leases_lapse(self) -> None:
        """The dead process's lease of the relay is over: a quarter of a minute that a test need not sit out."""
        with contextlib.suppress(StoreUnavailable, DBAPIError):
            async with self.fleet.store.write() as connection:
                await connection.execute(update(leases).where(leases.c.name == RELAY).values(until=0.0))

    async def settled(self) -> Book:
        """Wait until everybody was heard and answered, and open the book."""
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*self._writing)
                await self.fleet.until(messages, lambda rows: len(rows) >= len(self.letters))
                await self.fleet.until(
                    outbox, lambda rows: len(rows) >= len(self.letters) and all(r.state == "sent" for r in rows)
                )
        except TimeoutError:
            book = await self._book()
            states = Counter(row.state for row in await self.fleet.rows(outbox))
            heard = len(await self.fleet.rows(messages))
            told = f"{len(self.letters)} written, {heard} messages, replies {dict(states)}"
            raise AssertionError(f"{book.wrong()} {told}\n{self.fleet.said()[-8000:]}") from None
        finally:
            await self.stop()
        return await self._book()

    async def stop(self) -> None:
        """Nobody writes any more."""
        for task in self._writing:
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def let_lapse(self, table: Any) -> None:
        """The leases on what waits in a queue are over."""
        async with self.fleet.store.write() as connection:
            await connection.execute(update(table).where(table.c.state == "waiting").values(due_at=0.0))

    async def balances(self) -> None:
        """The promises hold for every message; answers beyond the first were in flight at a crash."""
        book = await self.settled()
        assert book.wrong() == []
        assert book.doubled <= self.may_double, f"{book.doubled} doubled, {self.may_double} were in flight at a crash"

    async def _book(self) -> Book:
        heard = {name: one.standin.sent for name, one in self.ways.items()}
        return written_up(self.letters, await self.fleet.rows(messages), heard)
