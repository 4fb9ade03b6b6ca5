"""``gateway block``: senders whose messages are recorded and no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from config.settings import Settings
from gateway.channelset import ChannelConfig
from gateway.commands.common import ConfigFile, complete, fail, operator, read
from gateway.commands.privacy import SenderType

if TYPE_CHECKING:
    from gateway.blocks import Block
    from gateway.store.engine import Store

block = typer.Typer(
    help="Blocked senders: their messages are recorded, open no case and get no answer.", no_args_is_help=True
)

T = TypeVar("T")

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="A phone in any spelling, a mail address, a Telegram user's id, an X user's id or @handle.",
    ),
]
Kind = Annotated[
    SenderType | None,
    typer.Option("--type", help="The channel type, where the address alone does not tell.", show_default=False),
]


@block.command("add")
def add_block(
    address: Address,
    reason: Annotated[str, typer.Option(help="Why, for the next operator.")],
    config: ConfigFile = None,
    kind: Kind = None,
) -> None:
    """Block a sender, on all channels of the type, from the next message on; what is recorded stays.

    Exit status: 0 blocked (or was already), 1 the store cannot be reached, 2 not one sender's address, or no reason.
    """
    from gateway.blocks import ID_LENGTH, add, whom
    from gateway.identity import sender_secret

    if not reason.strip():
        fail("say why with --reason", 2)

    async def work(store: Store, settings: Settings, channels: dict[str, ChannelConfig]) -> str:
        who = await whom(store, address, kind.value if kind else None, sender_secret(settings), channels)
        new = await add(store, who, reason=reason.strip(), by=operator())
        return f"{who.key[:ID_LENGTH]}: {'blocked' if new else 'was blocked already'} on {who.type}"

    typer.echo(_with_store(config, work))


@block.command("list")
def list_blocks(config: ConfigFile = None) -> None:
    """List the blocked senders, the newest first: id, type, masked address, since when, by whom, why."""
    from gateway.blocks import listed

    async def work(
        store: Store, settings: Settings, _channels: dict[str, ChannelConfig]
    ) -> tuple[Sequence[Block], ZoneInfo]:
        return await listed(store), settings.zone

    blocked, zone = _with_store(config, work)
    for one in blocked:
        since = datetime.fromtimestamp(one.at, zone).strftime("%Y-%m-%d %H:%M %Z")
        typer.echo(f"{one.id}  {one.type:<10} {one.shown:<24} {since}  {one.blocked_by}: {one.reason}")


@block.command("remove")
def remove_block(
    address: Annotated[str, typer.Argument(metavar="ADDRESS|ID", help="The address, or the id that `list` shows.")],
    config: ConfigFile = None,
    kind: Kind = None,
) -> None:
    """Lift a block: later messages are treated like anybody's.

    Exit status: 0 lifted, 1 the sender is not blocked or the store cannot be reached, 2 not one sender.
    """
    from gateway.blocks import ID_LENGTH, listed, remove, whom
    from gateway.identity import sender_secret

    async def work(store: Store, settings: Settings, channels: dict[str, ChannelConfig]) -> str:
        named = await listed(store, address) if len(address) >= ID_LENGTH else []
        if len(named) == 1:
            key = named[0].sender_key
        else:
            key = (await whom(store, address, kind.value if kind else None, sender_secret(settings), channels)).key
        return key[:ID_LENGTH] if await remove(store, key, by=operator()) else ""

    lifted = _with_store(config, work)
    if not lifted:
        fail("this sender is not blocked", 1)
    typer.echo(f"{lifted}: no longer blocked")


def _with_store(config: Path | None, work: Callable[[Store, Settings, dict[str, ChannelConfig]], Awaitable[T]]) -> T:
    """Do something with the migrated store; what names no sender ends the command with exit status 2."""
    from gateway.blocks import NotOneSenderError
    from gateway.store.engine import Store
    from gateway.store.migrate import migrate

    settings, channels = read(config)

    async def run() -> T:
        store = Store(settings.store.url.get_secret_value(), pool_size=2)
        try:
            await migrate(store)
            return await work(store, settings, channels)
        finally:
            await store.close()

    try:
        return complete(run())
    except NotOneSenderError as error:
        fail(str(error), 2)
