"""What goes wrong in a soak: processes killed and stopped, the broker and the database away, providers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping

from channels.standin import Fault
from tests.crash.fleet import Fleet
from tests.crash.ways import IMAP, Played
from tests.fixtures.postgres import Postgres
from tests.kafka.broker import Broker

FAILS = 0.3
KILLS = 40
PAUSES = 12
LEAST_BETWEEN_KILLS = 2.5


class Trouble:
    """Everything that goes wrong, by a plan that fits into ``seconds``; ``counts`` is what happened."""

    def __init__(
        self,
        fleet: Fleet,
        ways: Mapping[str, Played],
        broker: Broker,
        postgres: Postgres,
        *,
        seconds: float,
        chance: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._fleet = fleet
        self._ways = ways
        self._broker = broker
        self._postgres = postgres
        self._seconds = seconds
        self._chance = chance
        self._say = say
        self._over = asyncio.Event()
        self._busy = {name: asyncio.Lock() for name in fleet.names}

    async def make(self) -> None:
        """Go on until the time is over, then put everything right again."""
        asyncio.get_running_loop().call_later(self._seconds, self._over.set)
        for way, played in self._ways.items():
            if way != IMAP.name:
                played.standin.fault = Fault(kind="status", status=500, probability=FAILS)
        await asyncio.gather(
            self._kill(), self._pause(), self._stop_the_broker(), self._restart_postgres(), self._mail()
        )
        for played in self._ways.values():
            played.standin.fault = None

    async def _rest(self, seconds: float) -> bool:
        """Wait so long; true when the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return self._over.is_set()

    async def _kill(self) -> None:
        """Every process in turn, in an order that is drawn anew each time round."""
        between = max(LEAST_BETWEEN_KILLS, self._seconds / KILLS)
        while True:
            for name in self._chance.sample(self._fleet.names, len(self._fleet.names)):
                if await self._rest(between * self._chance.uniform(0.7, 1.1)):
                    return
                async with self._busy[name]:
                    await self._fleet.processes[name].kill()
                    self.counts[f"killed {self._fleet.role_of(name)}"] += 1
                    self._say(f"killed {name}")
                    await self._fleet.launch(name)

    async def _pause(self) -> None:
        """SIGSTOP for longer than any lease, then SIGCONT."""
        longer = 1.5 * float(self._fleet.delivery["lease"])
        while not await self._rest(max(1.5 * longer, self._seconds / PAUSES)):
            name = self._chance.choice(self._fleet.names)
            async with self._busy[name]:
                process = self._fleet.processes[name]
                process.send_signal(signal.SIGSTOP)
                self._say(f"paused {name} for {longer:g} s")
                self.counts["paused"] += 1
                await self._rest(longer)
                process.send_signal(signal.SIGCONT)

    async def _stop_the_broker(self) -> None:
        """Away for a twelfth of the time, twice: stopped, then killed."""
        for end in (self._broker.stop, self._broker.kill):
            if await self._rest(self._seconds * 0.3):
                return
            away = min(20.0, self._seconds / 12)
            self._say(f"the broker goes away for {away:.0f} s")
            self.counts["broker away"] += 1
            await asyncio.to_thread(end)
            await self._rest(away)
            await asyncio.to_thread(self._broker.start)
            self._say("the broker is back")

    async def _restart_postgres(self) -> None:
        for _ in range(3):
            if await self._rest(self._seconds * 0.22):
                return
            self._say("PostgreSQL restarts")
            self.counts["PostgreSQL restarted"] += 1
            await asyncio.to_thread(self._postgres.server.stop)
            await self._rest(1.0)
            await asyncio.to_thread(self._postgres.server.start)

    async def _mail(self) -> None:
        """The mailbox fails by turns: three of its commands in ten, all the time, and no reading would ever end."""
        standin = self._ways[IMAP.name].standin
        while not self._over.is_set():
            standin.fault = Fault(kind="status", status=500, probability=FAILS)
            await self._rest(3.0)
            standin.fault = None
            await self._rest(5.0)
