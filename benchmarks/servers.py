"""The servers of a comparison, each a process of its own with one worker and no access log."""

from __future__ import annotations

import abc
import asyncio
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Self

import aiohttp

TOKEN = "benchmark"
TOPIC = "lapor.complaints.v1"
READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class NotStarted(Exception):
    """A server ended or did not become ready; the message holds the end of its log."""


class Server(abc.ABC):
    """One server under test. ``folder`` is its own, for settings, files and log."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/webhooks/sms"
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True)

    @abc.abstractmethod
    def command(self) -> list[str]:
        """The arguments of the Python interpreter."""

    async def durable(self) -> int | None:
        """How many records its log holds; ``None`` for a server that keeps nothing."""
        return None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        log = self.folder / "server.log"
        with log.open("wb") as output:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self.command(), stdout=output, stderr=output, env=environment
            )
        try:
            await self._ready(log)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _ready(self, log: Path) -> None:
        process = self._process
        assert process is not None
        url = f"http://127.0.0.1:{self.port}/readyz"
        said = ""
        try:
            async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession() as session:
                while process.returncode is None:
                    try:
                        async with session.get(url) as response:
                            if response.status == 200:
                                return
                            said = await response.text()
                    except aiohttp.ClientError:
                        pass
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        tail = (await asyncio.to_thread(log.read_text, errors="replace"))[-2000:]
        ended = "" if process.returncode is None else f" It ended with status {process.returncode}."
        raise NotStarted(f"{self.name} did not become ready.{ended} {said}\n{tail}")

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class Bare(Server):
    """The reference: aiohttp alone."""

    name = "bare aiohttp"

    def command(self) -> list[str]:
        """See :mod:`benchmarks.bare`."""
        return ["-m", "benchmarks.bare", str(self.port)]


class Gateway(Server):
    """The gateway's intake."""

    def command(self) -> list[str]:
        """Write the settings, start the role intake."""
        settings = self.folder / "gateway.toml"
        settings.write_text(
            f'[server]\nhost = "127.0.0.1"\nport = {self.port}\n\n'
            f"[log]\n{self.log_settings()}\n"
            f'[store]\nurl = "sqlite+aiosqlite:///{self.folder}/gateway.db"\n\n'
            '[channels.sms]\ntype = "sms"\ndialect = "kannel"\nsender = "1708"\n'
            f'webhook_token = "{TOKEN}"\nusername = "benchmark"\npassword = "benchmark"\n'
            f'send_url = "http://127.0.0.1:{self.port}/nowhere"\n'
        )
        return ["-m", "gateway", "run", "--config", str(settings), "--role", "intake"]

    @abc.abstractmethod
    def log_settings(self) -> str:
        """The lines of ``[log]``."""


class OnSqlite(Gateway):
    """The gateway with the embedded log."""

    name = "gateway on SQLite"

    def log_settings(self) -> str:
        """A file in the server's folder."""
        return f'backend = "sqlite"\npath = "{self.folder}/log.db"\n'

    async def durable(self) -> int:
        """Count the records of the log's file, read-only."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> int:
        connection = sqlite3.connect(f"file:{self.folder}/log.db?mode=ro", uri=True)
        try:
            [(count,)] = connection.execute("SELECT ifnull(sum(count), 0) FROM batches WHERE topic = ?", (TOPIC,))
        finally:
            connection.close()
        return int(count)


class OnKafka(Gateway):
    """The gateway with a broker at ``bootstrap``."""

    name = "gateway on Kafka"

    def __init__(self, folder: Path, bootstrap: str) -> None:
        super().__init__(folder)
        self.bootstrap = bootstrap

    def log_settings(self) -> str:
        """The broker, and a spool in the server's folder.

        A machine that stalls for a second would have records both spooled and, late, on the log: a copy that the
        dispatcher knows by its id, and that the benchmark would take for a doubled message.
        """
        return (
            f'backend = "kafka"\nbootstrap_servers = "{self.bootstrap}"\npath = "{self.folder}/spool.db"\n'
            'replication_factor = 1\nappend_timeout = "20s"\n'
        )

    async def durable(self) -> int:
        """The sum of the end offsets of the topic's partitions."""
        # Imported here: without a broker nothing of this is needed.
        from aiokafka import AIOKafkaConsumer, TopicPartition

        consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=self.bootstrap)
        await consumer.start()
        try:
            numbers = consumer.partitions_for_topic(TOPIC) or set()
            ends = await consumer.end_offsets([TopicPartition(TOPIC, number) for number in numbers])
        finally:
            await consumer.stop()
        return sum(ends.values())


def free_port() -> int:
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
