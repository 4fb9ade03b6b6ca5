"""A program that uses the sandbox as its page does: over HTTP, with the sandbox's token."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from gateway.sandbox.conversation import Line
from gateway.sandbox.guard import HEADER

PATIENCE = 30.0
"""Seconds within which a reply has to be there."""


class NotHeard(Exception):
    """The gateway did not answer, or not as it should; the message is for people."""


class Visitor:
    """Use it as ``async with``. ``url`` is the gateway's; without a ``token`` the sandbox is asked for it.

    ``api_token`` is one of ``[api] tokens``. Methods raise :class:`NotHeard`.
    """

    def __init__(self, url: str, token: str = "", api_token: str = "") -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._api_token = api_token
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE, sock_connect=5.0))
        self._lines: dict[int, Line] = {}
        self._came = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            if not self._token:
                self._token = str((await self._asked("GET", "/sandbox/status"))["token"])
            self._listening = asyncio.create_task(self._listen(), name="listen to the sandbox")
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._session.close()

    async def status(self) -> dict[str, Any]:
        """How everything in the sandbox stands; ``channels`` by name."""
        return await self._asked("GET", "/sandbox/status")

    async def text(self, channel: str, sender: str, text: str) -> str:
        """Write as a citizen and wait for the reply; returns its text."""
        seen = max(self._lines, default=0)
        fields = {"channel": channel, "from": sender, "text": text}
        await self._asked("POST", "/sandbox/messages", data=fields, headers={HEADER: self._token})
        return await self._reply(channel, sender, seen)

    async def update(self, channel: str, sender: str, number: str, **fields: str) -> str:
        """Send an agency's update of a case by the API, and wait for what the citizen hears; returns its text."""
        seen = max(self._lines, default=0)
        body = {"id": f"demo-{uuid.uuid4()}", **fields}
        await self._asked("POST", f"/api/v1/cases/{number}/updates", json=body, headers=self._bearer)
        return await self._reply(channel, sender, seen)

    async def case(self, number: str) -> dict[str, Any]:
        """A case as the API tells it."""
        return await self._asked("GET", f"/api/v1/cases/{number}", headers=self._bearer)

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_token}"}

    async def _reply(self, channel: str, sender: str, seen: int) -> str:
        def found() -> Line | None:
            return next(
                (
                    line
                    for line in self._lines.values()
                    if line.id > seen and (line.who, line.channel, line.address) == ("gateway", channel, sender)
                ),
                None,
            )

        try:
            async with asyncio.timeout(PATIENCE), self._came:
                await self._came.wait_for(lambda: found() is not None)
        except TimeoutError as error:
            raise NotHeard(f"no reply came within {PATIENCE:g} s") from error
        line = found()
        return line.text if line is not None else ""

    async def _asked(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._session.request(method, self._url + path, **options) as answer:
                body = await answer.read()
                if answer.status == 200:
                    found: dict[str, Any] = msgspec.json.decode(body)
                    return found
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise NotHeard(f"{self._url} does not answer as a gateway does ({type(error).__name__})") from error
        if status == 404 and path.startswith("/sandbox"):
            raise NotHeard(f"the gateway at {self._url} runs without --sandbox")
        if status == 401:
            raise NotHeard("the gateway refuses the API token: give one of its [api] tokens")
        raise NotHeard(f"{method} {path} was answered with {status}")

    async def _listen(self) -> None:
        """Keep every line as it comes; a stream that breaks is opened again."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                patience = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
                async with self._session.get(f"{self._url}/sandbox/events", timeout=patience) as stream:
                    async for raw in stream.content:
                        await self._heard(raw)
            await asyncio.sleep(0.2)

    async def _heard(self, raw: bytes) -> None:
        data = raw.removeprefix(b"data: ")
        if data == raw or not data.startswith(b'{"id":'):
            return
        line = msgspec.json.decode(data, type=Line)
        async with self._came:
            self._lines[line.id] = line
            self._came.notify_all()
