"""``gateway status``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.commands.common import ConfigFile, complete, fail, read


def status(
    config: ConfigFile = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it anew every 2 seconds until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for other programs.")] = False,
) -> None:
    """Show how every channel and process stands, what waits, and what changed lately.

    It asks the store, so it works on any machine that reaches it, whether the gateway runs or not.

    Exit status: 0 all is well, 1 a channel or a role is down or silent, or no gateway runs, 2 the settings are wrong.
    """
    from gateway.commands.board import show_forever, show_once
    from gateway.log import configure

    if watch and as_json:
        fail("--watch shows a page and --json prints a document: say one of them", 2)
    settings, channels = read(config)
    # What is logged, such as that the store is brought to its schema, must not stand in the document.
    configure(settings.logging, settings.zone, sys.stderr)
    if not watch:
        sys.exit(0 if complete(show_once(settings, channels, as_json=as_json)) else 1)
    try:
        complete(show_forever(settings, channels))
    except KeyboardInterrupt:
        sys.exit(0)
