"""The reference: a bare aiohttp handler that reads the form and answers 200. No access log, uvloop, one process.

``python -m benchmarks.bare PORT`` listens on the loopback until it is stopped.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def take(request: web.Request) -> web.Response:
    """Read the form, keep nothing."""
    await request.post()
    return web.Response()


async def ready(_: web.Request) -> web.Response:
    """The harness asks every server of a comparison the same way whether it is up."""
    return web.Response()


async def serve(port: int) -> None:
    """Listen until the task is cancelled."""
    application = web.Application()
    application.router.add_post("/webhooks/sms", take)
    application.router.add_get("/readyz", ready)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as event_loop:
        event_loop.run(serve(int(sys.argv[1])))
