"""A connection that PostgreSQL has dropped meanwhile is noticed before it is used, and nobody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from gateway.store import engine
from gateway.store.engine import Store

ON_POSTGRESQL = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


async def _backend(store: Store) -> int:
    async with store.read() as connection:
        return int((await connection.execute(text("select pg_backend_pid()"))).scalar_one())


@contextmanager
def _pings(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The connections that were pinged."""
    made: list[Any] = []
    dialect = store.engine.dialect
    ping = dialect.do_ping

    def counted(connection: Any) -> bool:
        made.append(connection)
        return ping(connection)

    monkeypatch.setattr(dialect, "do_ping", counted)
    yield made


@ON_POSTGRESQL
async def test_a_connection_that_was_just_used_is_not_pinged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RESTED", 3600.0)
    with _pings(store, monkeypatch) as pings:
        first, second = await _backend(store), await _backend(store)
    assert (first == second, pings) == (True, [])


@ON_POSTGRESQL
async def test_a_rested_connection_is_pinged_and_used(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RESTED", 0.0)
    first = await _backend(store)
    with _pings(store, monkeypatch) as pings:
        assert await _backend(store) == first
    assert len(pings) == 1


@ON_POSTGRESQL
async def test_one_that_was_dropped_meanwhile_gives_way_to_another(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RESTED", 0.0)
    async with store.engine.connect() as other:
        await other.execute(text("select 1"))
        dropped = await _backend(store)
        await other.execute(text("select pg_terminate_backend(:pid)"), {"pid": dropped})
        left = text("select count(*) from pg_stat_activity where pid = :pid")
        async with asyncio.timeout(20):
            while (await other.execute(left, {"pid": dropped})).scalar_one():
                await other.rollback()
        with _pings(store, monkeypatch) as pings:
            assert await _backend(store) != dropped
        assert len(pings) == 1
