"""The answers of the HTTP side: errors in the one form of the contract, and the yes of a webhook, rendered once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

import msgspec
from aiohttp import web

from channels.base import Answer

NAME = "lapor"
"""What answers call themselves by in the header Server (RFC 9110 section 10.2.4): no program, no version."""


def problem(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, dead_letter: str = ""
) -> web.Response:
    """The contract's error answer: ``{"error": {"code", "message"}}``, with the id of a dead letter where one was kept.

    It is never empty: Kannel takes an empty answer for a yes, whatever its status.
    """
    error = {"code": code, "message": message}
    if dead_letter:
        error["dead_letter"] = dead_letter
    body = json.dumps({"error": error}).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def json_answer(value: object, status: int = 200) -> web.Response:
    """A JSON answer of anything msgspec can encode."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def plain(answer: Answer) -> web.Response:
    """A channel's answer as the web framework renders it."""
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type or None)


def whole(answer: web.Response) -> bytes:
    """An answer with its status line and headers, as the framework would write it on a connection that is kept."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += [f"Content-Length: {len(body)}", f"Date: {formatdate(usegmt=True)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Rendered:
    """A channel's yes, the same for every call: its bytes are made once a second, for the Date."""

    def __init__(self, answer: Answer) -> None:
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Length: {len(answer.body)}"]
        if answer.content_type:
            lines.append(f"Content-Type: {answer.content_type}")
        self._head = "\r\n".join(lines).encode() + b"\r\nDate: "
        self._tail = b"\r\n\r\n" + answer.body
        self._second = 0
        self._bytes = b""

    def whole(self) -> bytes:
        """The answer, status line and all."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._bytes = self._head + formatdate(second, usegmt=True).encode() + self._tail
        return self._bytes
