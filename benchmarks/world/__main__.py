"""The process: providers that listen, and citizens who write when they are told to.

``python -m benchmarks.world PLAN`` (a JSON :class:`Plan`) listens, and then takes a number a line on its standard
input: so many letters are written, and once everybody has heard what they are due it answers with a line of JSON, a
:class:`Block`. It ends with its input.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Mapping

import msgspec
import uvloop

from benchmarks.load import percentile
from benchmarks.world import wire
from benchmarks.world.lanes import Http, Lmtp
from benchmarks.world.letters import WAYS, Citizens, Letter, Way
from benchmarks.world.providers import Mail, Web

AGAIN = 0.2
"""Seconds after which a letter that was not taken is handed over again."""
LANES: Mapping[Way, int] = {"sms": 48, "telegram": 16, "twitter": 12, "email": 12}
"""Connections of each way."""
STUCK = 60.0
"""Seconds without one answer heard after which the rest is given up."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway listens (``port``, and ``lmtp``), where the providers do, and how much is under way at once.

    ``window`` is how many citizens may wait for an answer.
    """

    port: int
    lmtp: int
    web: int
    smtp: int
    window: int = 400
    seed: int = 1708


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """What came of some letters. ``seconds`` run from the first letter to the last answer; times in milliseconds.

    ``written`` counts all letters since the start by way and kind, ``due``, ``heard`` and ``unasked`` all answers;
    ``unheard`` is how many citizens still wait, which only happens where the world gave up.
    """

    letters: int
    seconds: float
    cpu_seconds: float
    refused: int
    p50: float
    p99: float
    written: dict[str, int]
    due: int
    heard: int
    unasked: int
    unheard: int


class World:
    """Citizens, their lanes, and the providers."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._citizens = Citizens(plan.seed)
        self._queues: dict[Way, asyncio.Queue[Letter]] = {way: asyncio.Queue(LANES[way]) for way in WAYS}
        self._posts: dict[str, str] = {}
        self._room = asyncio.Event()
        self._waits: list[float] = []
        self._refused = 0
        self._heard_at = 0.0

    async def open(self) -> None:
        """Open the providers' ports and begin to carry letters."""
        loop, plan = asyncio.get_running_loop(), self._plan
        await loop.create_server(lambda: Web(self._hear), "127.0.0.1", plan.web, backlog=1024)
        await loop.create_server(lambda: Mail(self._hear), "127.0.0.1", plan.smtp, backlog=1024)
        self._carriers = [asyncio.create_task(self._carry(way)) for way, lanes in LANES.items() for _ in range(lanes)]

    async def write(self, letters: int) -> Block:
        """Write so many, as fast as answers come; returns once everybody has heard what they are due."""
        self._waits, self._refused = [], 0
        began, used = time.perf_counter(), time.process_time()
        self._heard_at = began
        for _ in range(letters):
            if not await self._has_room(self._plan.window):
                break
            letter = self._citizens.draw(time.perf_counter())
            if letter.way == "twitter":
                self._posts[f"#{wire.post_id(letter)}"] = letter.who
            await self._queues[letter.way].put(letter)
        for queue in self._queues.values():
            await queue.join()
        await self._has_room(1)
        return self._block(letters, time.perf_counter() - began, time.process_time() - used)

    async def _has_room(self, window: int) -> bool:
        """Wait until fewer than ``window`` citizens wait; false where nothing moves any more."""
        while self._citizens.waiting >= window:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), 1.0)
            except TimeoutError:
                if time.perf_counter() - self._heard_at > STUCK:
                    return False
        return True

    async def _carry(self, way: Way) -> None:
        plan, queue = self._plan, self._queues[way]
        web, lmtp = Http("127.0.0.1", plan.port), Lmtp("127.0.0.1", plan.lmtp, wire.MAILBOX)
        while True:
            letter = await queue.get()
            while not await self._taken(letter, web, lmtp):
                self._refused += 1
                await asyncio.sleep(AGAIN)
            queue.task_done()

    async def _taken(self, letter: Letter, web: Http, lmtp: Lmtp) -> bool:
        try:
            if letter.way == "email":
                return await lmtp.hand_over(letter.who, wire.mail(letter))
            return await web.hand_over(wire.call(letter, f"127.0.0.1:{self._plan.port}"))
        except OSError:
            return False

    def _hear(self, way: Way, who: str, number: str, below: str) -> None:
        now = time.perf_counter()
        if who.startswith("#"):
            who = self._posts.pop(who, "")
        waited = self._citizens.hear(way, who, number, below, now)
        self._heard_at = now
        if waited is not None:
            self._waits.append(waited)
            self._room.set()

    def _block(self, letters: int, seconds: float, used: float) -> Block:
        citizens = self._citizens
        ordered = sorted(self._waits) or [math.nan]
        return Block(
            letters=letters,
            seconds=seconds,
            cpu_seconds=used,
            refused=self._refused,
            p50=1000 * percentile(ordered, 0.5),
            p99=1000 * percentile(ordered, 0.99),
            written={f"{way} {kind}": count for (way, kind), count in sorted(citizens.written.items())},
            due=citizens.due,
            heard=citizens.heard,
            unasked=citizens.unasked,
            unheard=citizens.waiting,
        )


async def serve(plan: Plan) -> None:
    """Take orders from the standard input until it ends."""
    world = World(plan)
    await world.open()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        block = await world.write(int(line))
        sys.stdout.write(msgspec.json.encode(block).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as event_loop:
        event_loop.run(serve(msgspec.json.decode(sys.argv[1], type=Plan)))
