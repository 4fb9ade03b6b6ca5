"""Brings the store to the schema this program needs: one process at a time, the others wait for it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import structlog
from sqlalchemy import Connection, select, table, text
from sqlalchemy import column as column_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import Store

log = structlog.get_logger(__name__)

HEAD = "0005"
"""The revision this program needs; a test holds it equal to the newest migration."""

_LOCK = 0x1A902
"""PostgreSQL advisory lock of the migration, any number that nothing else uses in this database."""


async def migrate(store: Store) -> None:
    """Upgrade the schema where it is behind. Raises :class:`~gateway.store.engine.StoreUnavailable`.

    A store that is ahead (a rolling upgrade under way) is left as it is: migrations only add.
    """
    async with store.read() as connection:
        current = await _revision(connection)
    if current is not None and current >= HEAD:
        return
    async with _alone(store), store.write() as connection:
        current = await _revision(connection)
        if current is None or current < HEAD:
            log.info("store.migrating", revision=HEAD, before=current or "empty")
            await connection.run_sync(_upgrade)


async def _revision(connection: AsyncConnection) -> str | None:
    versions = table("alembic_version", column_("version_num"))
    try:
        # Inside a savepoint: a table that is missing must not end the transaction on PostgreSQL.
        async with connection.begin_nested():
            return (await connection.execute(select(versions.c.version_num))).scalar()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "42P01") != "42P01" or error.connection_invalidated:
            raise
        return None


def _upgrade(connection: Connection) -> None:
    # Imported only where there is something to do: most starts find the schema as it should be.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(str(resources.files("gateway.store"))) / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@asynccontextmanager
async def _alone(store: Store) -> AsyncIterator[None]:
    """One migration at a time over all processes of this store."""
    if not store.sqlite:
        async with store.engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            try:
                yield
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        return
    lock = await asyncio.to_thread(_locked, Path(f"{store.url.database}.migrating"))
    try:
        yield
    finally:
        os.close(lock)


def _locked(path: Path) -> int:
    """An open file that no other process holds the lock of; closing it lets the lock go."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
