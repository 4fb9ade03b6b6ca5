"""``gateway dead-letters``."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from config.settings import Settings
from gateway.commands.common import ConfigFile, complete, fail, operator, read

letters = typer.Typer(help="Dead letters: what could not be read, decided or delivered.", no_args_is_help=True)


@letters.command("list")
def list_letters(
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed or discarded.")] = False,
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
    sys.exit(complete(replay_dead_letters(settings, channels, identifiers or [], stage=stage, by=operator())))


@letters.command("discard")
def discard_letter(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or its beginning.")],
    reason: Annotated[str, typer.Option(help="Why nothing is to be done about it, for who looks later.")],
    config: ConfigFile = None,
) -> None:
    """Decide that nothing is to be done about a dead letter; it is kept, and waits no longer.

    Exit status: 0 discarded, 1 no letter that waits has this id, or the store cannot be reached, 2 no reason.
    """
    if not reason.strip():
        fail("say why with --reason", 2)
    settings, _ = read(config)
    said = complete(_discard(settings, identifier, reason.strip()))
    if said:
        fail(said, 1)
    typer.echo("discarded")


async def _discard(settings: Settings, identifier: str, reason: str) -> str:
    """Discard the one letter whose id begins so, and record it; returns what stands in the way, if anything."""
    from gateway.store import deadletters
    from gateway.store.audit import record
    from gateway.store.engine import Store
    from gateway.store.migrate import migrate

    store = Store(settings.store.url.get_secret_value(), pool_size=2)
    try:
        await migrate(store)
        rows = await deadletters.find(store, identifier)
        if len(rows) != 1:
            said = "is the beginning of several ids" if rows else "is no dead letter's id"
            return f"{identifier} {said}"
        async with store.write() as connection:
            if not await deadletters.discard(connection, rows[0].id, at=time.time(), reason=reason):
                return f"{identifier} was replayed or discarded before"
            await record(connection, operator(), "discard", rows[0].id, reason)
    finally:
        await store.close()
    return ""
