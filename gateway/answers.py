"""The answers of the HTTP side: errors in the one form of the contract, and the yes of a webhook, rendered once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import formatdate

import msgspec
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from channels.base import Answer
from gateway.seams import Seam, reached


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


class Rendered(web.StreamResponse):
    """A channel's yes, the same for every request: its bytes are made once a second, for the Date, and written so.

    One instance answers all requests. The framework renders each answer's headers anew, which takes an eighth of the
    time that a message costs at the door. It is for the usual request alone: see :meth:`fits`.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status)
        lines = [f"HTTP/1.1 {answer.status} {self.reason}", f"Content-Length: {len(answer.body)}"]
        if answer.content_type:
            lines.append(f"Content-Type: {answer.content_type}")
        self._head = "\r\n".join(lines).encode() + b"\r\nDate: "
        self._tail = b"\r\n\r\n" + answer.body
        self._second = 0
        self._bytes = b""

    @staticmethod
    def fits(request: web.BaseRequest) -> bool:
        """Whether the request may be answered so: HTTP/1.1 over a connection that is kept."""
        return request.version == HttpVersion11 and request.keep_alive

    @property
    def keep_alive(self) -> bool:
        """The connection is kept."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the answer. Raises :class:`ConnectionResetError` where the peer has gone."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._bytes = self._head + formatdate(second, usegmt=True).encode() + self._tail
        if request.transport is None:
            raise ConnectionResetError("the peer has gone")
        request.transport.write(self._bytes)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """All has been written."""
        del data
        reached(Seam.ANSWERED)
