"""Gateways that start in a moment: one process imports the program, and forks for each that a test wants.

What is forked is the program as ``gateway run`` starts it, before its first own line: no loop, no thread, no open file.
Importing takes a second and a half of a processor, and the suite starts gateways by the hundred. What differs from
the command is that a born gateway has imported all of the program, the parts too that it will not use.

``python -m tests.nursery`` reads one JSON order a line and writes one JSON line for each birth and each death.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from gateway import seams

ROOT = Path(__file__).parents[1]
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
    "uvloop",
)
"""What the program imports when it first needs it, and most gateways do."""
BORN_WITHIN = 60.0
ENDS_WITHIN = 10.0
POLL_SECONDS = 0.01


class NurseryDied(Exception):
    """The process that forks has ended; the message is what it said last."""


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

    def __init__(self, nursery: Nursery) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self._nursery = nursery

    async def born(self) -> None:
        """Wait until it lives. Raises :class:`NurseryDied`."""
        while not self.pid:
            self._nursery.check()
            await asyncio.sleep(POLL_SECONDS)

    async def wait(self) -> int:
        """Wait for the end; returns the exit status, minus the signal's number. Raises :class:`NurseryDied`."""
        while self.returncode is None:
            self._nursery.check()
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
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")},
        )
        self._children: list[Child] = []
        self._by_pid: dict[int, Child] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process that forks."""
        return self._process.pid

    async def spawn(
        self, arguments: Sequence[str], *, folder: Path, output: Path, environment: Mapping[str, str], crash: str = ""
    ) -> Child:
        """Start a gateway; it is armed with ``crash`` (see :func:`gateway.seams.parse`). Raises :class:`NurseryDied`."""
        self.check()
        child = Child(self)
        self._children.append(child)
        order = Order(len(self._children) - 1, list(arguments), str(folder), str(output), dict(environment), crash)
        assert self._process.stdin is not None
        # Where nobody reads any more, the check below tells why.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
        async with asyncio.timeout(BORN_WITHIN):
            await child.born()
        return child

    def check(self) -> None:
        """Raises :class:`NurseryDied` with its last words where it has ended."""
        if self._reader.is_alive():
            return
        status = self._process.wait()
        if self._said.closed:
            raise NurseryDied("it was closed")
        self._said.seek(0)
        raise NurseryDied(f"exit status {status}\n{self._said.read().decode(errors='replace')[-8000:]}")

    def close(self) -> None:
        """End it, and whatever still lives of what it bore. Also where it has ended already; raises nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._said.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith(b"\n"):
                return
            told: dict[str, Any] = json.loads(line)
            if "name" in told:
                child = self._children[told["name"]]
                self._by_pid[told["pid"]] = child
                child.pid = told["pid"]
            else:
                self._by_pid.pop(told["pid"]).returncode = told["status"]


def main() -> None:
    """Take orders until there are no more; then end what still lives."""
    # Who presses Ctrl-C ends the tests, and they end this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(("__main__", ".migrations.env")) and ".versions" not in module.name:
                importlib.import_module(module.name)
    for name in HEAVY:
        importlib.import_module(name)
    # Else each child looks through all of it for garbage, at its end at the latest.
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    alive: set[int] = set()
    waiting = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury(alive)
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                break
            *lines, waiting = (waiting + more).split(b"\n")
            for line in lines:
                order = msgspec.json.decode(line, type=Order)
                if not (pid := os.fork()):
                    os.close(woken)
                    os.close(wake)
                    _live(order)
                alive.add(pid)
                _tell({"name": order.name, "pid": pid})
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    _bury(alive, 0)


def _live(order: Order) -> NoReturn:
    """Be the gateway: its end is this interpreter's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for stream, path, flags in ((0, os.devnull, os.O_RDONLY), (1, order.output, said), (2, order.output, said)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, stream)
        os.close(opened)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    sys.argv = ["gateway", *order.arguments]
    if order.crash:
        seams.arm(order.crash)
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)
    sys.exit()


def _bury(alive: set[int], options: int = os.WNOHANG) -> None:
    """Tell of every child that has ended; with other options, wait for all."""
    while alive:
        pid, status = os.waitpid(-1, options)
        if not pid:
            return
        alive.discard(pid)
        _tell({"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
