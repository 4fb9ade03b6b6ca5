"""A small HTTP server that stands for the gateway: it records what Kannel asks and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

LONGEST_LINE = 256 * 1024


class Call(msgspec.Struct, frozen=True):
    """One request: its path and the fields of its query, in UTF-8 (other octets as lone surrogates)."""

    path: str
    fields: dict[str, str]

    @property
    def text(self) -> str:
        return self.fields.get("text", "")

    @property
    def id(self) -> str:
        return self.fields.get("id", "")


class Recorder:
    """Set :attr:`status` to refuse, with an error in JSON as the gateway does; clear :attr:`open` to answer nothing.

    With :attr:`dead_letter` an error says that what was refused is kept under that id.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.status: Callable[[Call], int] = lambda _: 200
        self.dead_letter = ""
        self.open = asyncio.Event()
        self.open.set()
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, max_line_size=LONGEST_LINE, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and cut what is open: from now on connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        fields = parse_qs(request.url.raw_query_string, keep_blank_values=True, errors="surrogateescape")
        call = Call(request.path, {name: values[0] for name, values in fields.items()})
        async with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
        await self.open.wait()
        status = self.status(call)
        if status == 200:
            return web.Response()
        error = {"code": "refused", "message": "refused"}
        if self.dead_letter:
            error["dead_letter"] = self.dead_letter
        return web.json_response({"error": error}, status=status)

    async def until(self, n: int, *, timeout: float = 15.0) -> list[Call]:
        """The calls once there are at least ``n``. Raises :class:`TimeoutError`."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= n)
        return self.calls
