"""The console: its parts in one place, and what every page is built with.

A page is a handler behind :func:`needs` that answers with :func:`page`, and a template that extends ``base.html``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from config.settings import Settings
from gateway.blobs.base import Blobs
from gateway.channelset import ChannelConfig
from gateway.console.guard import GATE, Gate, anyone, error_page, is_guarded, needs, protect, still
from gateway.console.page import RENDERER, Operator, Renderer, Role, fragment, operator_of, page, redirect
from gateway.console.sessions import Sessions
from gateway.console.signin import SignIn
from gateway.console.static import ROOT
from gateway.health.figures import Day
from gateway.store.engine import Store
from gateway.updates.desk import Desk

__all__ = [
    "Console",
    "Operator",
    "Role",
    "error_page",
    "fragment",
    "needs",
    "operator_of",
    "page",
    "protect",
    "redirect",
    "still",
]


class Console:
    """What the pages work with.

    ``replay`` gives one row of ``dead_letters`` back to the step that gave up on it and tells what came of it (it
    raises :class:`gateway.replay.ReplayError`); ``on_replies`` wakes who sends replies.
    """

    def __init__(
        self,
        settings: Settings,
        channels: Mapping[str, ChannelConfig],
        store: Store,
        *,
        blobs: Blobs,
        desk: Desk,
        replay: Callable[[Any, str], Awaitable[str]],
        on_replies: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.channels = channels
        self.store = store
        self.blobs = blobs
        self.desk = desk
        self.replay = replay
        self.on_replies = on_replies
        self.now = now
        # Hours that are over, for whichever page asks next.
        self.day = Day()
        self.sessions = Sessions(store, idle=settings.console.idle, lifetime=settings.console.lifetime, now=now)
        self.gate = Gate(settings, self.sessions)
        self.renderer = Renderer(settings.zone)

    def add_to(self, app: web.Application, pages: Iterable[web.RouteDef] = ()) -> None:
        """Add the sign-in, the pages, the console's own files, and the page for what is not there.

        Raises :class:`TypeError` for a page whose handler is not guarded.
        """
        app[GATE], app[RENDERER] = self.gate, self.renderer
        app.router.add_get(ROOT + "{name}", self.renderer.static.serve)
        sign_in = SignIn(self.settings, self.store, self.gate, now=self.now)
        routes = [*sign_in.routes(), *pages, web.route("*", "/ops/{rest:.*}", _nothing_here)]
        for route in routes:
            if not is_guarded(route.handler):
                raise TypeError(f"the handler of {route.path} is not guarded")
        app.add_routes(routes)


@anyone
async def _nothing_here(request: web.Request) -> web.Response:
    if request.path == "/ops/":
        return redirect("/ops")
    raise web.HTTPNotFound
