"""Senders of one SMS channel on one store, and the stand-in that they send to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from pydantic import SecretStr
from sqlalchemy import select

from channels.http import HttpClient
from channels.sms import SPEC, SmsSettings
from channels.sms.standin import StandIn
from config.settings import Delivery, Settings
from gateway.delivery.sender import Sender
from gateway.health.others import Others
from gateway.metrics import Metrics
from gateway.store.engine import Store
from gateway.store.tables import outbox
from tests.channels.host import FakeHost

PATIENCE = 60.0
KANNEL = SmsSettings(
    dialect="kannel",
    sender="1708",
    send_url="http://127.0.0.1:1/cgi-bin/sendsms",
    username="user",
    password=SecretStr("password"),
    webhook_token=SecretStr("token"),
    max_in_flight=4,
)


class Runs(Protocol):
    """What :meth:`Yard.running` runs."""

    async def run(self) -> None:
        """Until told to stop."""

    def stop(self) -> None:
        """Tell it."""


class Yard:
    """Senders of one channel on one store, and the provider they send to."""

    def __init__(self, store: Store, standin: StandIn, http: HttpClient) -> None:
        self.store = store
        self.standin = standin
        self.http = http
        self.metrics = Metrics()
        self.channel_settings = KANNEL.model_copy(update=standin.overrides(KANNEL))
        self.delivery = Delivery(first_retry=0.05, longest_retry=0.2, breaker_probe=0.1, timeout=0.5, lease=5.0)

    def sender(self, owner: str = "one", *, others: Others | None = None, **channel: Any) -> Sender:
        settings = self.channel_settings.model_copy(update=channel)
        channel_ = SPEC.make("sms", settings, FakeHost(self.http))
        return Sender(
            channel_,
            settings=Settings(delivery=self.delivery),
            store=self.store,
            metrics=self.metrics,
            owner=owner,
            source="https://gateway.test",
            others=others,
        )

    @asynccontextmanager
    async def running(self, *senders: Runs) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(sender.run()) for sender in senders]
        try:
            yield
        finally:
            for sender in senders:
                sender.stop()
            await asyncio.gather(*tasks)

    async def write(self, count: int, **more: Any) -> list[str]:
        """Put replies into the outbox; returns their ids."""
        now = time.time()
        rows = [
            {
                "id": f"{n:032x}",
                "channel_type": "sms",
                "channel": "sms",
                "sender_key": f"k{n}",
                "address": f"+62812{n:08}",
                "text": f"balasan {n}",
                "template": "acknowledgement",
                "case_number": "4829137065",
                "event_id": f"e{n}",
                "received_at": now,
                "created_at": now,
                "state": "waiting",
                "due_at": now - 1,
            }
            | more
            for n in range(count)
        ]
        async with self.store.write() as connection:
            await connection.execute(outbox.insert(), rows)
        return [str(row["id"]) for row in rows]

    async def rows(self, table: Any = outbox) -> Sequence[Any]:
        async with self.store.read() as connection:
            return (await connection.execute(select(table))).all()

    async def until(self, *states: str) -> None:
        """Wait until every reply is in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while not all(row.state in states for row in await self.rows()):
                await asyncio.sleep(0.01)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"lapor_gateway_{name}", {"channel": "sms", **labels}) or 0.0


@asynccontextmanager
async def standing(store: Store) -> AsyncIterator[Yard]:
    """A yard with its provider listening."""
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(StandIn(KANNEL))
        http = await stack.enter_async_context(HttpClient(timeout=2.0))
        yield Yard(store, standin, http)
