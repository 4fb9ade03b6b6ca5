"""What a channel's test needs around it: a host, requests from data, and a provider that answers what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from channels.base import Request
from channels.forms import FORM, parse_fields
from channels.http import HttpClient

PUBLIC = "https://gateway.example.go.id"


class FakeKept:
    """What a channel keeps, in memory; one lease at a time, as the store has it."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._leases: dict[str, asyncio.Lock] = {}

    async def get(self, name: str) -> str:
        return self.values.get(name, "")

    async def put(self, name: str, value: str) -> None:
        self.values[name] = value

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        return self._lease(name)

    @asynccontextmanager
    async def _lease(self, name: str) -> AsyncIterator[None]:
        async with self._leases.setdefault(name, asyncio.Lock()):
            yield


class FakeHost:
    """The running program as a channel sees it, with a public address that is not ours."""

    def __init__(self, http: HttpClient | None = None, public_url: str = PUBLIC) -> None:
        self.http = http or HttpClient()
        self.public_url = public_url
        self.stores: dict[str, FakeKept] = {}

    def kept(self, channel: str) -> FakeKept:
        return self.stores.setdefault(channel, FakeKept())

    def webhook_url(self, channel: str) -> str:
        return f"{self.public_url}/webhooks/{channel}"

    def status_url(self, channel: str) -> str:
        return f"{self.public_url}/webhooks/{channel}/status"


def request(
    *,
    channel: str = "sms",
    status: bool = False,
    method: str = "GET",
    query: str | Mapping[str, str] = "",
    form: Mapping[str, str] | None = None,
    document: Any = None,
    body: bytes | str = b"",
    content_type: str = "",
    headers: Mapping[str, str] | None = None,
) -> Request:
    """A request as the intake hands it over; ``form`` or ``document`` make the body and its type."""
    if form is not None:
        method, body, content_type = "POST", urlencode(form), content_type or FORM
    elif document is not None:
        method, body, content_type = "POST", json.dumps(document), content_type or "application/json"
    encoded = query if isinstance(query, str) else urlencode(query)
    path = f"/webhooks/{channel}" + ("/status" if status else "")
    return Request(
        method=method,
        target=f"{path}?{encoded}" if encoded else path,
        query=parse_fields(encoded),
        headers={name.lower(): value for name, value in (headers or {}).items()},
        body=body.encode() if isinstance(body, str) else body,
        content_type=content_type,
        remote="192.0.2.1",
    )


class Recorded(msgspec.Struct, frozen=True):
    """One request as it came over the wire."""

    method: str
    path: str
    params: dict[str, str]
    form: dict[str, str]
    json: Any
    headers: dict[str, str]
    body: bytes


class Provider:
    """A server on a free port that keeps every request and gives the next of its ``answers`` (the last one again)."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def __aenter__(self) -> Provider:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, incoming: web.Request) -> web.Response:
        body = await incoming.read()
        kind = incoming.content_type
        self.requests.append(
            Recorded(
                incoming.method,
                incoming.path,
                dict(incoming.query),
                parse_fields(body) if kind == FORM and body else {},
                json.loads(body) if kind == "application/json" and body else None,
                {name.lower(): value for name, value in incoming.headers.items()},
                body,
            )
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def answer(
    status: int = 200, document: Any = None, text: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    """One of a :class:`Provider`'s answers."""
    body = text.encode() if document is None else json.dumps(document).encode()
    return web.Response(status=status, body=body, headers=headers)
