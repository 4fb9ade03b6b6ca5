"""``gateway dead-letters``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.commands.common import ConfigFile, complete, fail, read

letters = typer.Typer(help="Dead letters: what could not be read, decided or delivered.", no_args_is_help=True)


@letters.command("list")
def list_letters(
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Also the ones that were replayed.")] = False,
) -> None:
    """List the dead letters that wait for somebody to act."""
    from gateway.terminal import list_dead_letters

    settings, _ = read(config)
    complete(list_dead_letters(settings, limit=limit, waiting_only=not everything))


@letters.command("show")
def show_letter(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or its beginning.")],
    config: ConfigFile = None,
) -> None:
    """Show one dead letter with its reason and its raw bytes."""
    from gateway.terminal import show_dead_letter

    settings, _ = read(config)
    sys.exit(complete(show_dead_letter(settings, identifier)))


@letters.command("replay")
def replay_letters(
    identifiers: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]…", help="Ids, or their beginnings.", show_default=False)
    ] = None,
    config: ConfigFile = None,
    everything: Annotated[bool, typer.Option("--all", help="Every letter that waits.")] = False,
    stage: Annotated[
        str,
        typer.Option(help="With --all: only letters of this stage (intake, decode, dispatch, case_update, deliver)."),
    ] = "",
) -> None:
    """Give dead letters back to the step that gave up on them, after its cause was mended.

    Exit status: 0 all were replayed, 1 some could not be, 2 nothing was named.
    """
    from gateway.terminal import replay_dead_letters

    if bool(identifiers) == everything:
        fail("name the letters to replay, or say --all", 2)
    settings, channels = read(config)
    sys.exit(complete(replay_dead_letters(settings, channels, identifiers or [], stage=stage)))
