"""A deliverer hears of replies that another process wrote: by a ring where the store has one, else by looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from channels.sms import SPEC
from config.settings import Settings
from gateway.delivery import deliverer as module
from gateway.delivery.deliverer import Deliverer
from gateway.store.bell import Bell, ring
from gateway.store.engine import Store, StoreUnavailable
from tests.channels.host import FakeHost
from tests.delivery.yard import PATIENCE, Yard, standing

NEVER = 3600.0


@pytest.fixture
async def yard(store: Store) -> AsyncIterator[Yard]:
    async with standing(store) as yard:
        yield yard


def _deliverer(yard: Yard) -> Deliverer:
    return Deliverer(
        {"sms": SPEC.make("sms", yard.channel_settings, FakeHost(yard.http))},
        settings=Settings(delivery=yard.delivery),
        store=yard.store,
        metrics=yard.metrics,
        owner="one",
        source="https://gateway.test",
    )


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_ring_is_heard_where_nobody_looks(yard: Yard, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", NEVER)
    monkeypatch.setattr(module, "UNWOKEN_SECONDS", NEVER)
    deliverer = _deliverer(yard)
    async with yard.running(deliverer):
        async with asyncio.timeout(PATIENCE):
            while deliverer._bell._driver is None:
                await asyncio.sleep(0)
        elsewhere = Store(store_url)
        await yard.write(1)
        async with elsewhere.write() as connection:
            await ring(connection, ["telegram", "sms"])
        await yard.until("sent")
        await elsewhere.close()


async def test_without_a_bell_replies_are_looked_for(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_bell: Bell) -> None:
        raise StoreUnavailable("nobody can listen here")

    monkeypatch.setattr(Bell, "hang", broken)
    monkeypatch.setattr(module, "UNWOKEN_SECONDS", NEVER)
    async with yard.running(_deliverer(yard)):
        await yard.write(3)
        await yard.until("sent")
