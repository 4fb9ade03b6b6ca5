"""A provider that is away for longer than a day, by a clock that is moved: what is tried when, and what is left."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event, func, select

from channels.base import OutboundMessage, Sent
from channels.errors import RetryLater
from channels.http import HttpClient
from channels.sms import SPEC
from config.settings import Settings
from gateway.delivery import sender as module
from gateway.delivery.breaker import Breaker, State
from gateway.delivery.sender import Sender
from gateway.metrics import Metrics
from gateway.store.engine import Store
from gateway.store.tables import dead_letters, outbox
from tests.channels.host import FakeHost
from tests.delivery.yard import KANNEL

START, HOUR = 1_800_000_000.0, 3600.0
SLOWED, SLOWED_UNTIL, BACK, END = 8 * HOUR, 12 * HOUR, 25 * HOUR, 27 * HOUR
"""Seconds from the start: the provider asks to be left alone, until then; it takes replies again; all is over."""
WRITTEN = {"early": 0.0, "late-1": 10 * HOUR, "late-2": 10 * HOUR}
"""When each reply is written."""
SETTINGS = Settings()


class Day:
    """The clock of the process and of the store, the provider by that clock, and what it was called with."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 0.0
        self.unwritten = dict(WRITTEN)
        self.calls: list[tuple[float, str]] = []
        channel = SPEC.make("sms", KANNEL, FakeHost(HttpClient()))
        channel.send = self.provider  # type: ignore[method-assign]
        self.sender = Sender(
            channel, settings=SETTINGS, store=store, metrics=Metrics(), owner="one", source="https://gateway.test"
        )
        delivery = SETTINGS.delivery
        self.sender.breaker = Breaker(
            failures=delivery.breaker_failures, probe=delivery.breaker_probe, clock=self.monotonic
        )
        self.sender._rest = self.rest  # type: ignore[method-assign]

    def time(self) -> float:
        return START + self.now

    def monotonic(self) -> float:
        return self.now

    async def provider(self, message: OutboundMessage) -> Sent:
        self.calls.append((self.now, message.delivery))
        if self.now >= BACK:
            return Sent((message.delivery,))
        if SLOWED <= self.now < SLOWED_UNTIL:
            wait = SLOWED_UNTIL - self.now
            raise RetryLater("be quiet", reason="http_503", retry_after=wait, whole_channel=True)
        raise RetryLater("nobody there", reason="connection")

    async def rest(self, seconds: float) -> None:
        """Instead of resting: what is in flight lands, or it is the next moment at which something may happen."""
        del seconds
        if self.sender.trying:
            await asyncio.gather(*self.sender._in_flight)
            await asyncio.sleep(0)
            return
        if self.now >= END:
            self.sender.stop()
            return
        async with self.store.read() as connection:
            due = await connection.scalar(select(func.min(outbox.c.due_at)).where(outbox.c.state == "waiting"))
        moments = [END, *self.unwritten.values()]
        if due is not None:
            moments.append(max(due - START, self.now + self.sender.breaker.wait()))
        self.now = max(self.now + 0.001, min(moments))
        await self.write()

    async def write(self) -> None:
        """Put into the outbox what is written by now."""
        for delivery in [name for name, at in self.unwritten.items() if at <= self.now]:
            del self.unwritten[delivery]
            row = {
                "id": delivery,
                "channel_type": "sms",
                "channel": "sms",
                "sender_key": "k",
                "address": "+6281234567890",
                "text": "balasan",
                "template": "acknowledgement",
                "event_id": delivery,
                "received_at": self.time(),
                "created_at": self.time(),
                "state": "waiting",
                "due_at": self.time(),
            }
            async with self.store.write() as connection:
                await connection.execute(outbox.insert(), [row])

    def at(self, delivery: str) -> list[float]:
        """When the provider was called with a reply."""
        return [at for at, called in self.calls if called == delivery]


async def _set_clock(store: Store, day: Day) -> None:
    """Have the store tell the time of the day: in place of SQLite's own function, on every connection from now on."""

    def connect(connection: Any, _record: object) -> None:
        connection.create_function("julianday", 1, lambda _now: day.time() / 86400 + 2440587.5)

    for engine in (store.engine, store.writing):
        event.listen(engine.sync_engine, "connect", connect)
    await store.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # hundreds of attempts; the clocks are ours
async def test_an_outage_of_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Day(store)
    monkeypatch.setattr(module, "time", day)
    await _set_clock(store, day)
    async with asyncio.timeout(120):
        await day.write()
        await day.sender.run()
    delivery = SETTINGS.delivery
    async with store.read() as connection:
        replies: dict[str, Any] = {row.id: row for row in await connection.execute(select(outbox))}
        letters = (await connection.execute(select(dead_letters))).all()

    # Given up after the day it was given, not before, and at the first attempt after it.
    assert {name: row.state for name, row in replies.items()} == {"early": "dead", "late-1": "sent", "late-2": "sent"}
    (letter,) = letters
    assert (letter.reference, letter.reason) == ("early", "gave_up")
    given_up = letter.at - START
    assert delivery.give_up_after <= given_up <= delivery.give_up_after + delivery.longest_retry + 60
    assert given_up == pytest.approx(day.at("early")[-1], abs=1)

    # Once the provider is back, the first reply that it takes calls the others: nobody waits for their own backoff.
    assert [len([at for at in day.at(name) if at >= BACK]) for name in WRITTEN] == [0, 1, 1]
    first, second = sorted(at for at, _ in day.calls if at >= BACK)
    assert first - BACK <= delivery.longest_retry + 60
    assert second - first < 1
    assert day.sender.breaker.state is State.CLOSED

    # The provider was left alone while it asked for that, and paced by the breaker all the time.
    asked = next(at for at, _ in day.calls if at >= SLOWED)
    assert [at for at, _ in day.calls if asked < at < SLOWED_UNTIL] == []
    tripped = day.calls[delivery.breaker_failures - 1][0]
    while_down = [at for at, _ in day.calls if tripped <= at < BACK]
    gaps = [later - earlier for earlier, later in pairwise(while_down)]
    assert min(gaps) >= delivery.breaker_probe - 0.001
    # Each was tried seldom, and never left alone for long but when the provider asked for it.
    for name, written in WRITTEN.items():
        tries = day.at(name)
        assert len(tries) < 20 + (tries[-1] - written) / (delivery.longest_retry / 2)
        quiet = [
            (earlier, later) for earlier, later in pairwise(tries) if later - earlier > delivery.longest_retry + 60
        ]
        assert [pair for pair in quiet if pair[1] < SLOWED_UNTIL or pair[0] > SLOWED_UNTIL] == []
