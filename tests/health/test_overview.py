"""The overview: what it shows, and that its price does not grow with the channels."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from channels.base import Quota
from config.settings import Settings
from gateway.channelset import ChannelConfig, load_channels
from gateway.health.latency import BUCKETS, written
from gateway.health.overview import Change, ChannelView, overview
from gateway.health.parts import Part
from gateway.health.pauses import pause
from gateway.store.engine import Store
from gateway.store.operations import health_changes
from gateway.store.tables import dead_letters, outbox
from tests.health.crew import WELL, Crew
from tests.inside import KANNEL

MINUTE, HOUR = 60, 3600


def configured(*names: str) -> Mapping[str, ChannelConfig]:
    return load_channels(Settings(channels=dict.fromkeys(names, KANNEL)))


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Every statement that is sent meanwhile."""
    sent: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(store.engine.sync_engine, "before_cursor_execute", seen)
    try:
        yield sent
    finally:
        event.remove(store.engine.sync_engine, "before_cursor_execute", seen)


async def view(crew: Crew, at: float | None = None) -> ChannelView:
    found = await overview(crew.store, crew.settings, configured("sms"), at)
    return found.channels[0]


async def test_an_empty_store_says_that_no_gateway_runs(store: Store) -> None:
    found = await overview(store, Settings(), configured("sms"))
    assert (found.running, found.well, found.instances, found.changes) == (False, False, [], [])
    (channel,) = found.channels
    assert (channel.state, channel.reason) == ("unknown", "no process of the gateway runs")
    assert (channel.type, channel.title, channel.last_in, channel.p50) == ("sms", "SMS", None, None)
    assert (channel.hour, channel.day) == ([0] * 60, [0] * 24)


async def test_how_a_channel_stands(store: Store) -> None:
    crew = Crew(store)
    quota = Quota("GET /2/tweets", 7, 100, 9e9)
    told = msgspec.structs.replace(WELL, sending=Part("down", "http_500"), breaker="open", quotas=(quota,))
    await crew.beats("one", told={"sms": WELL}, log_lag=4)
    await crew.beats("two", told={"sms": told}, log_lag=3, spool_depth=9, spool_age=12.5)
    await crew.look()
    await pause(store, "sms", "in", "sari")
    channel = await view(crew)
    assert (channel.state, channel.reason, channel.breaker) == ("down", "http_500", "open")
    assert {name: part.state for name, part in channel.parts.items()} == {
        "receiving": "healthy",
        "sending": "down",
        "credentials": "healthy",
    }
    assert channel.since == pytest.approx(time.time(), abs=60)
    assert (channel.paused, channel.quotas) == (("in",), (quota,))
    found = await overview(store, crew.settings, configured("sms"))
    assert (found.log_lag, found.spool_depth, found.spool_age) == (7, 9, 12.5)
    assert (found.well, found.running) == (False, True)
    assert {name: role.state for name, role in found.roles.items()} == dict.fromkeys(
        ("intake", "dispatch", "deliver"), "healthy"
    )
    assert Change(found.changes[0].at, "sms", "", "unknown", "down", "http_500") in found.changes


async def test_the_processes_and_a_gateway_that_died(store: Store) -> None:
    crew = Crew(store)
    await crew.beats("a", "intake", started=10)
    await crew.beats("b", "deliver", age=50, started=20)
    await crew.beats("c", "dispatch", age=50, started=30, left=True)
    found = await overview(store, crew.settings, configured("sms"))
    assert [(one.name, one.state) for one in found.instances] == [("a", "running"), ("b", "missing"), ("c", "left")]
    await crew.beats("a", "intake", age=30, started=10)
    found = await overview(store, crew.settings, configured("sms"))
    assert (found.running, found.channels[0].state) == (False, "down")
    assert found.channels[0].reason.startswith("no process of the gateway runs; the last was heard of ")


async def test_traffic_by_the_minute_and_the_hour(store: Store) -> None:
    crew = Crew(store)
    at = 1_760_000_000.0 // HOUR * HOUR + 1805
    this = int(at // MINUTE) * MINUTE
    fast, slow = ([int(place == n) * 50 for place in range(BUCKETS)] for n in (2, 6))
    rows: list[dict[str, Any]] = [
        {"minute": this, "received": 2, "sent": 1, "latencies": written(fast)},
        {"minute": this, "received": 3, "instance": "other", "latencies": written(slow)},
        {"minute": this - 59 * MINUTE, "received": 7},
        {"minute": this - 60 * MINUTE, "received": 100, "sent": 100},
        {"minute": this - 23 * HOUR, "sent": 4},
        {"minute": this - 30 * HOUR, "received": 1000},
    ]
    await crew.counted(rows)
    channel = await view(crew, at)
    assert (channel.hour[-1], channel.hour[0], channel.received_hour, channel.sent_hour) == (5, 7, 12, 1)
    assert (channel.day[-1], channel.day[-2], channel.received_day, channel.sent_day) == (5, 107, 112, 105)
    assert (channel.last_in, channel.last_out) == (this, this)
    assert channel.p50 == pytest.approx(0.25)
    assert channel.p95 == pytest.approx(4.75)


async def test_when_something_last_came_and_went_is_known_long_after(store: Store) -> None:
    crew = Crew(store)
    this = int(time.time() // MINUTE) * MINUTE
    await crew.counted([{"minute": this - 40 * 24 * HOUR, "received": 1}, {"minute": this - 50 * 24 * HOUR, "sent": 1}])
    channel = await view(crew)
    assert (channel.last_in, channel.last_out) == (this - 40 * 24 * HOUR, this - 50 * 24 * HOUR)
    await crew.beats(told={"sms": msgspec.structs.replace(WELL, last_in=this + 1.5)})
    assert (await view(crew)).last_in == this + 1.5


async def test_what_waits_and_what_is_dead(store: Store) -> None:
    crew = Crew(store)
    reply = {
        **dict.fromkeys(("channel_type", "sender_key", "address", "text", "template", "event_id"), "x"),
        "channel": "sms",
        "received_at": 1.0,
        "created_at": 1.0,
        "due_at": 1.0,
    }
    letter = {"stage": "intake", "channel": "sms", "reason": "bad", "at": 1.0, "raw": b"", "raw_type": ""}
    ends = [{}, {}, {"replayed_at": 2.0}, {"discarded_at": 2.0}]
    async with store.write() as connection:
        states = ("waiting", "waiting", "waiting", "sent")
        await connection.execute(outbox.insert(), [reply | {"id": f"{n}", "state": s} for n, s in enumerate(states)])
        none = {"replayed_at": None, "discarded_at": None}
        await connection.execute(
            dead_letters.insert(), [letter | none | end | {"id": f"{n}"} for n, end in enumerate(ends)]
        )
    channel = await view(crew)
    assert (channel.waiting, channel.dead) == (3, 2)
    assert (await overview(store, crew.settings, configured("sms"))).outbox == 3


async def test_the_number_of_statements_does_not_depend_on_the_channels(store: Store) -> None:
    crew = Crew(store)
    counts = []
    for names in (["sms"], [f"sms-{n}" for n in range(50)]):
        await crew.beats(told=dict.fromkeys(names, WELL))
        await crew.counted([{"channel": name, "minute": int(time.time() // 60) * 60, "received": 1} for name in names])
        async with store.write() as connection:
            rows = [{"at": 1.0, "channel": name, "part": "", "was": "healthy", "state": "down"} for name in names]
            await connection.execute(health_changes.insert(), rows)
        with statements(store) as sent:
            found = await overview(store, crew.settings, configured(*names))
        assert [one.received_hour for one in found.channels] == [1] * len(names)
        counts.append(len([one for one in sent if one.lstrip().upper().startswith("SELECT")]))
    assert counts[0] == counts[1] <= 10
