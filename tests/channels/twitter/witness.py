"""A server between the channel and the stand-in that sees every request and every answer."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import msgspec
from aiohttp import web


class Seen(msgspec.Struct, frozen=True):
    """One request and its answer."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    content_type: str
    answer: Any


class Witness:
    """Passes everything on to ``target``. Use it as ``async with``."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.seen: list[Seen] = []
        self.url = ""

    async def __aenter__(self) -> Witness:
        self._session = aiohttp.ClientSession()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Content-Length")}
        url = self.target + request.path_qs
        async with self._session.request(request.method, url, data=body or None, headers=headers) as response:
            answer = await response.read()
            json_body = json.loads(body) if body and request.content_type == "application/json" else None
            kind = response.content_type
            said = json.loads(answer) if answer and kind.endswith("json") else answer
            self.seen.append(
                Seen(request.method, request.path, dict(request.query), json_body, response.status, kind, said)
            )
            passed = {name: value for name, value in response.headers.items() if name.startswith("x-")}
            return web.Response(status=response.status, body=answer, content_type=kind, headers=passed)
