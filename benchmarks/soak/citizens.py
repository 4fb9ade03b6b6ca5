"""The citizens: who writes what and when, at a bounded rate, each until the gateway has said yes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from tests.crash.book import complaint
from tests.crash.fleet import Fleet
from tests.crash.ways import (
    BROKEN,
    IMAP,
    LMTP,
    SMS,
    TELEGRAM_HOOK,
    TELEGRAM_POLL,
    TWITTER_HOOK,
    TWITTER_POLL,
    HandOver,
    Played,
)

Kind = Literal["complaint", "help", "follow_up"]

SHARES: Mapping[str, float] = {
    TELEGRAM_HOOK.name: 0.10,
    TELEGRAM_POLL.name: 0.05,
    IMAP.name: 0.02,
    LMTP.name: 0.02,
}
"""Each way's share of the messages; the rest are texts, which alone have no limit at their provider."""
POSTS_PER_SECOND = 0.08
"""X allows 100 replies in 15 minutes for each account."""
MOST_AT_ONCE = 3_000
"""Who wait for their yes at one time; one intake that stands still holds up half of those who write meanwhile."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
"""Seconds after which a citizen's provider tries again, twice as long each time."""
HELP, FOLLOW_UP = 0.04, 0.08


class Letter(msgspec.Struct, kw_only=True):
    """One message of a citizen. ``handed_over`` counts the tries until the yes; 0: there was none yet."""

    n: int
    way: str
    to: str
    kind: Kind
    handed_over: int = 0


class Citizens:
    """Everybody who writes. ``letters`` is what they wrote, in order."""

    def __init__(self, fleet: Fleet, ways: Mapping[str, Played], *, rate: float, chance: random.Random) -> None:
        self.letters: list[Letter] = []
        self.heard = 0
        self.in_time = 0
        """How many had their yes when the time to write was over."""
        self._fleet = fleet
        self._ways = ways
        self._rate = rate
        self._chance = chance
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()
        self._texters: list[int] = []

    async def write(self, seconds: float) -> None:
        """Write for so long. Who finds that too many wait for their yes waits too: the load is bounded."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        posts = itertools.cycle([TWITTER_HOOK.name, TWITTER_POLL.name])
        posted = 0
        for n in itertools.count():
            wait = began + n / self._rate - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            elapsed = loop.time() - began
            if elapsed >= seconds:
                self.in_time = self.heard
                return
            way = self._draw()
            if posted < elapsed * 2 * POSTS_PER_SECOND:
                way, posted = next(posts), posted + 1
            await self._room.acquire()
            task = asyncio.create_task(self._send(self._letter(n, way)))
            self._under_way.add(task)
            task.add_done_callback(self._landed)

    def stop(self) -> None:
        """Give up on who is still waiting."""
        for task in self._under_way:
            task.cancel()

    def _draw(self) -> str:
        point = self._chance.random()
        for way, share in SHARES.items():
            point -= share
            if point < 0:
                return way
        return SMS.name

    def _letter(self, n: int, way: str) -> Letter:
        kind: Kind = "complaint"
        who = n
        if way == SMS.name:
            drawn = self._chance.random()
            if drawn < HELP:
                kind = "help"
            elif drawn < HELP + FOLLOW_UP and self._texters:
                kind, who = "follow_up", self._texters.pop()
            else:
                self._texters.append(n)
        letter = Letter(n=n, way=way, to=self._ways[way].citizen(who), kind=kind)
        self.letters.append(letter)
        return letter

    async def _send(self, letter: Letter) -> None:
        way = letter.way
        text = "BANTUAN" if letter.kind == "help" else complaint(letter.n)
        hand_over = self._ways[way].letter(letter.n, text, letter.to)
        letter.handed_over = await self._insist(hand_over, way)

    async def _insist(self, hand_over: HandOver, way: str) -> int:
        """Hand a message over until the gateway says yes; returns the times."""
        times, pause = 0, FIRST_PAUSE
        while True:
            times += 1
            with contextlib.suppress(*BROKEN):
                if await hand_over(self._fleet.webhook_of(self._fleet.intake(), way)) < 300:
                    return times
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()
        self.heard += 1
        if not task.cancelled():
            task.result()

    def __iter__(self) -> Iterator[Letter]:
        return iter(self.letters)
