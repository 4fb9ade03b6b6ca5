"""``gateway forget`` and ``gateway retention``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gateway.commands.common import ConfigFile, complete, operator, read

retention = typer.Typer(help="How long what citizens wrote is kept: [retention] in the settings.", no_args_is_help=True)


class SenderType(StrEnum):
    """The channel types whose senders have addresses."""

    SMS = "sms"
    TELEGRAM = "telegram"
    TWITTER = "twitter"
    EMAIL = "email"


def forget(
    sender: Annotated[
        str,
        typer.Argument(
            help="The citizen's address: a phone in any spelling, a mail address, a Telegram user's id, an X user's id "
            "or @handle.",
            metavar="SENDER",
        ),
    ],
    config: ConfigFile = None,
    kind: Annotated[
        SenderType | None,
        typer.Option("--type", help="The channel type, where the address alone does not tell.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a citizen, who has the right to it (law 27/2022 on personal data).

    Erases address, name, words, place, files and payloads of all their messages, the replies to them, and what agencies
    told them, in the store, the files, the embedded log and the spools of this machine. Replies that wait are not sent.
    Their cases keep number, state, times and counts. It cannot be undone.

    The gateway may be running. Cut off, the command can be given again and goes on; so it can at any later time. What
    Kafka's topics still hold expires there: the command says when. Backups are yours to look after (docs/privacy.md).

    Someone who writes by SMS and by mail is two senders: forget each. A citizen who writes again later starts afresh.

    Exit status: 0 forgotten, 1 nobody of that address, or not all could be erased, 2 not one citizen's address.
    """
    from gateway.privacy.terminal import forget_sender

    settings, channels = read(config)
    work = forget_sender(settings, channels, sender, kind.value if kind else None, yes=yes, by=operator())
    sys.exit(complete(work))


@retention.command("run")
def run(config: ConfigFile = None) -> None:
    """Forget now what is due by [retention], and what has come in again of citizens who were forgotten.

    A running gateway (roles all and dispatch) does it by itself, once an hour.

    Exit status: 0 done, 1 not all could be erased or another process is at it, 2 wrong settings.
    """
    from gateway.privacy.terminal import run_retention

    settings, _ = read(config)
    sys.exit(complete(run_retention(settings)))
