"""One connection of HTTP/1.1 to a provider (RFC 9112): what is asked on it goes out once, and never again.

An answer is parsed by llhttp, by way of httptools. A general client spends several times as much on a call, on what no
provider's API needs: cookies, redirects, streams, encodings, tracing. It also repeats a GET whose connection broke;
here that is a citizen who gets a text twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httptools
import msgspec

MAX_HEAD = 64 * 1024
"""Bytes of a status line with its headers, about: beyond it an answer is none."""
MAX_RESPONSE = 1024 * 1024
"""Bytes of a body that are kept."""


class HttpResponse(msgspec.Struct, frozen=True):
    """A provider's answer: status, headers (names in lower case), body bytes (the first :data:`MAX_RESPONSE`)."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it holds."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; ``None`` where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Broken(Exception):
    """The connection ended, or what came on it was no HTTP, before a whole answer had come."""


class Connection(asyncio.Protocol):
    """Carries one call at a time. ``lost`` is called with it once nothing more can be asked on it.

    The ``on_…`` methods are the parser's to call.
    """

    def __init__(self, lost: Callable[[Connection], None]) -> None:
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[HttpResponse] | None = None
        self.rests_since = 0.0
        """Of who keeps it: monotonic seconds."""
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._head = 0
        self._body: list[bytes] = []
        self._size = 0
        self._status = 0

    @property
    def usable(self) -> bool:
        """Whether another call can be made on it."""
        return self._transport is not None and not self._transport.is_closing()

    async def call(self, request: bytes, until: float) -> HttpResponse:
        """Send one whole request, of any method but HEAD and CONNECT, and wait for the answer.

        ``until`` is by the loop's clock. Raises :class:`TimeoutError` then, and :class:`Broken`, also where nothing of
        the request went out. Whoever does not wait for the answer has the connection closed: what would come on it
        belongs to nobody.
        """
        if self._transport is None or self._transport.is_closing():
            raise Broken("closed")
        self._begin()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        # asyncio's own bounds take five times as long to set and to lift.
        bound = loop.call_at(until, self._late)
        self._transport.write(request)
        try:
            return await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            bound.cancel()
            self._waiter = None

    def _late(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """A part of an answer; or more than was asked for, which is the end of the connection."""
        if self._waiter is None or self._waiter.done():
            self.abort()
            return
        if not self._status:
            self._head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(type(error).__name__)
        else:
            if not self._status and self._head > MAX_HEAD:
                self._fail("headers without an end")

    def eof_received(self) -> None:
        """The provider says nothing more; the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, which may be the end of an answer, too (RFC 9112 section 6.3, case 8)."""
        self._transport = None
        self._lost(self)
        bounded = "content-length" in self._headers or "transfer-encoding" in self._headers
        if self._status and not bounded and exc is None:
            self._answer()
        else:
            self._fail(type(exc).__name__ if exc is not None else "hung up")

    def on_message_begin(self) -> None:
        """An answer begins; to a question, it is to be hoped."""
        if self._waiter is None or self._waiter.done():
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        """The status line and the headers; those of an interim answer (1xx) count for nothing."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
        else:
            self._headers = {}

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body[: MAX_RESPONSE - self._size])
        self._size += len(self._body[-1])
        if self._size == MAX_RESPONSE:
            self._answer(whole=False)

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self._status:
            self._answer()

    def _answer(self, *, whole: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(HttpResponse(self._status, self._headers, b"".join(self._body)))
        if not whole or not self._parser.should_keep_alive():
            self.abort()

    def _fail(self, reason: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Broken(reason))
        self.abort()
