"""``gateway demo``: one complaint from the first text to its closing, played and told in the terminal."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.common import complete

TOLD = {
    "complaint": ("A citizen texts 1708", "and has a tracking number within a moment"),
    "follow_up": ("The citizen texts again, without the number", "and it joins the same case"),
    "status": ("The citizen asks where it stands", "and hears it"),
    "stranger": ("A stranger asks for the same number", "and hears what they would of a number that nobody has"),
    "news": ("The agency says something by POST /api/v1/cases/NUMBER/updates", "and the citizen hears it by SMS"),
    "closing": ("The agency closes the case the same way", "and the citizen hears that too"),
    "closed": ("The citizen asks once more", "and the case is closed"),
}
"""How each step of :mod:`gateway.sandbox.story` is told: what happens, and what comes of it."""


def demo(
    url: Annotated[
        str,
        typer.Option(
            help="Play it over a gateway that runs with --sandbox, and watch it on its pages. Without it, one is "
            "started on a free port and a temporary folder.",
            show_default=False,
        ),
    ] = "",
    token: Annotated[str, typer.Option(help="One of that gateway's [api] tokens.")] = "sandbox",  # noqa: S107
    pause: Annotated[float, typer.Option(min=0.0, max=60.0, help="Seconds between two steps.")] = 1.0,
) -> None:
    """Play one complaint from the first text to its closing: number, follow-up, STATUS, the agency's news by SMS.

    Exit status: 0 each step came as told, 1 one did not.
    """
    sys.exit(complete(_over(url, token, pause) if url else _started(token, pause)))


async def _started(token: str, pause: float) -> int:
    """Play it over a gateway of our own."""
    from config.load import load
    from gateway.channelset import load_channels
    from gateway.log import configure
    from gateway.sandbox.run import sandboxed

    with tempfile.TemporaryDirectory(prefix="lapor-demo-") as folder:
        environment = {
            "GATEWAY_SERVER__HOST": "127.0.0.1",
            "GATEWAY_SERVER__PORT": "0",
            "GATEWAY_LOG__PATH": f"{folder}/log.db",
            "GATEWAY_STORE__URL": f"sqlite+aiosqlite:///{folder}/gateway.db",
            "GATEWAY_BLOBS__PATH": f"{folder}/blobs",
            "GATEWAY_API__TOKENS": token,
            "GATEWAY_LOGGING__LEVEL": "error",
        }
        settings = load(Path(str(resources.files("config") / "embedded.toml")), environment)
        configure(settings.logging, settings.zone, sys.stderr)
        async with sandboxed(settings, load_channels(settings)) as gateway:
            up = asyncio.Event()
            running = asyncio.create_task(gateway.run(up.set), name="gateway")
            starting = asyncio.create_task(up.wait(), name="starting")
            await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
            starting.cancel()
            playing = asyncio.create_task(_over(gateway.base_url, token, pause), name="story")
            # Ctrl-C stops the gateway, and the story with it.
            await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
            gateway.stop()
            if not playing.done():
                playing.cancel()
            status, _ = await asyncio.gather(playing, running, return_exceptions=True)
            return status if isinstance(status, int) else _stopped(status)


def _stopped(error: BaseException) -> int:
    if not isinstance(error, asyncio.CancelledError):
        raise error
    typer.echo("gateway: the demo was stopped", err=True)
    return 1


async def _over(url: str, token: str, pause: float) -> int:
    """Play it over the gateway at ``url``; returns the exit status."""
    from rich.console import Console
    from rich.markup import escape

    from gateway.sandbox.story import Step, StoryFailed, play
    from gateway.sandbox.visitor import NotHeard, Visitor

    out = Console(highlight=False, soft_wrap=True)
    steps = 0

    def tell(step: Step) -> None:
        nonlocal steps
        steps += 1
        said, heard = TOLD[step.name]
        out.print(f"\n[bold]{steps}. {said}[/]")
        out.print(f"   {'⌂' if step.by == 'agency' else '→'} {escape(step.said)}")
        out.print(f"   {heard}:")
        out.print(f"   ← [green]{escape(step.heard)}[/]")

    try:
        async with Visitor(url, api_token=token) as visitor:
            out.print(f"The gateway at [bold]{escape(url)}[/], its telco played on this machine.")
            await play(visitor, tell, pause=pause)
    except (StoryFailed, NotHeard) as error:
        typer.echo(f"gateway: the story stopped after step {steps}: {error}", err=True)
        return 1
    out.print(f"\nAll {steps} steps came as told.")
    return 0
