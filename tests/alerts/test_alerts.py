"""Alerts at work on a store: each sink is told once, whoever tells, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from channels.errors import ChannelError, Refused, RetryLater
from channels.http import HttpClient
from channels.sms.settings import SmsSettings
from channels.sms.standin import StandIn
from config.operations import Alerts as AlertSettings
from config.settings import Settings
from gateway.alerts import teller
from gateway.alerts.alerts import Alerts, make_sinks
from gateway.alerts.ledger import LEASE, load
from gateway.alerts.sinks import Message, Sink
from gateway.metrics import Metrics
from gateway.store.engine import Store
from gateway.store.operations import health, health_changes
from gateway.store.sql import among, clock
from gateway.store.tables import leases
from tests import inside
from tests.alerts.servers import PATIENCE, Ear, Heard

DAY = 86400.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks, and looks again after a failure, many times a second."""
    monkeypatch.setattr(teller, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(teller, "FIRST_REST", 0.02)
    monkeypatch.setattr(teller, "LONGEST_REST", 0.1)


class Board:
    """A sink that keeps what it is told, as ``channel:state`` with ``!`` behind what is over."""

    def __init__(self, name: str = "board") -> None:
        self.name = self.shown = name
        self.messages: list[list[str]] = []
        self.attempts = 0
        self.closed = False
        self.failing: ChannelError | None = None
        self._news = asyncio.Event()

    async def tell(self, message: Message) -> None:
        self.attempts += 1
        self._news.set()
        if self.failing is not None:
            raise self.failing
        self.messages.append([f"{n.channel}:{n.state}{'' if n.firing else '!'}" for n in message.notices])

    async def close(self) -> None:
        self.closed = True

    @property
    def told(self) -> list[str]:
        return [one for message in self.messages for one in message]

    async def until(self, count: int) -> None:
        """Wait until it was told so many notices."""
        await self._wait(lambda: len(self.told) >= count)

    async def tried(self, count: int) -> None:
        await self._wait(lambda: self.attempts >= count)

    async def _wait(self, done: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                self._news.clear()
                await self._news.wait()


async def turn(store: Store, *states: str, at: float | None = None, silently: bool = False) -> None:
    """Write changes as the watch does, each ``channel:state``; ``silently`` as it does where that is no news."""
    now = time.time() if at is None else at
    rows = [
        dict(zip(("channel", "state"), one.split(":"), strict=True)) | {"part": "", "reason": "why"} for one in states
    ]
    channels = {row["channel"] for row in rows}
    stands = {row["channel"]: row | {"since": now} for row in rows}
    async with store.write() as connection:
        await connection.execute(delete(health).where(among(health.c.channel, channels)))
        await connection.execute(insert(health), list(stands.values()))
        if not silently:
            await connection.execute(insert(health_changes), [row | {"at": now, "was": "healthy"} for row in rows])


async def unalerted(store: Store) -> int:
    query = select(func.count()).where(health_changes.c.alerted_at.is_(None))
    async with store.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def settled(store: Store, left: int = 0) -> None:
    """Wait until so many changes are not marked as alerted; the store tells nobody."""
    async with asyncio.timeout(PATIENCE):
        while await unalerted(store) != left:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def alerting(
    store: Store, sinks: Sequence[Sink], *, owner: str = "one", metrics: Metrics | None = None, **more: Any
) -> AsyncIterator[Alerts]:
    settings = Settings(alerts=AlertSettings(**{"gather": 0.0, **more}))
    alerts = Alerts(sinks, settings=settings, store=store, metrics=metrics or Metrics(), owner=owner)
    task = asyncio.create_task(alerts.run())
    try:
        yield alerts
    finally:
        alerts.stop()
        await task


async def test_a_change_is_told_once_and_once_when_over(store: Store) -> None:
    board = Board()
    async with alerting(store, [board]):
        await turn(store, "sms:down")
        await board.until(1)
        await settled(store)
        await turn(store, "sms:healthy")
        await board.until(2)
        await settled(store)
    # Another process, or the same one started again, knows what was told.
    async with alerting(store, [board], owner="two"):
        await turn(store, "wa:silent")
        await board.until(3)
        await settled(store)
    assert board.messages == [["sms:down"], ["sms:down!"], ["wa:silent"]]
    assert board.closed


async def test_parts_are_not_told_by_themselves(store: Store) -> None:
    board = Board()
    async with store.write() as connection:
        row = {"at": time.time(), "channel": "sms", "part": "sending", "was": "healthy", "state": "down", "reason": ""}
        await connection.execute(insert(health_changes), [row])
    await turn(store, "sms:down")
    async with alerting(store, [board]):
        await settled(store)
    assert board.told == ["sms:down"]


async def test_many_at_once_are_one_message(store: Store) -> None:
    board = Board()
    await turn(store, *(f"sms-{i}:down" for i in range(20)))
    async with alerting(store, [board]):
        await settled(store)
    assert board.messages == [[f"sms-{i}:down" for i in range(20)]]


async def test_what_comes_while_others_are_gathered_is_told_with_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, gathering, written = Board(), asyncio.Event(), asyncio.Event()
    rest = teller.Teller._rest

    async def until_written(self: teller.Teller, seconds: float) -> bool:
        if seconds != 77.0:
            return await rest(self, seconds)
        gathering.set()
        await written.wait()
        return False

    monkeypatch.setattr(teller.Teller, "_rest", until_written)
    async with alerting(store, [board], gather=77.0):
        await turn(store, "sms-0:down")
        await gathering.wait()
        for i in range(1, 7):
            await turn(store, f"sms-{i}:down")
        written.set()
        await board.until(7)
    assert len(board.messages) == 1


async def test_what_is_well_again_without_a_change_is_told_as_over(store: Store) -> None:
    board = Board()
    async with alerting(store, [board]):
        await turn(store, "sms:down", "wa:down")
        await board.until(2)
        await turn(store, "sms:unknown")
        await settled(store)
        await turn(store, "sms:healthy", silently=True)
        await board.until(3)
        async with store.write() as connection:
            await connection.execute(delete(health).where(health.c.channel == "wa"))
        await board.until(4)
    assert board.told == ["sms:down", "wa:down", "sms:down!", "wa:down!"]


async def test_a_sink_that_is_away_holds_up_no_other_and_repeats_none(store: Store) -> None:
    away, well = Board("away"), Board("well")
    metrics = Metrics()
    away.failing = RetryLater("cannot connect", reason="connection")
    async with alerting(store, [away, well], metrics=metrics):
        await turn(store, "sms:down")
        await well.until(1)
        await away.tried(3)
        assert await unalerted(store) == 1
        away.failing = None
        await away.until(1)
        await settled(store)
    assert (away.told, well.told) == (["sms:down"], ["sms:down"])
    text = metrics.render().decode()
    assert 'lapor_gateway_alerts_total{outcome="told",sink="well"} 1.0' in text
    assert 'lapor_gateway_alerts_total{outcome="failed",sink="away"}' in text


async def test_what_happened_while_a_sink_was_away_is_told_in_short(store: Store) -> None:
    board = Board()
    board.failing = Refused("no such chat")
    async with alerting(store, [board]):
        await turn(store, "sms:down", "wa:down")
        await board.tried(1)
        await turn(store, "sms:healthy")
        board.failing = None
        await settled(store)
    assert sorted(board.told) in (["sms:down!", "wa:down"], ["sms:down", "sms:down!", "wa:down"])


async def test_a_sink_that_asks_to_wait_is_left_alone_by_every_process(store: Store) -> None:
    board = Board()
    board.failing = RetryLater("too many", reason="throttled", retry_after=1800.0)
    started = time.time()
    async with alerting(store, [board]):
        await turn(store, "sms:down")
        await board.tried(1)
    async with alerting(store, [board], owner="two"):
        other = Board("other")
        async with alerting(store, [other], owner="three"):
            await other.until(1)
    assert board.attempts == 1
    assert (await load(store, "board")).rest_until >= started + 1800


async def test_two_processes_tell_once(store: Store) -> None:
    board = Board()
    async with AsyncExitStack() as stack:
        for owner in ("one", "two", "three"):
            await stack.enter_async_context(alerting(store, [board], owner=owner))
        for state in ("down", "healthy", "silent", "healthy"):
            await turn(store, f"sms:{state}")
            await settled(store)
    assert board.told == ["sms:down", "sms:down!", "sms:silent", "sms:silent!"]


async def test_another_process_goes_on_where_one_died(store: Store) -> None:
    board = Board()
    await turn(store, "sms:down")
    async with store.write() as connection:
        await connection.execute(insert(leases).values(name=LEASE, owner="the dead", until=clock() + 3600.0))
    async with alerting(store, [board]):
        # It looks, and finds the lease another's.
        await asyncio.sleep(0.1)
        assert board.attempts == 0
        async with store.write() as connection:
            await connection.execute(delete(leases))
        await board.until(1)
    assert board.told == ["sms:down"]


async def test_degraded_is_told_when_it_has_lasted(store: Store) -> None:
    board = Board()
    async with alerting(store, [board], degraded_after=0.3):
        await turn(store, "sms:degraded", "wa:degraded", "wa:healthy")
        await board.until(1)
        await settled(store)
    assert board.told == ["sms:degraded"]


async def test_degraded_is_not_marked_as_alerted_while_it_is_waited_for(store: Store) -> None:
    board = Board()
    async with alerting(store, [board]):
        await turn(store, "sms:degraded", "wa:down")
        await settled(store, left=1)
    assert board.told == ["wa:down"]


async def test_old_changes_are_settled_without_a_word(store: Store) -> None:
    board = Board()
    channels = [f"sms-{i}" for i in range(1200)]
    await turn(store, *(f"{name}:down" for name in channels), at=time.time() - 2 * DAY)
    await turn(store, *(f"{name}:healthy" for name in channels), silently=True)
    await turn(store, "sms:down")
    async with alerting(store, [board]):
        await settled(store)
    assert board.told == ["sms:down"]


async def test_the_sinks_are_those_of_the_settings(tmp_path: Path) -> None:
    alerts: dict[str, Any] = {
        "webhook_url": "https://hooks.example.go.id/x?key=1",
        "email_from": "alerts@example.go.id",
        "email_to": ["a@example.go.id", "b@example.go.id"],
        "smtp_url": "smtp://127.0.0.1:1",
        "telegram_token": "1:t",
        "telegram_chat": "-100",
    }
    async with HttpClient() as http:
        assert make_sinks(Settings(), http, str) == []
        sinks = make_sinks(Settings(alerts=AlertSettings(**alerts)), http, str)
    assert [sink.shown for sink in sinks] == [
        "webhook",
        "email to a•••@example.go.id",
        "email to b•••@example.go.id",
        "telegram",
    ]
    assert len({sink.name for sink in sinks}) == 4
    assert not [sink.name for sink in sinks if "example" in sink.name]


async def test_a_gateway_tells_its_sinks(tmp_path: Path, hook: Ear, mailbox: Ear) -> None:
    alerts = {
        "gather": 0.0,
        "webhook_url": f"{hook.url}/hook",
        "telegram_token": "1:t",
        "telegram_chat": "-100",
        "telegram_api_url": hook.url,
        "email_from": "alerts@example.go.id",
        "email_to": ["operator@example.go.id"],
        "smtp_url": mailbox.url,
    }
    async with inside.running(inside.settings(tmp_path, alerts=alerts), role="intake") as running:
        await running.until(lambda rows: True, health_changes)
        await turn(running.gateway.store, "nosuch:down")
        await hook.until(lambda heard: len([call for call in heard if "nosuch" in str(call.body)]) == 2)
        await mailbox.until(lambda heard: any("nosuch" in mail["Subject"] for _, _, mail in heard))
        url = next(call for call in hook.heard if call.path == "/hook").body["externalURL"]
        assert url == f"{running.url}/ops"


async def test_a_channel_that_fails_is_told_and_told_as_over(tmp_path: Path, hook: Ear) -> None:
    """From the provider's failure through the breaker and the watch to the alert, and back."""
    configured = inside.settings(
        tmp_path,
        alerts={"gather": 0.0, "webhook_url": hook.url},
        health={"heartbeat": 0.1, "settle": 0.2, "missing_after": 60.0},
    )
    async with (
        StandIn(SmsSettings.model_validate(inside.KANNEL)) as standin,
        inside.running(configured, standin=standin) as running,
    ):
        await standin.order("error")
        # Each is a conversation of its own, and so a reply of its own that fails.
        for number in range(5):
            await standin.text(running.webhook(), f"+628123456789{number}", f"Jalan rusak di pasar {number}")
        await hook.until(lambda heard: any("ChannelDown" in names(call) for call in heard))
        await standin.order(None)
        await hook.until(lambda heard: heard[-1].body["status"] == "resolved")
    first, last = hook.heard[0].body["alerts"][0], hook.heard[-1].body["alerts"][0]
    assert (first["status"], first["labels"]["channel"]) == ("firing", "sms")
    assert first["generatorURL"].endswith("/ops/channels/sms")
    assert (last["labels"]["alertname"], last["endsAt"] > last["startsAt"]) == ("ChannelDown", True)


def names(call: Heard) -> set[str]:
    return {alert["labels"]["alertname"] for alert in call.body["alerts"]}
