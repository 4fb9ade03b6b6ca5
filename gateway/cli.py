"""The command ``gateway``."""

from __future__ import annotations

import gc
import sys
from enum import StrEnum
from typing import Annotated

import typer

from gateway.commands.alerts import alert
from gateway.commands.blocks import block
from gateway.commands.channels import channel
from gateway.commands.common import ConfigFile, complete, fail, read
from gateway.commands.demo import demo
from gateway.commands.letters import letters
from gateway.commands.operators import operator
from gateway.commands.privacy import forget, retention
from gateway.commands.status import status

app = typer.Typer(
    help="The message gateway of SP4N-LAPOR!: citizens' messages in, one event on the log, a tracking number back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(letters, name="dead-letters")
app.add_typer(channel, name="channel")
app.add_typer(retention, name="retention")
app.command()(forget)
app.command()(demo)
app.add_typer(operator, name="operator")
app.add_typer(alert, name="alert")
app.add_typer(block, name="block")
app.command()(status)


class RoleName(StrEnum):
    """The roles of a process."""

    ALL = "all"
    INTAKE = "intake"
    DISPATCH = "dispatch"
    DELIVER = "deliver"


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

    settings, channels = read(config)
    configure(settings.logging, settings.zone, sys.stderr)
    # The log's writer needs the interpreter a few times for each commit, and a busy loop lets go of it only when
    # asked: at the usual 5 ms the loop runs dry while the writer waits its turn.
    sys.setswitchinterval(0.0005)
    try:
        if sandbox:
            from gateway.sandbox.run import run_with_sandbox

            running = run_with_sandbox(settings, channels, role=role.value, port=port)
        else:
            from gateway.app import Gateway

            running = Gateway(settings, channels, role=role.value, port=port).run()
        # What is there now stays for good, and is not looked at again.
        gc.freeze()
        complete(running)
    except ReplyTemplateError as error:
        fail(str(error), 2)
    except OSError as error:
        fail(f"cannot start: {error.strerror or error}", 1)


@app.command()
def check(config: ConfigFile = None) -> None:
    """Check the settings, then ask every provider whether the channel's credentials work.

    Exit status: 0 all is well, 1 a provider or a dependency said no, 2 the settings are wrong.
    """
    from gateway.checkup import checkup

    settings, channels = read(config)
    sys.exit(0 if complete(checkup(settings, channels)) else 1)


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

    settings, _ = read(config)
    found = find(number, meant=True).numbers
    if len(found) != 1:
        fail(f"{number} is not a tracking number: ten digits, the last a check digit. Is a digit mistyped?", 2)
    sys.exit(0 if complete(show_case(settings, found[0])) else 1)
