"""A console to sign in to, and cheaper hashes: what is tested is the console, not Argon2."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from gateway.console import accounts
from gateway.store.engine import Store
from tests.console.site import Site, fresh_store, people, running


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    monkeypatch.setattr(accounts, "_HASHER", hasher)
    monkeypatch.setattr(accounts, "_NOBODY", accounts.hash_of_nobody(hasher))


@pytest.fixture(scope="session")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with people, made once and copied for each test."""
    file = tmp_path_factory.mktemp("console") / "gateway.db"

    async def make() -> None:
        store = await fresh_store(f"sqlite+aiosqlite:///{file}")
        await people(store)
        await store.close()

    asyncio.run(make())
    return file


@pytest.fixture
def copied_url(populated: Path, tmp_path: Path) -> str:
    """The URL of a database on SQLite with people."""
    return f"sqlite+aiosqlite:///{shutil.copy(populated, tmp_path / 'gateway.db')}"


@pytest.fixture
async def copied(copied_url: str) -> AsyncIterator[Store]:
    """A store on SQLite with people."""
    store = Store(copied_url)
    yield store
    await store.close()


@pytest.fixture
async def site(request: pytest.FixtureRequest, copied_url: str) -> AsyncIterator[Site]:
    """A running console with people; on SQLite, unless the test is marked with ``BOTH``."""
    if getattr(request, "param", "sqlite") == "sqlite":
        store = Store(copied_url)
    else:
        store = await fresh_store(request.getfixturevalue("postgres").create_migrated())
        await people(store)
    async with running(store) as opened:
        yield opened
    await store.close()
