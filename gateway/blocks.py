"""The block list: senders whose messages are recorded, open no case and get no answer, by decision of an operator.

The dispatcher looks senders up here with the other facts of a batch (:mod:`gateway.dispatcher.lookup`), so that a
block or its end holds for the next message. Rows bear the sender's key and a masked address, never the address.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import delete, select

from channels.redaction import mask_address
from gateway.channelset import ChannelConfig
from gateway.privacy.find import NotAnAddressError, Who, behind_handle, candidates, is_handle, known
from gateway.store.audit import record
from gateway.store.engine import Store
from gateway.store.operations import blocks

ID_LENGTH = 12
"""Characters of a sender's key by which a list names a block."""


class Block(msgspec.Struct, frozen=True):
    """One row of the list; ``shown`` is the masked address, ``at`` is in Unix seconds."""

    sender_key: str
    type: str
    shown: str
    reason: str
    blocked_by: str
    at: float

    @property
    def id(self) -> str:
        """What names the block on the command line."""
        return self.sender_key[:ID_LENGTH]


class NotOneSenderError(ValueError):
    """The text does not name exactly one sender; the message says what would, and holds no address."""


async def whom(store: Store, text: str, type_: str | None, secret: bytes, channels: Mapping[str, ChannelConfig]) -> Who:
    """The one sender that an operator names by an address, who need not have written yet.

    A handle of X names the account that wrote under it. Raises :class:`NotOneSenderError`.
    """
    try:
        found = candidates(text, type_, secret, channels)
    except NotAnAddressError as error:
        raise NotOneSenderError(f"this is {error}: a phone, a mail address, an id or a @handle") from error
    if is_handle(text, type_):
        found += await behind_handle(store, text, secret)
    if not found:
        raise NotOneSenderError("nobody has written under this handle: name the account by its id")
    if len(found) > 1:
        found = await known(store, found) or found
    types = sorted({who.type for who in found})
    if len(types) > 1:
        raise NotOneSenderError(f"this may be somebody on {' or '.join(types)}: say which with --type")
    if len(found) > 1:
        raise NotOneSenderError("this may be several senders: write a phone with its plus, an account by its id")
    return found[0]


async def add(store: Store, who: Who, *, reason: str, by: str) -> bool:
    """Block a sender; false where they are blocked already, and the older reason stays.

    Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    insert = store.insert(blocks)
    row = insert.values(
        sender_key=who.key,
        type=who.type,
        shown=mask_address(who.kind, who.address),
        reason=reason,
        blocked_by=by[:64],
        at=time.time(),
    )
    async with store.write() as connection:
        written = await connection.execute(row.on_conflict_do_nothing().returning(blocks.c.sender_key))
        if written.first() is None:
            return False
        await record(connection, by[:64], "block", who.key[:ID_LENGTH], reason)
    return True


async def remove(store: Store, sender_key: str, *, by: str) -> bool:
    """Lift a block; false where there is none. Raises :class:`~gateway.store.engine.StoreUnavailable`."""
    async with store.write() as connection:
        gone = await connection.execute(delete(blocks).where(blocks.c.sender_key == sender_key))
        if not gone.rowcount:
            return False
        await record(connection, by[:64], "unblock", sender_key[:ID_LENGTH])
    return True


async def listed(store: Store, prefix: str = "") -> Sequence[Block]:
    """The blocks, the newest first; with ``prefix`` those whose id begins so."""
    query = select(blocks).order_by(blocks.c.at.desc(), blocks.c.sender_key)
    if prefix:
        query = query.where(blocks.c.sender_key.startswith(prefix, autoescape=True))
    async with store.read() as connection:
        return [Block(*row) for row in await connection.execute(query)]
