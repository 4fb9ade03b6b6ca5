"""Replies are told to other processes with the transaction that writes them; a listener that fell comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.store.bell import Bell, ring
from gateway.store.engine import Store, StoreUnavailable

PATIENCE = 20.0


class Rings(asyncio.Queue[str]):
    """The channels that were rung for."""

    async def heard(self) -> set[str]:
        """Up to the channel ``end``, which is rung for last."""
        found: set[str] = set()
        async with asyncio.timeout(PATIENCE):
            while (channel := await self.get()) != "end":
                found.add(channel)
        return found


@pytest.fixture
async def rings(store: Store) -> AsyncIterator[Rings]:
    rings = Rings()
    bell = Bell(store, rings.put_nowait)
    await bell.hang()
    yield rings
    await bell.take_down()


async def _ring(store: Store, *channels: str, fail: bool = False) -> None:
    async with store.write() as connection:
        await ring(connection, channels)
        if fail:
            raise ZeroDivisionError


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_every_channel_of_a_transaction_is_heard_once_it_stands(store: Store, rings: Rings) -> None:
    with pytest.raises(ZeroDivisionError):
        await _ring(store, "never", fail=True)
    await _ring(store, "sms", "telegram")
    await _ring(store, "end")
    assert await rings.heard() == {"sms", "telegram"}


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_bell_whose_connection_was_lost_is_hung_again(store: Store) -> None:
    rings = Rings()
    bell = Bell(store, rings.put_nowait)
    await bell.hang()
    await bell.hang()
    async with store.write() as connection:
        listening = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%' and pid <> pg_backend_pid() and datname = current_database()"
        assert len((await connection.execute(text(listening))).all()) == 1
    async with asyncio.timeout(PATIENCE):
        while not bell._driver.is_closed():
            await asyncio.sleep(0)
    await bell.hang()
    await _ring(store, "sms")
    await _ring(store, "end")
    assert await rings.heard() == {"sms"}
    await bell.take_down()


async def test_a_store_that_is_away_has_no_bell() -> None:
    store = Store("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    bell = Bell(store, print)
    with pytest.raises(StoreUnavailable):
        await bell.hang()
    await bell.take_down()
    await store.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_on_sqlite_nobody_is_rung_for_and_nothing_fails(store: Store, rings: Rings) -> None:
    await _ring(store, "sms")
    assert rings.empty()
