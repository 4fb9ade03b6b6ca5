"""The schema: what the migrations build is what the program knows, on both databases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, text

from gateway.store import operations  # noqa: F401 - its tables are on the metadata once it is imported
from gateway.store.engine import Store
from gateway.store.migrate import HEAD, migrate
from gateway.store.tables import metadata, senders
from tests.fixtures.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store with nothing in it, on each database in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create()


@pytest.fixture
async def store(empty_url: str) -> AsyncIterator[Store]:
    opened = Store(empty_url)
    await migrate(opened)
    yield opened
    await opened.close()


async def test_migrations_build_the_tables(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with store.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrations_build_the_partial_indexes(store: Store) -> None:
    def conditions(connection: Connection) -> dict[str, str]:
        inspector = inspect(connection)
        indexes = [index for table in metadata.tables for index in inspector.get_indexes(table)]
        option = f"{connection.dialect.name}_where"
        return {str(one["name"]): str(one["dialect_options"].get(option, "")) for one in indexes}

    def plain(condition: str) -> str:
        return re.sub(r"::\w+( varying)?|[()]", "", condition).lower()

    async with store.read() as connection:
        built = {name: plain(condition) for name, condition in (await connection.run_sync(conditions)).items()}
    known = {str(one.name): one.info.get("where", "") for table in metadata.tables.values() for one in table.indexes}
    assert built == {name: condition.lower() for name, condition in known.items()}
    assert sum(map(bool, known.values())) > 10


def test_the_program_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "gateway/store/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_many_processes_migrate_once(empty_url: str) -> None:
    stores = [Store(empty_url) for _ in range(6)]
    try:
        await asyncio.gather(*(migrate(one) for one in stores))
        async with stores[0].read() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM alembic_version"))).scalar() == 1
            assert (await connection.execute(select(func.count()).select_from(senders))).scalar() == 0
    finally:
        for one in stores:
            await one.close()


async def test_a_store_that_is_ahead_is_left_alone(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await migrate(store)
    async with store.read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() == "9999"
