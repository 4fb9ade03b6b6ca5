"""The HTTP side of the gateway: which path leads where, and the answers that belong to no channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from aiohttp import HttpVersion11, web

from gateway.answers import problem
from gateway.health.parts import CONDITIONS, ChannelHealth, worst
from gateway.intake.door import Door
from gateway.metrics import CONTENT_TYPE, Metrics


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
