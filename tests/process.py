"""A real gateway process for tests: started from a settings file, watched through its port, killed at will."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.nursery import Child, Nursery

READY_SECONDS = 120.0
POLL_SECONDS = 0.02


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def toml(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """A settings file; values are strings, numbers, booleans or lists of strings."""
    lines: list[str] = []
    for section, values in settings.items():
        lines.append(f"[{section}]")
        for key, value in values.items():
            if isinstance(value, bool):
                lines.append(f"{key} = {str(value).lower()}")
            elif isinstance(value, int | float):
                lines.append(f"{key} = {value}")
            elif isinstance(value, list):
                lines.append(f"{key} = [{', '.join(f'{v!r}' for v in value)}]")
            else:
                lines.append(f'{key} = "{value}"')
        lines.append("")
    return "\n".join(lines)


class GatewayProcess:
    """``gateway run`` with a settings file (its tables, or its text); ``log`` is what it said on standard error so far.

    It is born in a ``nursery``; without one it is the command ``python -m gateway``, for tests of the start itself.
    ``crash`` arms the next life of one that is born (see :func:`gateway.seams.parse`).
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Mapping[str, Any]] | str,
        *,
        role: str = "all",
        port: int | None = None,
        arguments: tuple[str, ...] = (),
        nursery: Nursery | None = None,
    ) -> None:
        self.crash = ""
        self._nursery = nursery
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._role = role
        self._arguments = arguments
        self._config = folder / f"gateway-{role}-{self.port}.toml"
        text = settings if isinstance(settings, str) else toml(settings)
        self._config.write_text(text, encoding="utf-8")
        self._said = folder / f"gateway-{role}-{self.port}.log"
        self._process: asyncio.subprocess.Process | Child | None = None

    async def __aenter__(self) -> GatewayProcess:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    @property
    def log(self) -> str:
        """Everything the process wrote."""
        return self._said.read_text(encoding="utf-8") if self._said.exists() else ""

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def ended(self) -> int:
        """Wait for the end of a process that was started; returns its exit status, minus the signal's number."""
        assert self._process is not None
        return await self._process.wait()

    async def launch(self) -> None:
        """Start the process without waiting for it to be ready."""
        arguments = ["run", "--config", str(self._config), "--role", self._role, "--port", str(self.port)]
        arguments += self._arguments
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        if self._nursery is not None:
            self._process = await self._nursery.spawn(
                arguments, folder=self._folder, output=self._said, environment=environment, crash=self.crash
            )
            return
        assert not self.crash, "only what is born in a nursery can be armed"
        with self._said.open("ab") as said:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", *arguments),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
            )

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        await self.launch()
        await self.ready()

    async def ready(self) -> None:
        """Wait until ``/readyz`` says yes; fails with the process's own words when it dies first."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(READY_SECONDS):
            while True:
                if not self.running:
                    raise AssertionError(f"the gateway stopped:\n{self.log}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(POLL_SECONDS)

    async def said(self, pattern: str) -> None:
        """Wait until the process has written something that matches."""
        async with asyncio.timeout(READY_SECONDS):
            while not re.search(pattern, self.log):
                await asyncio.sleep(POLL_SECONDS)

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """SIGTERM, and wait for the end; returns the exit status."""
        return await self._end(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        """Any other signal."""
        if self._process is not None:
            self._process.send_signal(number)

    async def _end(self, number: int) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
        return await process.wait()
