"""The library's HTTP with our reading of what comes back: statuses, JSON, updates as written, files in pieces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec
from telegram import error as telegram
from telegram.request import HTTPXRequest

from channels.errors import Malformed
from channels.http import MAX_RETRY_AFTER
from channels.telegram.shapes import decode, number, obj, text

PIECE = 64 * 1024


class Status(telegram.NetworkError):
    """An answer whose status says it all; ``retry_after`` in seconds. The library would forget both."""

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = retry_after


class Wire(HTTPXRequest):
    """For every call but getUpdates, and for files. ``read_timeout`` is in seconds."""

    def __init__(self, *, read_timeout: float) -> None:
        super().__init__(
            connection_pool_size=64,
            read_timeout=read_timeout,
            write_timeout=10.0,
            connect_timeout=5.0,
            pool_timeout=5.0,
            # No proxy of the environment's: the other channels take none either.
            httpx_kwargs={"trust_env": False},
        )

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """As the library's; raises :class:`Status` for what the library does not tell apart."""
        status, payload = await super().do_request(*args, **kwargs)
        _check(status, payload)
        return status, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer's fields in the shapes that the library relies on. Raises :class:`telegram.TelegramError`.

        The library's own writes an answer that it cannot read into the log, citizens' words and all.
        """
        answer = _answer(payload)
        return {
            "result": answer.get("result") if answer.get("ok") is True else None,
            "description": text(answer.get("description")),
            "parameters": _parameters(answer),
        }

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        """The body at ``url`` in pieces. Raises :class:`telegram.NetworkError`, :class:`Status` for any but 200."""
        try:
            async with self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise Status(response.status_code)
                async for piece in response.aiter_bytes(PIECE):
                    yield piece
        except httpx.HTTPError as error:
            raise telegram.NetworkError("the file could not be read") from error


class PollingWire(Wire):
    """For getUpdates alone: each update stays the JSON that Telegram wrote, our evidence."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As :class:`Wire`'s, the result as the bytes of each update."""
        try:
            answer = msgspec.json.decode(payload, type=_Updates)
        except (msgspec.DecodeError, RecursionError):
            return _reread(payload)
        if not answer.ok:
            return Wire.parse_json_payload(payload)
        return {"result": answer.result}


class _Updates(msgspec.Struct):
    ok: bool
    result: list[msgspec.Raw] = []


def _reread(payload: bytes) -> dict[str, Any]:
    """The same for what the quick reader does not take: one update with half a character must not cost the others."""
    parsed = Wire.parse_json_payload(payload)
    if isinstance(parsed["result"], list):
        parsed["result"] = [json.dumps(one).encode() for one in parsed["result"]]
    elif parsed["result"] is not None:
        raise telegram.TelegramError("the updates are not a list")
    return parsed


def _answer(payload: bytes) -> Mapping[str, Any]:
    try:
        answer = decode(payload)
    except Malformed as error:
        raise telegram.TelegramError("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise telegram.TelegramError("the answer is not an object")
    return answer


def _parameters(answer: Mapping[str, Any]) -> dict[str, int]:
    """The ``ResponseParameters`` that are numbers."""
    return {name: number(value) for name, value in obj(answer.get("parameters")).items() if number(value)}


def _check(status: int, payload: bytes) -> None:
    if status == 429:
        try:
            wait = _parameters(_answer(payload)).get("retry_after", 0)
        except telegram.TelegramError:
            wait = 0
        raise Status(status, min(float(wait), MAX_RETRY_AFTER) if wait > 0 else None)
    if 300 <= status < 400 or status >= 500:
        raise Status(status)
