"""Processes that tell the store what a test wants them to, a watch to look at them, and what it makes of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from config.operations import Health
from config.settings import Settings
from gateway.health.parts import Part
from gateway.health.told import ChannelTold, Told, encode
from gateway.health.watch import Watch
from gateway.metrics import Metrics
from gateway.store.engine import Store
from gateway.store.operations import health, health_changes, instances, traffic

WELL = ChannelTold(receiving=Part("healthy"), sending=Part("healthy"), credentials=Part("healthy"))
QUICK = {"heartbeat": 0.1, "missing_after": 20.0, "settle": 0.0}


class Crew:
    """The processes of a gateway, as the store sees them."""

    def __init__(self, store: Store, *, channels: Sequence[str] = ("sms",), **health_settings: Any) -> None:
        self.store = store
        self.settings = Settings(health=Health(**QUICK | health_settings))
        self.metrics = Metrics()
        self.watch = self.another_watch("watcher", channels)

    def another_watch(self, owner: str, channels: Sequence[str] = ("sms",)) -> Watch:
        return Watch(store=self.store, settings=self.settings, metrics=self.metrics, owner=owner, channels=channels)

    async def beats(
        self,
        name: str = "one",
        role: str = "all",
        told: Mapping[str, ChannelTold] | None = None,
        *,
        age: float = 0.0,
        left: bool = False,
        started: float = 3600.0,
        **more: Any,
    ) -> None:
        """A heartbeat, ``age`` seconds ago; ``started`` seconds before it."""
        beat_at = time.time() - age
        row = {
            "name": name,
            "role": role,
            "host": "host",
            "pid": 1,
            "version": "1",
            "started_at": beat_at - started,
            "beat_at": beat_at,
            "left_at": beat_at if left else None,
            "told": encode(Told(at=beat_at, channels=dict(told if told is not None else {"sms": WELL}), **more)),
        }
        insert = sqlite.insert(instances) if self.store.sqlite else postgresql.insert(instances)
        async with self.store.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row), row)

    async def counted(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Counts of minutes."""
        base = {"channel": "sms", "instance": "old", "received": 0, "sent": 0, "failed": 0, "latencies": ""}
        async with self.store.write() as connection:
            await connection.execute(traffic.insert(), [{**base, **row} for row in rows])

    async def gone(self, name: str) -> None:
        async with self.store.write() as connection:
            await connection.execute(delete(instances).where(instances.c.name == name))

    async def look(self) -> dict[tuple[str, str], str]:
        """Let the watch look once; returns the states it leaves."""
        await self.watch.look()
        return {(row.channel, row.part): row.state for row in await self.rows(health)}

    async def changes(self) -> list[tuple[str, str, str, str]]:
        """Channel, part, was and is of every change, in order."""
        found = await self.rows(health_changes, health_changes.c.id)
        return [(row.channel, row.part, row.was, row.state) for row in found]

    async def rows(self, table: Any, *order: Any) -> Sequence[Any]:
        async with self.store.read() as connection:
            return (await connection.execute(select(table).order_by(*order))).all()
