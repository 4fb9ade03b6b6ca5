"""The pages behind the sign-in, a module each; :func:`add_pages` puts them and their live stream on."""

from __future__ import annotations

from aiohttp import web

from gateway.console.live import Live
from gateway.console.pages import audit, cases, channels, letters, overview
from gateway.console.shell import Console


def add_pages(console: Console, app: web.Application) -> None:
    """Add the console with all its pages; its streams end when the application stops."""
    first = overview.Overview(console)
    live = Live(first.draw)
    app.on_shutdown.append(live.close)
    app.on_cleanup.append(first.close)
    others = [page.routes(console) for page in (cases, letters, channels, audit)]
    console.add_to(app, [*overview.routes(first, live), *(route for routes in others for route in routes)])
