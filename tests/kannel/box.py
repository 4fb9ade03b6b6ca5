"""One program of Kannel as a subprocess, driven by what its log says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Box:
    """One program of Kannel, its log read line by line."""

    def __init__(self, name: str, *command: str) -> None:
        self.name = name
        self.log: list[str] = []
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def start(self, ready: str) -> None:
        """Start the program and wait until its log holds ``ready``."""
        self.log.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        await self.until(lambda: self.count(ready) > 0, ready)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            async with self._changed:
                self.log.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        await process.wait()
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], what: str, *, timeout: float = 15.0) -> None:
        """Wait until ``condition`` holds, asked after each line of the log, at most ``timeout`` seconds.

        Raises :class:`RuntimeError` where the program ends first, :class:`TimeoutError` where time does.
        """
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: condition() or self.ended)
        except TimeoutError:
            raise TimeoutError(f"{self.name}: no {what!r} within {timeout:g} s{self._tail()}") from None
        if not condition():
            raise RuntimeError(f"{self.name} ended before {what!r}{self._tail()}")

    def _tail(self) -> str:
        return "\n  " + "\n  ".join(self.log[-8:])

    def count(self, words: str) -> int:
        """How many lines of the log hold ``words``."""
        return sum(words in line for line in self.log)

    @property
    def ended(self) -> bool:
        """Whether the program is gone (or was never started)."""
        return self._process is None or self._process.returncode is not None

    async def type(self, octets: bytes) -> None:
        """Write to the program's standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(octets)
        await self._process.stdin.drain()

    async def terminate(self) -> None:
        """SIGTERM, and wait for the end."""
        if self._process is not None and not self.ended:
            self._process.terminate()
        await self._end()

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._process is not None and not self.ended:
            self._process.kill()
        await self._end()

    async def _end(self) -> None:
        if self._process is not None:
            await self._process.wait()
        if self._reader is not None:
            await self._reader
