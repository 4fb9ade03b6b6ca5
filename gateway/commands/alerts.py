"""``gateway alert``."""

from __future__ import annotations

import sys

import typer

from gateway.commands.common import ConfigFile, complete, fail, read

alert = typer.Typer(help="Alert sinks: who is told when something goes wrong.", no_args_is_help=True)


@alert.command("test")
def try_sinks(config: ConfigFile = None) -> None:
    """Send a test alert to every sink of [alerts], and call its heartbeat_url once.

    Exit status: 0 all took it, 1 some did not, 2 none is set.
    """
    from gateway.alerts.trial import try_all

    settings, _ = read(config)
    taken = complete(try_all(settings))
    if not taken:
        fail("no sink is set in [alerts]: set webhook_url, email_to or telegram_chat", 2)
    sys.exit(0 if all(taken) else 1)
