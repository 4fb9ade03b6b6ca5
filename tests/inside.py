"""A whole gateway inside the test's own loop: quick to start, with its parts within reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from channels.sms.standin import StandIn
from config.settings import Settings
from gateway.app import Gateway, Role
from gateway.channelset import load_channels
from gateway.store.engine import StoreUnavailable
from normalizer.event import ComplaintEvent, decode
from tests.fixtures.migrated import copy_to

PATIENCE = 60.0
TOKEN = "s3cret-token"
KANNEL = {
    "type": "sms",
    "dialect": "kannel",
    "sender": "1708",
    "webhook_token": TOKEN,
    "send_url": "http://127.0.0.1:1/cgi-bin/sendsms",
    "username": "user",
    "password": "p4ssword",
}


def settings(folder: Path, **more: Any) -> Settings:
    """Embedded settings in a folder, with a migrated store in it; ``more`` are sections."""
    sections: dict[str, Any] = {
        "server": {"port": 0},
        "log": {"path": folder / "log.db"},
        "store": {"url": copy_to(folder)},
        "delivery": {"first_retry": 0.1, "longest_retry": 0.5, "breaker_probe": 0.2, "timeout": 2.0, "lease": 5.0},
        "channels": {"sms": KANNEL},
    }
    for name, values in more.items():
        sections[name] = sections.get(name, {}) | values if isinstance(values, dict) else values
    return Settings(**sections)


class Inside:
    """A gateway that runs, and what its store says."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.gateway.base_url

    def webhook(self, channel: str = "sms") -> str:
        """Where a channel's messages come in."""
        return self.gateway.webhook_url(channel)

    async def rows(self, table: Any, *order: Any) -> Sequence[Any]:
        """Every row of a table; none while the schema is being made."""
        try:
            async with self.gateway.store.read() as connection:
                return (await connection.execute(select(table).order_by(*order))).all()
        except StoreUnavailable:
            return ()

    async def until(self, done: Callable[[Sequence[Any]], bool], table: Any) -> Sequence[Any]:
        """Wait until the rows of a table are as they should be; returns them."""
        async with asyncio.timeout(PATIENCE):
            while not done(rows := await self.rows(table)):
                await asyncio.sleep(0.01)
        return rows

    async def appended(self) -> list[ComplaintEvent]:
        """Every complaint event on the log, read by a group of its own."""
        consumer = self.gateway.log.consumer("a-test", [self.gateway.settings.topics.complaints])
        events: list[ComplaintEvent] = []
        while taken := await consumer.fetch(limit=1000, timeout=0.2):
            events += [decode(one.record.value) for one in taken]
        await consumer.close()
        return events


@asynccontextmanager
async def running(
    configured: Settings, *, role: Role = "all", standin: StandIn | None = None, port: int | None = None
) -> AsyncIterator[Inside]:
    """Run a gateway; with a stand-in, every channel's replies go there."""
    channels = load_channels(configured)
    if standin is not None:
        channels = {
            name: type(c)(c.name, c.spec, c.settings.model_copy(update=standin.overrides(c.settings)))  # type: ignore[arg-type]
            for name, c in channels.items()
        }
    gateway = Gateway(configured, channels, role=role, port=port)
    started = asyncio.Event()
    task = asyncio.create_task(gateway.run(started.set))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    try:
        yield Inside(gateway)
    finally:
        gateway.stop()
        await task
