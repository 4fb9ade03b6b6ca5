"""The command ``gateway``."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from config.errors import SettingsError
from config.load import load
from config.settings import Settings
from gateway.channelset import ChannelConfig, load_channels

T = TypeVar("T")

app = typer.Typer(
    help="The message gateway of SP4N-LAPOR!: citizens' messages in, one event on the log, a tracking number back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
letters = typer.Typer(help="Dead letters: what could not be read, decided or delivered.", no_args_is_help=True)
app.add_typer(letters, name="dead-letters")
channel = typer.Typer(help="Channel types: the folders of channels/.", no_args_is_help=True)
app.add_typer(channel, name="channel")

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="TOML file with the settings. Without it: $GATEWAY_CONFIG, ./gateway.toml, or the embedded defaults.",
        show_default=False,
    ),
]


class RoleName(StrEnum):
    """The roles of a process."""

    ALL = "all"
    INTAKE = "intake"
    DISPATCH = "dispatch"
    DELIVER = "deliver"


def main() -> None:
    """The entry point of the console script."""
    app()


@app.command()
def run(
    config: ConfigFile = None,
    role: Annotated[
        RoleName, typer.Option(help="What this process does: everything, or one part of the way of a message.")
    ] = RoleName.ALL,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Play the providers locally and serve a page at /sandbox to text from.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on, in place of the one in [server]. The roles dispatch and deliver open a port "
            "for health and metrics only when this is given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    Without a settings file it runs on embedded defaults: SQLite files in ./var and one SMS channel.
    """
    from gateway.log import configure
    from gateway.replies import ReplyTemplateError

    settings, channels = _read(config)
    configure(settings.logging, settings.zone, sys.stderr)
    # What is there now stays for good, and each message makes hundreds of short-lived objects: looking for garbage
    # among them at Python's usual pace takes a good part of the intake's time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # The log's writer needs the interpreter a few times for each commit, and a busy loop lets go of it only when
    # asked: at the usual 5 ms the loop runs dry while the writer waits its turn.
    sys.setswitchinterval(0.0005)
    try:
        if sandbox:
            from gateway.sandbox.run import run_with_sandbox

            _run(run_with_sandbox(settings, channels, role=role.value, port=port))
        else:
            from gateway.app import Gateway

            _run(Gateway(settings, channels, role=role.value, port=port).run())
    except ReplyTemplateError as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"cannot start: {error.strerror or error}", 1)


@app.command()
def check(config: ConfigFile = None) -> None:
    """Check the settings, then ask every provider whether the channel's credentials work.

    Exit status: 0 all is well, 1 a provider or a dependency said no, 2 the settings are wrong.
    """
    from gateway.checkup import checkup

    settings, channels = _read(config)
    sys.exit(0 if _run(checkup(settings, channels)) else 1)


@app.command()
def track(
    number: Annotated[str, typer.Argument(help="A tracking number; spaces, dots and hyphens do not matter.")],
    config: ConfigFile = None,
) -> None:
    """Show a case: its state, every message and reply, and how each was delivered.

    Exit status: 0 found, 1 no such case, 2 not a tracking number.
    """
    from gateway.terminal import show_case
    from normalizer.tracking import find

    settings, _ = _read(config)
    found = find(number, meant=True).numbers
    if len(found) != 1:
        _fail(f"{number} is not a tracking number: ten digits, the last a check digit. Is a digit mistyped?", 2)
    sys.exit(0 if _run(show_case(settings, found[0])) else 1)


@letters.command("list")
def list_letters(
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Also the ones that were replayed.")] = False,
) -> None:
    """List the dead letters that wait for somebody to act."""
    from gateway.terminal import list_dead_letters

    settings, _ = _read(config)
    _run(list_dead_letters(settings, limit=limit, waiting_only=not everything))


@letters.command("show")
def show_letter(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or its beginning.")],
    config: ConfigFile = None,
) -> None:
    """Show one dead letter with its reason and its raw bytes."""
    from gateway.terminal import show_dead_letter

    settings, _ = _read(config)
    sys.exit(_run(show_dead_letter(settings, identifier)))


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
        _fail("name the letters to replay, or say --all", 2)
    settings, channels = _read(config)
    sys.exit(_run(replay_dead_letters(settings, channels, identifiers or [], stage=stage)))


@channel.command("list")
def list_types() -> None:
    """List the channel types there are, with what each can do."""
    from channels import registry

    for name in registry.types():
        spec = registry.spec(name)
        typer.echo(f"{name:<12} {spec.title}: {', '.join(sorted(spec.capabilities))}")


@channel.command("new")
def new_type(
    name: Annotated[str, typer.Argument(metavar="TYPE", help="The type's name: small letters, digits, underscores.")],
) -> None:
    """Make the folder of a new channel type and of its tests, in a checkout of the project.

    What is made is a channel that takes JSON by webhook and sends JSON by POST: put your provider's shapes in its
    place, add golden fixtures, and run the contract test. docs/adding-a-channel.md tells each step.

    Exit status: 0 made, 2 the name cannot be used, or this is no checkout.
    """
    from gateway.scaffold.make import ScaffoldError, scaffold

    root = Path.cwd()
    try:
        written = scaffold(root, name)
    except ScaffoldError as error:
        _fail(str(error), 2)
    for path in written:
        typer.echo(str(path.relative_to(root)))
    typer.echo(f"Next: fill it in, then  make test ARGS='tests/channels -k {name}'  (docs/adding-a-channel.md)")


def _read(config: Path | None) -> tuple[Settings, dict[str, ChannelConfig]]:
    """The settings and channels; wrong ones are told line by line, exit status 2."""
    try:
        settings = load(config, os.environ)
        return settings, load_channels(settings)
    except SettingsError as error:
        for line in error.lines:
            typer.echo(line, err=True)
        sys.exit(2)


def _run(work: Coroutine[Any, Any, T]) -> T:
    import uvloop

    from gateway.store.engine import StoreUnavailable

    try:
        return uvloop.run(work)
    except StoreUnavailable as error:
        _fail(f"the store cannot be reached: {error}", 1)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(f"gateway: {message}", err=True)
    sys.exit(status)
