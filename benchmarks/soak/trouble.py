"""What goes wrong in a soak: processes killed, stopped and on a wrong time, log and store away, providers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from benchmarks.soak.clocks import Clocks
from channels.standin import Fault
from tests.crash.fleet import THREE, Fleet
from tests.crash.ways import IMAP, Played
from tests.fixtures.postgres import Postgres
from tests.kafka.broker import Broker

FAILS = 0.3
# Seconds between two troubles of a kind. A short soak has the broker and the database away once all the same.
KILL_EVERY = 12.0
PAUSE_EVERY = 30.0
STEP_EVERY = 8.0
BROKER_EVERY = 100.0
POSTGRES_EVERY = 75.0
BROKER_AWAY = 20.0
WRONG_BY = (60, 600)
"""Seconds by which a clock may be wrong, either way: minutes, as after a bad time server or a machine's sleep."""
LEAST_KILLS = 1 / 20
"""Kills a second below which a soak has not been one."""


class Trouble:
    """Everything that goes wrong for ``seconds``; ``counts`` is what happened."""

    def __init__(
        self,
        fleet: Fleet,
        ways: Mapping[str, Played],
        broker: Broker,
        postgres: Postgres,
        clocks: Clocks,
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
        self._clocks = clocks
        self._seconds = seconds
        self._chance = chance
        self._say = say
        self._over = asyncio.Event()
        self._busy = {name: asyncio.Lock() for name in fleet.names}

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(self.counts[f"killed {role}"] for role in THREE)

    def missed(self) -> list[str]:
        """What did not go wrong as often as it takes to call this a soak, a line each."""
        least = int(self._seconds * LEAST_KILLS)
        said = [f"{self.kills} kills instead of {least}"] if self.kills < least else []
        kinds = [*(f"killed {role}" for role in THREE), "paused", "clock stepped", "broker away", "PostgreSQL away"]
        return said + [f"never: {kind}" for kind in kinds if not self.counts[kind]]

    async def make(self) -> None:
        """Go on until the time is over, then put everything right again."""
        asyncio.get_running_loop().call_later(self._seconds, self._over.set)
        for way, played in self._ways.items():
            if way != IMAP.name:
                played.standin.fault = Fault(kind="status", status=500, probability=FAILS)
        await asyncio.gather(
            self._kill(),
            self._pause(),
            self._step_clocks(),
            self._stop_the_broker(),
            self._restart_postgres(),
            self._mail(),
        )
        for played in self._ways.values():
            played.standin.fault = None

    async def _rest(self, seconds: float) -> bool:
        """Wait so long; true when the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return self._over.is_set()

    def victims(self) -> Iterator[str]:
        """Every process in turn, in an order that is drawn anew each time round: first one of each role."""
        while True:
            pairs = {role: [n for n in self._fleet.names if self._fleet.role_of(n) == role] for role in THREE}
            for names in pairs.values():
                self._chance.shuffle(names)
            for _ in range(2):
                for role in self._chance.sample(THREE, len(THREE)):
                    yield pairs[role].pop()

    async def _kill(self) -> None:
        for name in self.victims():
            if await self._rest(KILL_EVERY * self._chance.uniform(0.7, 1.1)):
                return
            async with self._busy[name]:
                await self._fleet.processes[name].kill()
                self.counts[f"killed {self._fleet.role_of(name)}"] += 1
                self._say(f"killed {name}")
                await self._fleet.launch(name)

    async def _pause(self) -> None:
        """SIGSTOP for longer than any lease, then SIGCONT."""
        longer = 1.5 * float(self._fleet.delivery["lease"])
        while not await self._rest(PAUSE_EVERY * self._chance.uniform(0.5, 1.0)):
            name = self._chance.choice(self._fleet.names)
            async with self._busy[name]:
                process = self._fleet.processes[name]
                process.send_signal(signal.SIGSTOP)
                self._say(f"paused {name} for {longer:g} s")
                self.counts["paused"] += 1
                await self._rest(longer)
                process.send_signal(signal.SIGCONT)

    async def _step_clocks(self) -> None:
        """One process's wall clock at a time, back and forth, whether it runs or stands; what starts anew is right."""
        while not await self._rest(STEP_EVERY):
            name = self._chance.choice(self._fleet.names)
            wrong = self._chance.choice((-1, 1)) * self._chance.randint(*WRONG_BY)
            self._clocks.set(self._fleet.processes[name].pid, wrong)
            self._say(f"the clock of {name} is wrong by {wrong:+d} s")
            self.counts["clock stepped"] += 1
        for name in self._fleet.names:
            self._clocks.set(self._fleet.processes[name].pid, 0)

    async def _stop_the_broker(self) -> None:
        """Away again and again, stopped and killed by turns."""
        for end in itertools.cycle((self._broker.stop, self._broker.kill)):
            if await self._rest(min(BROKER_EVERY, self._seconds * 0.3)):
                return
            away = min(BROKER_AWAY, self._seconds / 12)
            self._say(f"the broker goes away for {away:.0f} s")
            self.counts["broker away"] += 1
            await asyncio.to_thread(end)
            await self._rest(away)
            await self._bring_the_broker_back()

    async def _bring_the_broker_back(self) -> None:
        """On a machine that is too busy it may take several tries."""
        while not self._broker.running:
            try:
                await asyncio.to_thread(self._broker.start)
            except AssertionError:
                self._say("the broker did not start in time")
        self._say("the broker is back")

    async def _restart_postgres(self) -> None:
        while not await self._rest(min(POSTGRES_EVERY, self._seconds * 0.22)):
            self._say("PostgreSQL restarts")
            self.counts["PostgreSQL away"] += 1
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
