"""How long a sign-in holds."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.console import accounts
from gateway.console.sessions import SEEN_EVERY, Sessions, identifier
from gateway.store.engine import Store
from gateway.store.operations import sessions
from tests.console.site import START, Clock

IDLE, LIFETIME = 3600.0, 12 * 3600.0


async def opened(store: Store, clock: Clock) -> tuple[Sessions, str]:
    await accounts.from_elsewhere(store, "citra", "viewer")
    held = Sessions(store, idle=IDLE, lifetime=LIFETIME, now=clock)
    async with store.write() as connection:
        return held, await held.open(connection, "citra")


@pytest.mark.parametrize(
    ("pages", "holds"),
    [
        pytest.param((), True, id="at once"),
        pytest.param((IDLE - 1,), True, id="a page just in time"),
        pytest.param((IDLE,), False, id="idle"),
        pytest.param((IDLE - 1, 2 * IDLE - 2), True, id="each page begins the time anew"),
        pytest.param(tuple(1800.0 * n for n in range(1, 24)), True, id="a long shift"),
        pytest.param(tuple(1800.0 * n for n in range(1, 25)), False, id="a lifetime is over, however busy"),
    ],
)
async def test_a_session_ends_when_idle_and_after_its_lifetime(
    copied: Store, pages: tuple[float, ...], holds: bool
) -> None:
    clock = Clock()
    held, token = await opened(copied, clock)
    found = await held.find(token)
    for page in pages:
        clock.time = START + page
        found = await held.find(token)
    assert (found is not None) is holds
    assert await held.count("citra") == int(holds)


async def test_a_stream_that_stays_open_is_no_page(store: Store) -> None:
    clock = Clock()
    held, token = await opened(store, clock)
    for _ in range(3):
        clock.time += IDLE / 2 - 1
        found = await held.find(token, seen=False)
    assert found is None


async def test_pages_are_noted_once_in_a_while(store: Store) -> None:
    clock = Clock()
    held, token = await opened(store, clock)
    noted = []
    for _ in range(4):
        clock.time += SEEN_EVERY / 2
        await held.find(token)
        async with store.read() as connection:
            noted.append((await connection.execute(select(sessions.c.seen_at))).scalar_one() - START)
    assert noted == [0, SEEN_EVERY, SEEN_EVERY, 2 * SEEN_EVERY]


async def test_the_store_alone_opens_nothing(store: Store) -> None:
    held, token = await opened(store, Clock())
    async with store.read() as connection:
        row = (await connection.execute(select(sessions))).one()
    assert row.id == identifier(token)
    for key in (row.id, row.csrf, "", "ü\udcff"):
        assert await held.find(key) is None


async def test_what_is_over_is_cleared_at_the_next_sign_in(store: Store) -> None:
    clock = Clock()
    held, token = await opened(store, clock)
    clock.time += IDLE
    async with store.write() as connection:
        fresh = await held.open(connection, "citra", instead_of="unknown")
    async with store.read() as connection:
        rows = (await connection.execute(select(sessions.c.id))).scalars().all()
    assert rows == [identifier(fresh)]
    assert await held.find(token) is None
