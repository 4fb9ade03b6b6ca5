"""The watch on a store: what it writes down of what the processes tell."""

from __future__ import annotations

import asyncio
import time

import msgspec

from gateway.health.parts import Part
from gateway.health.pauses import pause, resume
from gateway.health.told import ChannelTold
from gateway.health.watch import LEASE
from gateway.store.engine import Store
from gateway.store.leases import release
from gateway.store.operations import health, instances, traffic
from tests.health.crew import WELL, Crew

AWAY = msgspec.structs.replace(WELL, sending=Part("down", "http_500: no"))
HOUR = 3600


async def test_a_gateway_that_starts_well_is_no_news(store: Store) -> None:
    crew = Crew(store)
    await crew.beats()
    states = await crew.look()
    assert states == {
        **{("", role): "healthy" for role in ("intake", "dispatch", "deliver")},
        **{("sms", part): "healthy" for part in ("", "receiving", "sending", "credentials")},
    }
    assert await crew.changes() == []


async def test_a_change_is_told_once_and_once_more_when_it_is_over(store: Store) -> None:
    crew = Crew(store)
    await crew.beats()
    await crew.look()
    await crew.beats(told={"sms": AWAY})
    for _ in range(3):
        states = await crew.look()
    assert (states["sms", ""], states["sms", "sending"], states["sms", "receiving"]) == ("down", "down", "healthy")
    (row,) = [row for row in await crew.rows(health) if (row.channel, row.part) == ("sms", "")]
    assert row.reason == "http_500: no"
    await crew.beats()
    for _ in range(3):
        await crew.look()
    assert await crew.changes() == [
        ("sms", "sending", "healthy", "down"),
        ("sms", "", "healthy", "down"),
        ("sms", "sending", "down", "healthy"),
        ("sms", "", "down", "healthy"),
    ]
    labels = {"channel": "sms", "part": "", "state": "down"}
    assert crew.metrics.registry.get_sample_value("lapor_gateway_health_changes_total", labels) == 1


async def test_another_reason_for_the_same_state_is_kept_and_no_change(store: Store) -> None:
    crew = Crew(store)
    await crew.beats(told={"sms": AWAY})
    await crew.look()
    before = await crew.changes()
    await crew.beats(told={"sms": msgspec.structs.replace(WELL, sending=Part("down", "timeout: none"))})
    await crew.look()
    assert await crew.changes() == before
    assert {row.reason for row in await crew.rows(health) if row.state == "down"} == {"timeout: none"}


async def test_what_gets_better_has_to_hold(store: Store) -> None:
    crew = Crew(store, settle=3600.0)
    await crew.beats(told={"sms": AWAY})
    await crew.look()
    await crew.beats()
    assert (await crew.look())["sms", ""] == "down"


async def test_the_last_process_of_a_role_is_missing(store: Store) -> None:
    crew = Crew(store)
    deliver = {"sms": ChannelTold(sending=Part("healthy"), credentials=Part("healthy"))}
    await crew.beats("in", "intake", {"sms": ChannelTold(receiving=Part("healthy"))})
    await crew.beats("out", "deliver", deliver)
    await crew.look()
    await crew.beats("out", "deliver", deliver, age=21.0)
    states = await crew.look()
    assert (states["", "deliver"], states["sms", "sending"], states["sms", ""]) == ("down", "down", "down")
    assert (states["", "intake"], states["sms", "receiving"]) == ("healthy", "healthy")
    await crew.beats("again", "deliver", deliver, started=1.0)
    states = await crew.look()
    assert (states["", "deliver"], states["sms", "sending"], states["sms", ""]) == ("healthy",) * 3
    assert [row.name for row in await crew.rows(instances, instances.c.name)] == ["again", "in"]


async def test_who_leaves_as_asked_is_not_missed(store: Store) -> None:
    crew = Crew(store)
    await crew.beats("in", "intake")
    await crew.beats("out", "deliver")
    await crew.look()
    await crew.beats("out", "deliver", age=60.0, left=True)
    assert "down" not in (await crew.look()).values()


async def test_a_pause_and_its_end(store: Store) -> None:
    crew = Crew(store)
    await crew.beats()
    await crew.look()
    assert await pause(store, "sms", "out", "sari", "maintenance")
    assert not await pause(store, "sms", "out", "budi")
    states = await crew.look()
    assert (states["sms", "sending"], states["sms", ""]) == ("paused", "paused")
    reasons = {row.reason for row in await crew.rows(health) if row.state == "paused"}
    assert reasons == {"paused by sari: maintenance"}
    assert await resume(store, "sms", "out", "sari")
    assert not await resume(store, "sms", "out", "sari")
    assert (await crew.look())["sms", ""] == "healthy"
    assert len(await crew.changes()) == 4


async def test_a_channel_that_is_configured_no_more_is_forgotten(store: Store) -> None:
    crew = Crew(store, channels=["sms", "old"])
    await crew.beats(told={"sms": WELL, "old": WELL})
    assert ("old", "") in await crew.look()
    crew.watch = crew.another_watch("watcher", ["sms"])
    assert ("old", "") in await crew.look()
    await crew.beats(told={"sms": WELL})
    assert ("old", "") not in await crew.look()


async def a_month(crew: Crew, *, per_minute: int) -> float:
    """A month of steady traffic in the store, one row an hour; returns the time by the watch's clock."""
    now = time.time()
    hour = int(now // HOUR) * HOUR
    await crew.counted([{"minute": hour - n * HOUR, "received": 60 * per_minute} for n in range(1, 24 * 28)])
    # The last hours by the minute, up to three minutes ago.
    minutes = range(int((now - 4 * HOUR) // 60) * 60, int((now - 240) // 60) * 60, 60)
    rows = [{"minute": m, "received": per_minute, "instance": "new"} for m in minutes if m % HOUR]
    await crew.counted(rows)
    return now


async def test_a_channel_that_falls_silent_and_speaks_again(store: Store) -> None:
    crew = Crew(store)
    now = await a_month(crew, per_minute=10)
    await crew.beats(told={"sms": msgspec.structs.replace(WELL, last_in=now - 30)})
    await crew.look()
    assert await crew.changes() == []
    # It takes messages since long: another watch would see so in the store.
    async with store.write() as connection:
        await connection.execute(health.update().values(since=now - 7200))
    crew.watch = crew.another_watch("another")
    await crew.beats(told={"sms": msgspec.structs.replace(WELL, last_in=now - 180)})
    states = await crew.look()
    assert (states["sms", "receiving"], states["sms", ""]) == ("silent", "silent")
    (reason,) = {row.reason for row in await crew.rows(health) if row.state == "silent"}
    assert reason.startswith("no message since ")
    assert reason.endswith("; one usually comes every 6 s at this hour")
    await crew.beats(told={"sms": msgspec.structs.replace(WELL, last_in=time.time())})
    assert (await crew.look())["sms", ""] == "healthy"


async def test_a_gateway_that_has_just_started_waits_before_it_speaks_of_silence(store: Store) -> None:
    crew = Crew(store)
    await a_month(crew, per_minute=10)
    await crew.beats(started=1.0)
    assert (await crew.look())["sms", ""] == "healthy"


async def test_old_counts_and_processes_long_gone_are_forgotten(store: Store) -> None:
    crew = Crew(store)
    day = 86400
    await crew.counted([{"minute": int(time.time() // 60) * 60 - n * day, "received": 1} for n in (1, 59, 61)])
    await crew.beats()
    await crew.beats("left", age=2 * day, left=True)
    await crew.beats("lost", "intake", age=2 * day)
    await crew.look()
    assert len(await crew.rows(traffic)) == 2
    assert [row.name for row in await crew.rows(instances)] == ["one"]


async def test_one_watch_works_at_a_time_and_another_goes_on(store: Store) -> None:
    crew = Crew(store)
    second = crew.another_watch("second")
    await crew.beats()
    assert [await crew.watch._ours(), await second._ours(), await crew.watch._ours()] == [True, False, True]
    await release(store, LEASE, "watcher")
    assert await second._ours()


async def test_the_watch_runs_until_it_is_stopped_and_gives_its_lease_back(store: Store) -> None:
    crew = Crew(store)
    await crew.beats()
    task = asyncio.create_task(crew.watch.run())
    async with asyncio.timeout(20):
        while not await crew.rows(health):
            await asyncio.sleep(0.01)
    crew.watch.stop()
    await task
    assert await crew.another_watch("second")._ours()
