"""The page at ``/sandbox``: every channel as its citizens see it, and what comes back, live by server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from importlib import resources

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.errors import ChannelError
from gateway.answers import problem
from gateway.sandbox.conversation import Conversation, Line
from gateway.sandbox.players import Player

KEEPALIVE_SECONDS = 15.0
LONGEST_TEXT = 2000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Page:
    """The sandbox's routes over its players (one a channel) and their conversation."""

    def __init__(self, players: Mapping[str, Player], conversation: Conversation, *, zone: str) -> None:
        self._players = players
        self._conversation = conversation
        self._zone = zone
        self._stopping = asyncio.Event()
        self.webhook_url: Callable[[str], str] = str
        folder = str(resources.files("gateway.sandbox"))
        environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
        self._template = environment.get_template("page.html")
        self._script = resources.files("gateway.sandbox").joinpath("page.js").read_bytes()

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/", self._root)
        app.router.add_get("/sandbox", self._show)
        app.router.add_get("/sandbox/page.js", self._serve_script)
        app.router.add_get("/sandbox/lines", self._lines)
        app.router.add_post("/sandbox/texts", self._text)
        app.on_shutdown.append(self._leave)

    async def _leave(self, _app: web.Application) -> None:
        self._stopping.set()

    async def _root(self, _request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/sandbox"})

    async def _show(self, _request: web.Request) -> web.Response:
        html = self._template.render(
            channels=list(self._players.values()),
            zone=self._zone,
        )
        return web.Response(text=html, content_type="text/html", headers=HEADERS)

    async def _serve_script(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._script, content_type="text/javascript", headers=HEADERS)

    async def _text(self, request: web.Request) -> web.Response:
        """A citizen's text from the page: a form or JSON with ``channel``, ``from`` and ``text``."""
        fields = await request.post()
        name = str(fields.get("channel", ""))
        player = self._players.get(name)
        if player is None:
            return problem(404, "unknown_channel", "the sandbox plays no channel of this name")
        sender, text = str(fields.get("from", "")).strip(), str(fields.get("text", ""))
        if not sender:
            return problem(400, "no_sender", "say who the message comes from")
        if len(text) > LONGEST_TEXT:
            return problem(413, "too_large", f"a text has at most {LONGEST_TEXT} characters here")
        await self._conversation.add(name, "citizen", sender, text)
        try:
            status = await player.text(self.webhook_url(name), sender, text)
        except ValueError as error:
            return problem(400, "bad_sender", str(error))
        except ChannelError as error:
            return problem(502, error.reason, str(error))
        return web.json_response({"status": status})

    async def _lines(self, request: web.Request) -> web.StreamResponse:
        """Every line, those kept first, then as they come."""
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        last = request.headers.get("Last-Event-ID", "0")
        number = int(last) if last.isdecimal() and len(last) < 12 else 0
        with contextlib.suppress(ConnectionResetError):
            while not self._stopping.is_set():
                lines = await self._next(number)
                if not lines:
                    await response.write(b": still here\n\n")
                for line in lines:
                    number = line.number
                    await response.write(b"id: %d\ndata: %s\n\n" % (number, msgspec.json.encode(line)))
        return response

    async def _next(self, number: int) -> list[Line]:
        """The next lines, or none when it is time for a sign of life or to leave."""
        coming = asyncio.ensure_future(self._conversation.wait(number, KEEPALIVE_SECONDS))
        leaving = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else []
        finally:
            leaving.cancel()
            coming.cancel()
            await asyncio.gather(coming, leaving, return_exceptions=True)
