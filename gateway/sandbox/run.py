"""``gateway run --sandbox``: the gateway with its providers played locally."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import msgspec
from aiohttp import web
from rich.console import Console
from rich.markup import escape

from channels.redaction import mask_phone
from config.settings import Settings
from gateway.app import Gateway, Role
from gateway.channelset import ChannelConfig
from gateway.console.accounts import SANDBOX_OPERATOR, ensure_sandbox_operator
from gateway.sandbox.controls import Controls
from gateway.sandbox.guard import Guard
from gateway.sandbox.page import Page
from gateway.sandbox.players import Player, standin_of
from gateway.sandbox.stage import Stage
from gateway.store.engine import StoreUnavailable

EXAMPLE = {"from": "+6281234567890", "text": "Lampu jalan di Jalan Merdeka mati sejak Senin"}

Told = Callable[[str, str, str], None]
"""Called with each reply to a citizen who is not of the crowd: sender, recipient, text."""


async def run_with_sandbox(
    settings: Settings, channels: Mapping[str, ChannelConfig], *, role: Role, port: int | None
) -> None:
    """Run the gateway with every channel pointed at its stand-in, and the page at ``/sandbox``.

    Raises like :meth:`gateway.app.Gateway.run`.
    """
    out = Console(highlight=False, soft_wrap=True)
    async with sandboxed(settings, channels, role=role, port=port, told=_teller(out)) as gateway:
        greeting: asyncio.Task[None] | None = None

        def greet() -> None:
            nonlocal greeting
            greeting = asyncio.create_task(_greet(out, gateway, channels), name="greet")

        try:
            await gateway.run(greet)
        finally:
            if greeting is not None:
                greeting.cancel()
                await asyncio.gather(greeting, return_exceptions=True)


@asynccontextmanager
async def sandboxed(
    settings: Settings,
    channels: Mapping[str, ChannelConfig],
    *,
    role: Role = "all",
    port: int | None = None,
    told: Told = lambda *_: None,
) -> AsyncIterator[Gateway]:
    """A gateway that has not been run yet, every channel pointed at its stand-in, with the sandbox's routes."""
    async with contextlib.AsyncExitStack() as stack:
        players: dict[str, Player] = {}
        played: dict[str, ChannelConfig] = {}
        for name, config in channels.items():
            standin = await stack.enter_async_context(standin_of(config))
            pointed = config.settings.model_copy(update=standin.overrides(config.settings))
            played[name] = msgspec.structs.replace(config, settings=pointed)
            players[name] = Player(config, standin)

        def extend(app: web.Application) -> None:
            for routes in (page, controls):
                routes.add_to(app)

        gateway = Gateway(settings, played, role=role, port=port, extend=extend)
        guard = Guard()
        stage = Stage(gateway, players, token=guard.token, told=told)
        page, controls = Page(stage, guard, settings), Controls(stage, guard)
        stage.open()
        try:
            yield gateway
        finally:
            await stage.close()


def _teller(out: Console) -> Told:
    def tell(sender: str, to: str, text: str) -> None:
        out.print(f"[bold]sandbox[/]  {escape(sender)} → {mask_phone(to)}:  {escape(text)}")

    return tell


async def _greet(out: Console, gateway: Gateway, channels: Mapping[str, ChannelConfig]) -> None:
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
    try:
        password = await ensure_sandbox_operator(gateway.store)
    except StoreUnavailable:
        out.print(f"The operators' pages at {base}/ops wait for the store.\n")
        return
    out.print(
        f"Operators watch it at  [bold]{base}/ops[/]  as [bold]{SANDBOX_OPERATOR}[/], password [bold]{password}[/]\n"
    )
