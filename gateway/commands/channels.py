"""``gateway channel``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.common import fail

channel = typer.Typer(help="Channel types: the folders of channels/.", no_args_is_help=True)


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
        fail(str(error), 2)
    for path in written:
        typer.echo(str(path.relative_to(root)))
    typer.echo(f"Next: fill it in, then  make test ARGS='tests/channels -k {name}'  (docs/adding-a-channel.md)")
