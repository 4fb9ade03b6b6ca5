"""Who may use the sandbox: a browser or program on this machine, and of browsers' pages only the sandbox's own.

Any page that somebody visits can make their browser send requests to the loopback. It cannot read the sandbox's token,
cannot set the header that carries it, and a browser names it in Origin (Fetch, "Origin header"). A name that a
stranger's DNS leads to the loopback is told by Host.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.answers import problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADER = "X-Sandbox-Token"
NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Guard:
    """The guard of one process; ``token`` is new with each."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)

    def here(self, handler: Handler) -> Handler:
        """A handler that answers this machine alone."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            return _elsewhere(request) or await handler(request)

        return guarded

    def ours(self, handler: Handler) -> Handler:
        """A handler that acts only for the sandbox's own page, or a program that has asked for the token."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            return _elsewhere(request) or self._foreign(request) or await handler(request)

        return guarded

    def _foreign(self, request: web.Request) -> web.Response | None:
        origin = request.headers.get("Origin")
        if origin is not None and origin not in (f"http://{request.host}", f"https://{request.host}"):
            return problem(403, "foreign_page", "the sandbox takes requests of its own page only")
        given = request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.token.encode()):
            return problem(403, "bad_token", "the sandbox's token is missing or old: load the page again")
        return None


def _elsewhere(request: web.Request) -> web.Response | None:
    """The refusal of a request that does not come from this machine, or is for a name that is not its own."""
    try:
        near = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        near = False
    name, _, port = request.host.rpartition(":")
    if near and (name if port.isdigit() else request.host) in NAMES:
        return None
    return problem(403, "not_here", "the sandbox answers this machine alone: open it as http://127.0.0.1")
