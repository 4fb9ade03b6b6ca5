"""One reading for everybody who looks at about the same time: how often the store is asked, and how old it may be."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console.pages import overview as pages
from gateway.console.shared import FRESH, Shared
from gateway.health.overview import Overview, overview
from gateway.store.engine import StoreUnavailable
from gateway.store.operations import health, instances
from tests.console.site import fresh_store
from tests.console.world import World, opened

RUNNING = {"name": "h:1", "role": "all", "host": "h", "pid": 1, "version": "0.1.0", "started_at": 1.0, "told": "{}"}


def reading(number: int) -> Overview:
    return Overview(float(number), [], [], 0, 0, None, 0, [])


class Source:
    """What is read: each reading has its number as its time, and waits while ``gate`` is closed."""

    def __init__(self) -> None:
        self.readings = 0
        self.away = False
        self.now = 100.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.shared = Shared(self.read, clock=lambda: self.now)

    async def read(self) -> Overview:
        self.readings += 1
        found = reading(self.readings)
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("away")
        return found

    async def waiting(self, number: int) -> list[asyncio.Task[Overview]]:
        """So many who ask, all of them waiting."""
        asking = [asyncio.create_task(self.shared.get()) for _ in range(number)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asking


async def test_ten_who_ask_at_once_cost_one_reading() -> None:
    source = Source()
    source.gate.clear()
    asking = await source.waiting(10)
    source.gate.set()
    assert {one.at for one in await asyncio.gather(*asking)} == {1.0}
    assert source.readings == 1


async def test_a_reading_is_handed_out_for_a_second_from_its_beginning() -> None:
    source = Source()
    first = await source.shared.get()
    source.now += FRESH - 0.01
    assert await source.shared.get() is first
    source.now += 0.01
    assert (await source.shared.get()).at == 2.0


async def test_one_that_took_longer_than_that_serves_those_who_waited_and_nobody_after() -> None:
    source = Source()
    source.gate.clear()
    (one,) = await source.waiting(1)
    source.now += 10
    (other,) = await source.waiting(1)
    source.gate.set()
    assert await one is await other
    assert (await source.shared.get()).at == 2.0


async def test_what_failed_is_told_to_those_who_waited_and_tried_anew_by_the_next() -> None:
    source = Source()
    source.away = True
    source.gate.clear()
    asking = await source.waiting(2)
    source.gate.set()
    for one in asking:
        with pytest.raises(StoreUnavailable):
            await one
    source.away = False
    assert (await source.shared.get()).at == 2.0


async def test_one_who_leaves_takes_it_from_nobody() -> None:
    source = Source()
    source.gate.clear()
    leaving, staying = await source.waiting(2)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    source.gate.set()
    assert (await staying).at == 1.0
    assert source.readings == 1


async def test_what_nobody_waits_for_any_more_is_ended_before_the_store_closes() -> None:
    source = Source()
    source.gate.clear()
    (leaving,) = await source.waiting(1)
    leaving.cancel()
    async with asyncio.timeout(60):
        await source.shared.close()
    await asyncio.gather(leaving, return_exceptions=True)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the pages read the overview."""
    times: list[float] = []

    async def counted(*arguments: object, **more: object) -> Overview:
        times.append(time.monotonic())
        return await overview(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pages, "overview", counted)
    return times


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await fresh_store(f"sqlite+aiosqlite:///{tmp_path}/gateway.db")
    async with opened(store, tmp_path) as made:
        yield made
    await store.close()


async def test_a_change_is_on_the_page_by_the_next_reading(world: World, readings: list[float]) -> None:
    async with world.browser("budi") as browser:
        assert "out of paper" not in (await browser.get("/ops")).text
        await world.add(instances, RUNNING | {"beat_at": time.time()})
        row = {"channel": "sms", "part": "", "state": "down", "reason": "out of paper", "since": time.time()}
        await world.add(health, row)
        async with asyncio.timeout(60):
            while "out of paper" not in (await browser.get("/ops")).text:
                await asyncio.sleep(0.02)
    assert len(readings) == 2
    assert readings[1] - readings[0] >= FRESH


async def test_ten_pages_at_once_are_one_reading_and_nobody_is_given_another_s_token(
    world: World, readings: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shared, "_holds", lambda *_: True)
    async with world.browser("ani") as one, world.browser("budi") as other:
        of_one, of_other, *_ = await asyncio.gather(*(each.get("/ops") for _ in range(5) for each in (one, other)))
        assert of_one.csrf not in of_other.text
        main = re.compile("<main.*</main>", re.DOTALL)
        assert main.findall(of_one.text) == main.findall(of_other.text) != []
    async with world.browser("budi", "id") as indonesian:
        assert "Masuk terakhir" in (await indonesian.get("/ops")).text
    assert len(readings) == 1
