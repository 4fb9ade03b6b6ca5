"""The overview, live: server-sent events (the WHATWG's HTML standard, "Server-sent events").

One poller a process, however many watch: it reads the overview and draws its fragments once a round for each language
that somebody watches in, and rests when nobody does. Each stream sends the fragments that differ from what it sent
before, so that a viewer who reads slowly skips rounds instead of queueing them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from gateway.console.guard import protect, still
from gateway.store.engine import StoreUnavailable

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds from one round to the next."""
HEARTBEAT = 15.0
"""Seconds of silence after which a comment tells proxies that the stream lives."""
ASK = 30.0
"""Seconds after which a stream is asked anew whether its session holds."""
MOST = 100
"""Streams of one process; a further viewer has to load the page again by hand."""
STUCK = 20.0
"""Seconds that a viewer may take to read before their stream is cut."""

Fragments = Mapping[str, str]
"""HTML by the id of the element whose content it is."""
Draw = Callable[[Mapping[str, web.Request]], Awaitable[Mapping[str, Fragments]]]
"""Draws the fragments as they are now, by language, for each of which it is given one viewer's request.

What is drawn goes to every viewer of the language: nothing of that request but the language may be in it. Raises
StoreUnavailable.
"""


class Live:
    """The streams of one process and their one poller."""

    def __init__(self, draw: Draw, *, every: float = EVERY, heartbeat: float = HEARTBEAT, most: int = MOST) -> None:
        self._draw = draw
        self._every = every
        self._heartbeat = heartbeat
        self._most = most
        self._watching: list[tuple[str, web.Request]] = []
        self._drawn: Mapping[str, Fragments] = {}
        self._round = asyncio.Event()
        self._closing = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._watching)

    @property
    def polling(self) -> bool:
        """Whether the poller works."""
        return self._poller is not None and not self._poller.done()

    @property
    def closing(self) -> bool:
        """Whether the process stops."""
        return self._closing.is_set()

    async def close(self, _app: web.Application) -> None:
        """End every stream; for ``on_shutdown``, so that no viewer holds up a stop."""
        self._closing.set()
        self._turn()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def stream(self, request: web.Request, language: str) -> web.StreamResponse:
        """Answer a viewer with events until they go: each is named after an element and holds what it is to contain."""
        if self.closing or len(self._watching) >= self._most:
            return web.Response(status=503, text="too many viewers\n", headers={"Retry-After": "30"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        protect(response)
        viewer = (language, request)
        self._watching.append(viewer)
        try:
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                await response.prepare(request)
                if not self.polling:
                    self._poller = asyncio.create_task(self._poll(), name="console live")
                await self._send(request, response, language)
        finally:
            self._watching.remove(viewer)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, language: str) -> None:
        """Send what changes while the session holds. Raises ConnectionResetError, TimeoutError."""
        sent: dict[str, str] = {}
        said = asked = time.monotonic()
        while not self.closing:
            turn = self._round
            if time.monotonic() - asked >= ASK:
                asked = time.monotonic()
                if not await _holds(request):
                    await _write(response, "event: over\ndata: over\n\n")
                    return
            now = self._drawn.get(language, {})
            changed = {name: html for name, html in now.items() if sent.get(name) != html}
            silent = time.monotonic() - said >= self._heartbeat
            if changed or silent:
                await _write(response, "".join(map(_event, changed.items())) or ": here\n\n")
                sent |= changed
                said = time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(turn.wait(), max(0.0, said + self._heartbeat - time.monotonic()))

    async def _poll(self) -> None:
        while self._watching and not self.closing:
            try:
                self._drawn = await self._draw(dict(self._watching))
            except StoreUnavailable as error:
                # What stands on the pages stays; the heartbeat goes on.
                log.warning("console.live_waits", reason=str(error))
            except Exception:
                log.exception("console.live_failed")
            else:
                self._turn()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._every)
        # Who comes next is not shown what was true when the last one left.
        self._drawn = {}

    def _turn(self) -> None:
        """Wake every stream, and begin a new round."""
        over, self._round = self._round, asyncio.Event()
        over.set()


async def _holds(request: web.Request) -> bool:
    """Whether the viewer's session holds; while the store cannot say, nothing new is shown anyhow."""
    try:
        return await still(request)
    except StoreUnavailable:
        return True


def _event(fragment: tuple[str, str]) -> str:
    name, html = fragment
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: {name}\n{lines}\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(STUCK):
        await response.write(text.encode())
