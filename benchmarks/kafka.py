"""The real Apache Kafka broker of the tests, where the machine has one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.outcome import Absent

if TYPE_CHECKING:
    from tests.kafka.broker import Broker


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[str]:
    """Run a broker for the time of the block; gives its bootstrap address. Raises :class:`Absent`."""
    async with running(folder) as made:
        yield made.bootstrap_servers


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Broker]:
    """Run a broker for the time of the block, on this machine; it can be killed, stopped and started again.

    It confirms a record when it has it, and leaves the sync to the system, as Kafka does unless told otherwise.
    Raises :class:`Absent`.
    """
    try:
        from tests.kafka.broker import Broker
        from tests.services import available
    except ModuleNotFoundError as error:
        raise Absent(f"the tests' broker needs {error.name}; run `make bench` in a clone") from error
    if reason := available("kafka"):
        raise Absent(f"{reason}; `make services` fetches it where there are Java and Maven")
    made = Broker(folder)
    try:
        try:
            await asyncio.to_thread(made.start)
        except AssertionError as error:
            raise Absent(str(error)) from error
        yield made
    finally:
        await asyncio.to_thread(made.kill)
