"""The HTTP port's connections: how many there are, how long a request may take to come, how an error is answered.

The framework has no place for these; what is done here by its inner names is held by ``tests/gateway/test_server.py``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.answers import NAME, problem
from gateway.lane import Lanes, begin

log = structlog.get_logger(__name__)

TELL_EVERY = 10.0
"""Seconds between two lines about too many connections, or about slow ones."""

_OWN = {
    400: ("malformed", "the request cannot be read"),
    500: ("internal", "the request could not be answered; the log says why"),
    504: ("timeout", "the request took too long"),
}
"""What is answered where no handler could: the code and the text of a status."""


class BrokenRequests(logging.Filter):
    """Takes the content out of what aiohttp logs of requests it could not parse: it quotes their first line.

    That line holds a citizen's number and text where a provider calls by GET.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line, without the exception that quotes the request."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.msg = (
                f"a request could not be parsed ({type(error).__name__}, answered {getattr(error, 'code', 400)})"
            )
            record.args = ()
            record.exc_info = None
        return True


class _Protocol(web.RequestHandler):  # type: ignore[type-arg,unused-ignore]
    """One connection. What the framework answers by itself, it answers as text that quotes the request's first line."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Have it logged, and answer in the one form; the connection is closed."""
        if self.transport is not None or not isinstance(exc, ConnectionError):
            super().handle_error(request, status, exc, message)
        # Else whoever called has hung up in the middle of a body: nobody's fault, and nobody hears the answer.
        code, said = _OWN.get(status, _OWN[500])
        answer = problem(status, code, said, headers={"Server": NAME})
        answer.force_close()
        return answer

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: hand it to its lane if it has one, and note whether more of it is to come."""
        manager = self._manager
        waiter = self._waiter
        if not isinstance(manager, _Server) or waiter is None or waiter.done():
            super().data_received(data)
            taken = False
        else:
            # The framework's task sleeps on until it is known whether it has to handle what came.
            self._waiter = None
            try:
                super().data_received(data)
            finally:
                self._waiter = waiter
            taken = self._request_in_progress or self._next(manager.lanes)
        if isinstance(manager, _Server):
            manager.heard(self, arriving=False if taken else self.arriving())

    def _next(self, lanes: Lanes) -> bool:
        """Have the first request that waits handled, if any; returns whether a lane has taken it."""
        if not self._messages or self._waiter is None or self._waiter.done():
            return False
        # As for any request in progress, shutdown waits for its answer; and reading its body may bring the next.
        message, payload = self._messages.popleft()
        self._request_in_progress = True
        if not self._buffer_paused and begin(lanes, message, payload, self.peername, self._answered):
            if self._parser is not None:
                self._parser.message_consumed()
            return True
        self._request_in_progress = False
        self._messages.appendleft((message, payload))
        self._waiter.set_result(None)
        return False

    def _answered(self, answer: bytes) -> None:
        """Write the answer to the request that a lane took, and go on to the next."""
        self._request_in_progress = False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if self.transport is None:
            return
        self.transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if isinstance(self._manager, _Server):
            self._next(self._manager.lanes)

    def arriving(self) -> bool | None:
        """Whether a request has come in part, its headers or its body; ``None`` between two states of the framework."""
        if self._waiter is not None and not self._waiter.done():
            return True
        if self._messages:
            return not self._messages[-1][1].is_eof()
        return None if self._current_request is None else not self._current_request.content.is_eof()


class _Server(web.Server):  # type: ignore[type-arg,unused-ignore]
    """Makes the connections, and drops those beyond ``most`` and those whose request takes over ``patience`` seconds.

    The framework would wait for the rest of a request's headers for an hour. Only requests that have come in part are
    looked at, and new connections: one that is kept between two requests may be silent.
    """

    lanes: Lanes
    most: int
    patience: float
    pause: float
    told_at: dict[str, float]
    since: dict[web.RequestHandler, float]  # type: ignore[type-arg,unused-ignore]
    looking: asyncio.TimerHandle | None

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:  # type: ignore[type-arg,unused-ignore]
        """Take a connection in."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self.most:
            self.heard(handler, arriving=True)
            return
        # Not at once: the framework is not ready to lose a connection that it is still taking in.
        self._loop.call_soon(transport.abort)
        self._tell("http.too_many_connections", most=self.most)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:  # type: ignore[type-arg,unused-ignore]
        """A connection has ended."""
        self.since.pop(handler, None)
        super().connection_lost(handler, exc)

    def heard(self, handler: web.RequestHandler, *, arriving: bool | None) -> None:  # type: ignore[type-arg,unused-ignore]
        """A connection was made or said something: its request is whole, or has begun to come."""
        if not arriving:
            if arriving is False:
                self.since.pop(handler, None)
            return
        self.since.setdefault(handler, self._loop.time())
        if self.looking is None:
            self.looking = self._loop.call_later(self.pause, self._look)

    def _look(self) -> None:
        """Drop what has taken too long; a handler that waits for a body has had the time to say so itself.

        Time that this process has lost, stopped or overloaded, is not the callers': what they sent waits to be read.
        """
        now = self._loop.time()
        late = now - self.looking.when() if self.looking is not None else 0.0
        if late > self.pause:
            self.since = {handler: since + late for handler, since in self.since.items()}
        oldest = now - self.patience - self.pause
        slow = [handler for handler, since in self.since.items() if since < oldest]
        for handler in slow:
            del self.since[handler]
            if handler.transport is not None:
                handler.transport.abort()
        if slow:
            self._tell("http.slow_requests_dropped", count=len(slow), seconds=self.patience)
        self.looking = self._loop.call_later(self.pause, self._look) if self.since else None

    def _tell(self, event: str, **more: float) -> None:
        now = time.monotonic()
        if now - self.told_at.get(event, -TELL_EVERY) >= TELL_EVERY:
            self.told_at[event] = now
            log.warning(event, **more)

    def __call__(self) -> web.RequestHandler:  # type: ignore[type-arg,unused-ignore]
        connection = super().__call__()
        # The framework has no place to name the class in.
        connection.__class__ = _Protocol
        return connection


class Runner(web.AppRunner):
    """Runs an application whose every refusal is in the one form, also that of a request which is none.

    At most ``max_connections`` are held; a further one is dropped, which its caller takes for a server that is away.
    So is one whose request has not come whole after ``request_timeout`` seconds. ``lanes`` are the paths whose calls
    need not take the application's way.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        max_connections: int,
        request_timeout: float,
        lanes: Lanes | None = None,
        **options: Any,
    ) -> None:
        app.on_response_prepare.append(_unnamed)
        super().__init__(app, **options)
        self._most = max_connections
        self._patience = request_timeout
        self._lanes = lanes or {}

    async def _make_server(self) -> web.Server:  # type: ignore[type-arg,unused-ignore]
        made = await super()._make_server()
        made.__class__ = _Server
        pause = min(1.0, self._patience / 4)
        bounds: dict[str, Any] = {"most": self._most, "patience": self._patience, "pause": pause}
        vars(made).update(bounds, lanes=self._lanes, told_at={}, since={}, looking=None)
        return made


async def _unnamed(_request: web.Request, response: web.StreamResponse) -> None:
    """Tell no version: the framework puts its own and Python's into every answer."""
    response.headers["Server"] = NAME
