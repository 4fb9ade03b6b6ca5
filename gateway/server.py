"""The HTTP side of the gateway: which path leads where, and the answers that belong to no channel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.answers import problem
from gateway.health.parts import CONDITIONS, ChannelHealth, worst
from gateway.intake.door import Door
from gateway.metrics import CONTENT_TYPE, Metrics

log = structlog.get_logger(__name__)

TELL_EVERY = 10.0
"""Seconds between two lines about too many connections."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OWN = {
    400: ("malformed", "the request cannot be read"),
    500: ("internal", "the request could not be answered; the log says why"),
    504: ("timeout", "the request took too long"),
}
"""What is answered where no handler could: the code and the text of a status."""


class Pulse:
    """What health and metrics endpoints ask of the running program."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        channels: Callable[[], dict[str, ChannelHealth]],
        dependencies: Callable[[], dict[str, str]],
        ready: Callable[[], tuple[bool, str]],
        refresh: Callable[[], None],
    ) -> None:
        self.metrics = metrics
        self.channels = channels
        self.dependencies = dependencies
        self.ready = ready
        self.refresh = refresh

    async def healthz(self, _request: web.Request) -> web.Response:
        """Alive: the loop turns."""
        return web.json_response({"status": "alive"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while intake can make events durable, else 503; with every channel's health."""
        ready, why = self.ready()
        channels = self.channels()
        body = {
            "status": "ready" if ready else "not_ready",
            "reason": why,
            "channels": {name: msgspec.to_builtins(health) for name, health in channels.items()},
            "dependencies": self.dependencies(),
        }
        return web.json_response(body, status=200 if ready else 503)

    async def exposition(self, _request: web.Request) -> web.Response:
        """The metrics, with the states of the channels brought up to date first."""
        self.refresh()
        for name, health in self.channels().items():
            for condition in CONDITIONS:
                gauge = self.metrics.channel_state.labels(name, condition)
                gauge.set(1 if health.state == condition else 0)
        return web.Response(body=self.metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    def overall(self) -> str:
        """The worst state of all channels."""
        return worst(self.channels())


class BrokenRequests(logging.Filter):
    """Takes the content out of what aiohttp logs of requests it could not parse: it quotes their first line.

    That line holds a citizen's number and text where a provider calls by GET.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line, without the exception that quotes the request."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg = f"a request could not be parsed ({type(error).__name__}, answered {error.code})"
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
        super().handle_error(request, status, exc, message)
        code, said = _OWN.get(status, _OWN[500])
        answer = problem(status, code, said)
        answer.force_close()
        return answer


class _Server(web.Server):  # type: ignore[type-arg,unused-ignore]
    """Makes the connections, and drops those beyond ``most``."""

    most: int
    told_at: float

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:  # type: ignore[type-arg,unused-ignore]
        """Take a connection in."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self.most:
            return
        # Not at once: the framework is not ready to lose a connection that it is still taking in.
        self._loop.call_soon(transport.abort)
        now = time.monotonic()
        if now - self.told_at >= TELL_EVERY:
            self.told_at = now
            log.warning("http.too_many_connections", most=self.most)

    def __call__(self) -> web.RequestHandler:  # type: ignore[type-arg,unused-ignore]
        connection = super().__call__()
        # The framework has no place to name the class in.
        connection.__class__ = _Protocol
        return connection


class Runner(web.AppRunner):
    """Runs an application whose every refusal is in the one form, also that of a request which is none.

    At most ``max_connections`` are held; a further one is dropped, which its caller takes for a server that is away.
    """

    def __init__(self, app: web.Application, *, max_connections: int, **options: Any) -> None:
        super().__init__(app, **options)
        self._most = max_connections

    async def _make_server(self) -> web.Server:  # type: ignore[type-arg,unused-ignore]
        made = await super()._make_server()
        made.__class__ = _Server
        vars(made).update(most=self._most, told_at=-TELL_EVERY)
        return made


async def expected(request: web.Request) -> None:
    """Answer ``Expect: 100-continue`` and pass over any other expectation, as RFC 9110 section 10.1.1 allows.

    The framework refuses those in a text that quotes them, and fails where they are not UTF-8.
    """
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What counts as written decides whether an error can still be answered.
        request.writer.output_size = 0


def add_pulse(app: web.Application, pulse: Pulse) -> None:
    """``/healthz``, ``/readyz`` and ``/metrics``."""
    app.router.add_get("/healthz", pulse.healthz, expect_handler=expected)
    app.router.add_get("/readyz", pulse.readyz, expect_handler=expected)
    app.router.add_get("/metrics", pulse.exposition, expect_handler=expected)


def add_doors(app: web.Application, doors: Iterable[Door]) -> None:
    """The webhooks of the channels; any other path under ``/webhooks/`` is an unknown channel."""
    for door in doors:
        paths = [(f"/webhooks/{door.name}", door.messages)]
        if door.takes_receipts:
            paths.append((f"/webhooks/{door.name}/status", door.receipts))
        for path, handler in paths:
            resource = app.router.add_resource(path)
            for method in ("POST", "GET"):
                resource.add_route(method, handler, expect_handler=expected)
            resource.add_route("*", _wrong_method, expect_handler=expected)
    app.router.add_route("*", "/webhooks/{rest:.*}", _unknown_channel, expect_handler=expected)


def add_not_found(app: web.Application) -> None:
    """Whatever leads nowhere is answered in the same form as every other error; added last."""
    app.router.add_route("*", "/{rest:.*}", _not_found, expect_handler=expected)


async def _unknown_channel(_request: web.Request) -> web.Response:
    return problem(404, "unknown_channel", "there is no channel of this name")


async def _wrong_method(_request: web.Request) -> web.Response:
    return problem(405, "method_not_allowed", "only GET and POST are taken here", headers={"Allow": "GET, POST"})


async def _not_found(_request: web.Request) -> web.Response:
    return problem(404, "not_found", "there is nothing here")
