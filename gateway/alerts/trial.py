"""``gateway alert test``: whether each sink takes an alert, before there is one to tell."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from rich.console import Console
from rich.markup import escape

from channels.errors import ChannelError
from channels.http import HttpClient, classify
from config.settings import Settings
from gateway.alerts.alerts import make_sinks
from gateway.alerts.sinks import trial


async def try_all(settings: Settings) -> list[bool]:
    """Send a test alert to every sink, call the heartbeat's address, and print what came of each.

    Returns whether each took it; empty where none is set.
    """
    out = Console(highlight=False)
    taken = []

    async def attempt(name: str, work: Awaitable[None]) -> None:
        try:
            await work
        except ChannelError as error:
            out.print(f"[red]fail[/]  {escape(f'{name}: {error.reason}: {error}')}", soft_wrap=True)
            taken.append(False)
        else:
            out.print(f"[green]ok[/]    {escape(name)}", soft_wrap=True)
            taken.append(True)

    async def call(url: str) -> None:
        classify(await http.request("GET", url))

    async with HttpClient(timeout=settings.delivery.timeout) as http:
        for sink in make_sinks(settings, http, lambda: settings.server.base_url):
            await attempt(sink.shown, sink.tell(trial(time.time())))
            await sink.close()
        if url := settings.alerts.heartbeat_url.get_secret_value():
            await attempt("heartbeat", call(url))
    return taken
