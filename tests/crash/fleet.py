"""A site whose processes are named, may be several of a role, and may each be armed to die at a seam."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.seams import Seam
from gateway.store.tables import outbox
from tests.e2e.conftest import CLUSTER, EMBEDDED, Site
from tests.fixtures.migrated import copy_to
from tests.nursery import Nursery
from tests.process import GatewayProcess, free_port

ALONE = ("all",)
THREE = ("intake", "dispatch", "deliver")
SIX = tuple(f"{role}-{n}" for role in THREE for n in (1, 2))
ENDS_WITHIN = 60.0


class Fleet(Site):
    """Processes by name: a role, or a role with a number. ``lasting`` members of a group are known again when back."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        *,
        log: dict[str, Any],
        store_url: str,
        names: Sequence[str],
        lasting: bool = True,
    ) -> None:
        roles = [name.partition("-")[0] for name in names]
        super().__init__(folder, log=log, store_url=store_url, roles=roles, nursery=nursery)
        self.names = tuple(names)
        self._born: dict[str, GatewayProcess] = {}
        self.ports = {name: free_port() for name in names}
        self.own: dict[str, dict[str, dict[str, Any]]] = {}
        """What a process has in its settings of its own: sections by its name."""
        self._lasting = lasting and log["backend"] == "kafka"

    def role_of(self, name: str) -> str:
        """The role of a process."""
        return name.partition("-")[0]

    def webhook_of(self, name: str, channel: str) -> str:
        """Where one process takes a channel's messages."""
        return f"http://127.0.0.1:{self.ports[name]}/webhooks/{channel}"

    def intake(self) -> str:
        """The name of a process that takes messages; of several another each time."""
        return secrets.choice([name for name in self.names if self.role_of(name) in ("all", "intake")])

    def make(self, name: str) -> GatewayProcess:
        """The process of that name, made at the first asking; not started."""
        if name in self._born:
            return self._born[name]
        settings = self.settings()
        settings["server"]["port"] = self.ports[name]
        if self._lasting:
            settings["log"] = {**settings["log"], "instance_id": name}
        if settings["log"]["backend"] == "kafka":
            # A spool of its own: else a process that starts late may find a dead one's, and drain it in its place.
            settings["log"] = {**settings["log"], "path": str(self.folder / f"spool-{name}.db")}
        for section, values in self.own.get(name, {}).items():
            settings[section] = settings.get(section, {}) | values
        process = GatewayProcess(
            self.folder, settings, role=self.role_of(name), port=self.ports[name], nursery=self.nursery
        )
        self.processes[name] = self._born[name] = process
        return process

    def remake(self, name: str) -> None:
        """Have the process's next life take the settings as they are now."""
        del self._born[name]

    async def start(self) -> None:
        """Start every process, unarmed, and wait until all are ready."""
        try:
            await asyncio.gather(*(self.make(name).start() for name in self.names))
        except TimeoutError:
            raise AssertionError(f"not all became ready:\n{self.said()[-8000:]}") from None

    async def launch(self, name: str, crash: str = "") -> GatewayProcess:
        """Start one process, armed or not, without waiting for it."""
        process = self.make(name)
        process.crash = crash
        await process.launch()
        return process

    async def died(self, name: str, seam: Seam, times: int = 1) -> None:
        """Wait until a process has ended itself at its seam; fails where it ended otherwise, or not at all."""
        process = self.processes[name]
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                status = await process.ended()
        except TimeoutError:
            raise AssertionError(f"{name} never came to {seam}:\n{process.log[-3000:]}") from None
        assert status == -signal.SIGKILL, process.log[-3000:]
        assert process.log.count(f"seams: kill {seam}\n") == times, process.log[-3000:]

    async def in_flight(self) -> int:
        """Replies that somebody has leased and not settled."""
        return sum(row.owner is not None and row.state == "waiting" for row in await self.rows(outbox))


def embedded(nursery: Nursery, folder: Path) -> Fleet:
    """One process on SQLite."""
    log = {"backend": "sqlite", "path": str(folder / "log.db")}
    return Fleet(nursery, folder, log=log, store_url=copy_to(folder), names=ALONE)


def cluster(
    nursery: Nursery,
    folder: Path,
    bootstrap: str,
    store_url: str,
    *,
    names: Sequence[str] = THREE,
    lasting: bool = True,
) -> Fleet:
    """Several roles on Kafka and PostgreSQL."""
    log = {
        "backend": "kafka",
        "path": str(folder / "spool.db"),
        "bootstrap_servers": bootstrap,
        "partitions": 3,
        "group": f"dispatchers-{secrets.token_hex(4)}",
    }
    return Fleet(nursery, folder, log=log, store_url=store_url, names=names, lasting=lasting)


BACKENDS = (EMBEDDED, CLUSTER)
