"""``gateway run --sandbox``: the gateway with its providers played locally."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape

from channels.redaction import mask_phone
from config.settings import Settings
from gateway.app import Gateway, Role
from gateway.channelset import ChannelConfig
from gateway.sandbox.conversation import Conversation
from gateway.sandbox.page import Page
from gateway.sandbox.players import Player, standin_of

EXAMPLE = {"from": "+6281234567890", "text": "Lampu jalan di Jalan Merdeka mati sejak Senin"}


async def run_with_sandbox(
    settings: Settings, channels: Mapping[str, ChannelConfig], *, role: Role, port: int | None
) -> None:
    """Run the gateway with every channel pointed at its stand-in, and the page at ``/sandbox``.

    Raises like :meth:`gateway.app.Gateway.run`.
    """
    out = Console(highlight=False, soft_wrap=True)
    conversation = Conversation()
    async with contextlib.AsyncExitStack() as stack:
        players: dict[str, Player] = {}
        played: dict[str, ChannelConfig] = {}
        for name, config in channels.items():
            standin = await stack.enter_async_context(standin_of(config))
            pointed = config.settings.model_copy(update=standin.overrides(config.settings))
            played[name] = replace(config, settings=pointed)
            players[name] = Player(config, standin)
        page = Page(players, conversation, zone=settings.timezone)
        gateway = Gateway(settings, played, role=role, port=port, extend=page.add_to)
        page.webhook_url = gateway.webhook_url
        watchers = [asyncio.create_task(p.watch(conversation, _teller(out)), name="sandbox") for p in players.values()]
        try:
            await gateway.run(lambda: _greet(out, gateway, channels))
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


def _teller(out: Console) -> Callable[[str, str, str], None]:
    def tell(sender: str, to: str, text: str) -> None:
        out.print(f"[bold]sandbox[/]  {escape(sender)} → {mask_phone(to)}:  {escape(text)}")

    return tell


def _greet(out: Console, gateway: Gateway, channels: Mapping[str, ChannelConfig]) -> None:
    """What a newcomer does next."""
    base = gateway.base_url
    out.print(f"\nThe gateway runs, with its providers played on this machine. Open  [bold]{base}/sandbox[/]")
    config = next((c for c in channels.values() if getattr(c.settings, "dialect", "") == "kannel"), None)
    if config is not None:
        fields = {"token": config.settings.webhook_token.get_secret_value(), **EXAMPLE}  # type: ignore[attr-defined]
        pairs = " ".join(f"--data-urlencode '{name}={value}'" for name, value in fields.items())
        out.print("or be a citizen who texts 1708, in another terminal:\n")
        out.print(f"  curl {pairs} {base}/webhooks/{quote(config.name)}\n", markup=False)
    out.print("The reply appears here, with its tracking number. Ctrl-C stops.\n")
