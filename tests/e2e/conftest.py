"""Whole gateways as processes: embedded in one, or as three roles on real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError

from channels.sms import SmsSettings
from channels.sms.standin import StandIn
from config.settings import Settings
from gateway.eventlog.factory import make_log
from gateway.store.engine import Store, StoreUnavailable
from normalizer.event import ComplaintEvent, decode
from tests.fixtures.migrated import copy_to
from tests.inside import KANNEL
from tests.nursery import Nursery
from tests.process import GatewayProcess, free_port

PATIENCE = 120.0
EMBEDDED, CLUSTER = "embedded", "cluster"
BACKENDS = (EMBEDDED, CLUSTER)


class Site:
    """A gateway of one or several processes, with its files, its provider and its store.

    The processes are born in the ``nursery``; without one each is the command.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: dict[str, Any],
        store_url: str,
        roles: Sequence[str],
        nursery: Nursery | None,
    ) -> None:
        self.folder = folder
        self.nursery = nursery
        self.port = free_port()
        self.roles = tuple(roles)
        self.log_settings = log
        self.store_url = store_url
        # One broker serves the whole session, so each site speaks on topics of its own.
        mark = secrets.token_hex(4)
        self.topics = {name: f"{topic}.{mark}" for name, topic in Settings().topics.model_dump().items()}
        self.channels: dict[str, dict[str, Any]] = {"sms": dict(KANNEL)}
        self.api: dict[str, Any] = {}
        self.delivery = {"first_retry": 0.1, "longest_retry": 0.5, "breaker_probe": 0.2, "timeout": 1.0, "lease": 1.5}
        self.processes: dict[str, GatewayProcess] = {}
        self._store: Store | None = None

    @property
    def channel(self) -> dict[str, Any]:
        """The settings of the SMS channel."""
        return self.channels["sms"]

    @property
    def webhook(self) -> str:
        """Where texts come in."""
        return f"http://127.0.0.1:{self.port}/webhooks/sms"

    def settings(self) -> dict[str, dict[str, Any]]:
        """The settings file of every process."""
        return {
            "server": {"port": self.port, "shutdown_grace": 10},
            "log": self.log_settings,
            "topics": self.topics,
            "store": {"url": self.store_url},
            "api": self.api,
            "delivery": self.delivery,
            "intake": {"lease": 1.5},
            **{f"channels.{name}": table for name, table in self.channels.items()},
        }

    async def start(self) -> None:
        """Start every process and wait until all are ready."""
        for role in self.roles:
            port = self.port if role in ("all", "intake") else None
            self.processes[role] = GatewayProcess(
                self.folder, self.settings(), role=role, port=port, nursery=self.nursery
            )
        await asyncio.gather(*(process.start() for process in self.processes.values()))

    async def stop(self) -> None:
        """Kill what still runs."""
        await asyncio.gather(*(process.kill() for process in self.processes.values()))
        if self._store is not None:
            await self._store.close()

    def said(self) -> str:
        """What all processes wrote."""
        return "\n".join(f"--- {role}\n{process.log}" for role, process in self.processes.items())

    @property
    def store(self) -> Store:
        """The store, read from outside."""
        if self._store is None:
            self._store = Store(self.store_url, pool_size=2)
        return self._store

    async def rows(self, table: Any) -> Sequence[Any]:
        """Every row of a table; none while the schema is still being made."""
        try:
            async with self.store.read() as connection:
                return (await connection.execute(select(table))).all()
        except (StoreUnavailable, ProgrammingError):
            return ()

    async def until(self, table: Any, done: Any) -> Sequence[Any]:
        """Wait until the rows of a table are as they should be."""
        async with asyncio.timeout(PATIENCE):
            while not done(rows := await self.rows(table)):
                await asyncio.sleep(0.05)
        return rows

    async def events(self, distinct: int = 0) -> list[ComplaintEvent]:
        """Every complaint event on the log, copies too, read by a group of its own.

        It reads until so many ``distinct`` ones are there, or at least one, and then until nothing more comes.
        """
        log = make_log(Settings.model_validate({"log": self.log_settings, "topics": self.topics}))
        await log.start()
        consumer = log.consumer(f"audit-{secrets.token_hex(4)}", [self.topics["complaints"]])
        events: list[ComplaintEvent] = []
        seen: set[str] = set()
        quiet = False
        # Until the group has been joined, nothing comes: that is no quiet.
        while not quiet or len(seen) < max(distinct, 1):
            taken = await consumer.fetch(limit=1000, timeout=1.0 if distinct else 3.0)
            quiet = not taken
            events += [decode(one.record.value) for one in taken]
            seen.update(event.id for event in events[len(events) - len(taken) :])
        await consumer.close()
        await log.close()
        return events


def embedded(folder: Path, store_url: str, nursery: Nursery | None) -> Site:
    """One process on files."""
    log = {"backend": "sqlite", "path": str(folder / "log.db")}
    return Site(folder, log=log, store_url=store_url, roles=("all",), nursery=nursery)


def cluster(folder: Path, bootstrap_servers: str, store_url: str, nursery: Nursery | None) -> Site:
    """A process for each role, on Kafka and PostgreSQL."""
    log = {
        "backend": "kafka",
        "path": str(folder / "spool.db"),
        "bootstrap_servers": bootstrap_servers,
        "partitions": 3,
        "group": f"dispatchers-{secrets.token_hex(4)}",
    }
    return Site(folder, log=log, store_url=store_url, roles=("intake", "dispatch", "deliver"), nursery=nursery)


@pytest.fixture(params=BACKENDS)
async def site(request: pytest.FixtureRequest, tmp_path: Path, nursery: Nursery) -> AsyncIterator[Site]:
    """A site that is not started yet, on each backend in turn, with the schema in its store."""
    if request.param == EMBEDDED:
        made = embedded(tmp_path, copy_to(tmp_path), nursery)
    else:
        broker = request.getfixturevalue("kafka_broker")
        postgres = request.getfixturevalue("postgres")
        made = cluster(tmp_path, broker.bootstrap_servers, postgres.create_migrated(), nursery)
    yield made
    await made.stop()


@pytest.fixture(params=BACKENDS)
async def new_site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A site as it is first installed: its processes are the command itself, and its store is empty."""
    if request.param == EMBEDDED:
        made = embedded(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/gateway.db", None)
    else:
        broker = request.getfixturevalue("kafka_broker")
        postgres = request.getfixturevalue("postgres")
        made = cluster(tmp_path, broker.bootstrap_servers, postgres.create(), None)
    yield made
    await made.stop()


@pytest.fixture
async def standin() -> AsyncIterator[StandIn]:
    """The telco."""
    async with StandIn(SmsSettings.model_validate(KANNEL)) as server:
        yield server
