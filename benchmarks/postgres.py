"""The PostgreSQL of the tests, from its wheel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.outcome import Absent


@asynccontextmanager
async def database() -> AsyncIterator[str]:
    """Run a server with an empty database for the time of the block; gives the ``store.url`` of a gateway.

    Raises :class:`Absent`.
    """
    try:
        from tests.fixtures.postgres import Postgres
    except ModuleNotFoundError as error:
        raise Absent(f"the tests' PostgreSQL needs {error.name}; run `make bench` in a clone") from None
    running = await asyncio.to_thread(Postgres.start)
    try:
        yield await asyncio.to_thread(running.create)
    finally:
        await asyncio.to_thread(running.end)
