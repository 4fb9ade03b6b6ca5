"""Gateways that start in a moment: one process imports the program, and forks for each that a test wants.

What is forked is the program as ``gateway run`` starts it, before its first own line: no loop, no thread, no open file.
Importing takes a second and a half of a processor, and crashes by the hundred need a start each.

``python -m tests.crash.nursery`` reads one JSON order a line and writes one JSON line for each birth and each death.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "channels", "normalizer", "gateway")
HEAVY = (
    "aiokafka",
    "asyncpg",
    "aiosqlite",
    "alembic.command",
    "imap_tools",
    "aiosmtplib",
    "aiosmtpd.controller",
    "tweepy",
)
BORN_WITHIN = 60.0
POLL_SECONDS = 0.01


class Order(msgspec.Struct):
    """One gateway that is wanted: its arguments, folder and environment, and the file that takes what it says."""

    name: int
    arguments: list[str]
    folder: str
    output: str
    environment: dict[str, str]
    crash: str = ""


class Child:
    """A gateway that was born here, with what tests use of :class:`asyncio.subprocess.Process`."""

    def __init__(self) -> None:
        self.pid = 0
        self.returncode: int | None = None

    async def wait(self) -> int:
        """Wait for the end; returns the exit status, minus the signal's number."""
        while self.returncode is None:
            await asyncio.sleep(POLL_SECONDS)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Raises :class:`ProcessLookupError` where it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)


class Nursery:
    """The process that forks. It serves any number of loops, one after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")},
        )
        self._children: list[Child] = []
        self._by_pid: dict[int, Child] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    async def spawn(
        self, arguments: Sequence[str], *, folder: Path, output: Path, environment: Mapping[str, str], crash: str = ""
    ) -> Child:
        """Start a gateway; it is armed with ``crash`` (see :func:`gateway.seams.parse`)."""
        child = Child()
        self._children.append(child)
        order = Order(len(self._children) - 1, list(arguments), str(folder), str(output), dict(environment), crash)
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        async with asyncio.timeout(BORN_WITHIN):
            while not child.pid:
                await asyncio.sleep(POLL_SECONDS)
        return child

    def close(self) -> None:
        """End it; what it bore has been ended by whoever wanted it."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told: dict[str, Any] = json.loads(line)
            if "name" in told:
                child = self._children[told["name"]]
                self._by_pid[told["pid"]] = child
                child.pid = told["pid"]
            else:
                self._by_pid.pop(told["pid"]).returncode = told["status"]


def main() -> None:
    """Take orders until there are no more."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(("__main__", ".migrations.env")) and ".versions" not in module.name:
                importlib.import_module(module.name)
    for name in HEAVY:
        importlib.import_module(name)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    waiting = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury()
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                return
            *lines, waiting = (waiting + more).split(b"\n")
            for line in lines:
                _bear(msgspec.json.decode(line, type=Order))


def _bear(order: Order) -> None:
    if pid := os.fork():
        _tell({"name": order.name, "pid": pid})
        return
    try:
        _live(order)
    finally:
        os._exit(1)


def _live(order: Order) -> NoReturn:
    """Be the gateway."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    said = os.open(order.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = ["gateway", *order.arguments]
    from gateway import seams
    from gateway.cli import main as gateway

    status = 1
    try:
        if order.crash:
            seams.arm(order.crash)
        gateway()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - the edge of the process: said on standard error, as Python does
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _bury() -> None:
    """Tell of every child that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell({"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
