"""The dead man's switch: calls go out while everything works, and stop with the first thing that does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from channels.http import HttpClient
from gateway.alerts import deadman
from gateway.alerts.deadman import DeadMan, lacks, missing
from gateway.health.watch import LEASE as WATCH
from gateway.metrics import Metrics
from gateway.store.engine import Store
from gateway.store.operations import instances
from gateway.store.sql import clock
from gateway.store.tables import leases
from tests import inside
from tests.alerts.servers import PATIENCE, Ear

FRESH = 20.0


async def beat(store: Store, *roles: str, age: float = 0.0, left: bool = False) -> None:
    async with store.write() as connection:
        for role in roles:
            row: dict[str, Any] = {"name": f"{role}-{age}", "role": role, "host": "h", "pid": 1, "version": "1"}
            row |= {"started_at": 0.0, "told": "{}", "left_at": 1.0 if left else None}
            await connection.execute(delete(instances).where(instances.c.name == row["name"]))
            await connection.execute(insert(instances).values(beat_at=clock() - age, **row))


async def watch(store: Store, seconds: float = 3600.0) -> None:
    async with store.write() as connection:
        await connection.execute(delete(leases).where(leases.c.name == WATCH))
        await connection.execute(insert(leases).values(name=WATCH, owner="w", until=clock() + seconds))


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (["all"], ""),
        (["intake", "dispatch", "deliver"], ""),
        (["all", "intake"], ""),
        (["intake", "deliver"], "no process has the role dispatch"),
        (["dispatch"], "no process has the role intake or deliver"),
        ([], "no process has the role intake or dispatch or deliver"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_every_role_is_needed(running: list[str], expected: str) -> None:
    assert missing(running) == expected


async def test_a_gateway_is_whole_with_every_role_and_the_watch(store: Store) -> None:
    assert await lacks(store, FRESH) == "no process has the role intake or dispatch or deliver"
    await beat(store, "intake", "dispatch")
    await beat(store, "deliver", age=FRESH + 5)
    await beat(store, "all", left=True)
    await watch(store)
    assert await lacks(store, FRESH) == "no process has the role deliver"
    await beat(store, "deliver", age=FRESH - 5)
    assert await lacks(store, FRESH) == ""
    await watch(store, seconds=-1.0)
    assert await lacks(store, FRESH) == "the watch is not at work"


@asynccontextmanager
async def switched(store: Store, url: str, *, owner: str = "one") -> AsyncIterator[Metrics]:
    metrics = Metrics()
    async with HttpClient(timeout=5.0) as http:
        switch = DeadMan(url, http=http, store=store, metrics=metrics, owner=owner, fresh=FRESH, every=0.02, first=0.0)
        task = asyncio.create_task(switch.run())
        try:
            yield metrics
        finally:
            switch.stop()
            await task


def whole_at(metrics: Metrics) -> float:
    return float(metrics.registry.get_sample_value("lapor_gateway_whole_timestamp_seconds") or 0.0)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not done():
            await asyncio.sleep(0.01)


async def test_calls_go_out_while_the_gateway_is_whole_and_stop_when_it_is_not(store: Store, hook: Ear) -> None:
    await beat(store, "all")
    await watch(store)
    async with switched(store, f"{hook.url}/ping/key") as metrics:
        await hook.until(lambda heard: len(heard) >= 3)
        assert whole_at(metrics) > 0
        async with store.write() as connection:
            await connection.execute(update(instances).values(beat_at=clock() - FRESH - 5))
        await stops(hook)
        await beat(store, "all")
        count = len(hook.heard)
        await hook.until(lambda heard: len(heard) > count)
    assert {(call.method, call.path) for call in hook.heard} == {("GET", "/ping/key")}


async def stops(hook: Ear) -> None:
    """Wait until no call comes any more: none in ten times the pace of the calls."""
    async with asyncio.timeout(PATIENCE):
        count = -1
        while count != len(hook.heard):
            count = len(hook.heard)
            await asyncio.sleep(0.2)


async def test_one_process_of_several_calls_and_all_know(
    store: Store, hook: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than this test: who calls first goes on calling.
    monkeypatch.setattr(deadman, "MARGIN", 60.0)
    await beat(store, "all")
    await watch(store)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(switched(store, f"{hook.url}/one"))
        await hook.until(lambda heard: len(heard) >= 1)
        other = await stack.enter_async_context(switched(store, f"{hook.url}/two", owner="two"))
        await until(lambda: min(whole_at(first), whole_at(other)) > 0)
        await hook.until(lambda heard: len(heard) >= 5)
    assert {call.path for call in hook.heard} == {"/one"}


async def test_a_service_that_is_away_stops_nothing_and_its_address_stays_secret(
    store: Store, hook: Ear, capfd: pytest.CaptureFixture[str]
) -> None:
    await beat(store, "all")
    await watch(store)
    hook.answers.extend([(500, {}), (404, {})])
    async with switched(store, f"{hook.url}/very-secret"):
        await hook.until(lambda heard: len(heard) >= 3)
    said = capfd.readouterr()
    assert (said.out + said.err).count("heartbeat.not_heard") == 2
    assert "very-secret" not in said.out + said.err


async def test_without_an_address_nobody_is_called_and_the_metric_tells(store: Store) -> None:
    await beat(store, "all")
    await watch(store)
    async with switched(store, "") as metrics:
        await until(lambda: whole_at(metrics) > 0)


async def test_a_gateway_that_runs_calls(tmp_path: Path, hook: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeadMan.__init__, "__kwdefaults__", {"every": 0.05, "first": 0.0})
    settings = inside.settings(tmp_path, alerts={"heartbeat_url": f"{hook.url}/ping"}, health={"heartbeat": 0.05})
    async with inside.running(settings):
        await hook.until(lambda heard: len(heard) >= 1)
