"""What every command needs: the settings file's option, reading it, running work, and ending with a clear line."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from config.errors import SettingsError
from config.load import load
from config.settings import Settings
from gateway.channelset import ChannelConfig, load_channels

T = TypeVar("T")

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="TOML file with the settings. Without it: $GATEWAY_CONFIG, ./gateway.toml, or the embedded defaults.",
        show_default=False,
    ),
]


def read(config: Path | None) -> tuple[Settings, dict[str, ChannelConfig]]:
    """The settings and channels; wrong ones are told line by line, exit status 2."""
    try:
        settings = load(config, os.environ)
        return settings, load_channels(settings)
    except SettingsError as error:
        for line in error.lines:
            typer.echo(line, err=True)
        sys.exit(2)


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work on a loop of its own; a store that is away ends it with exit status 1."""
    import uvloop

    from gateway.store.engine import StoreUnavailable

    try:
        return uvloop.run(work)
    except StoreUnavailable as error:
        fail(f"the store cannot be reached: {error}", 1)


def operator() -> str:
    """Who is at the keyboard, as the system knows them: for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def fail(message: str, status: int) -> NoReturn:
    """End with a line on standard error and this exit status."""
    typer.echo(f"gateway: {message}", err=True)
    sys.exit(status)
