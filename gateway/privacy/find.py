"""Whom an operator means: an address as people write it, to the senders that the gateway knows by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import func, select

from channels.base import SenderKind
from gateway.channelset import ChannelConfig
from gateway.privacy.blank import NOBODY
from gateway.store.engine import Store
from gateway.store.operations import forgotten
from gateway.store.sql import among
from gateway.store.tables import messages, senders
from normalizer.event import decode
from normalizer.identity import sender_key

TYPES = ("sms", "telegram", "twitter", "email")
_HANDLE = re.compile(r"@[A-Za-z0-9_]{1,32}")
_USER_ID = re.compile(r"-?[1-9][0-9]{0,19}")


class Who(msgspec.Struct, frozen=True):
    """One sender: the address in its type's canonical form, and the key that the store knows it by."""

    type: str
    address: str
    kind: SenderKind
    key: str


class NotAnAddressError(ValueError):
    """No channel type (or not the one that was named) has addresses of this shape."""


def candidates(text: str, type_: str | None, secret: bytes, channels: Mapping[str, ChannelConfig]) -> list[Who]:
    """Everyone whom this address may name, by its shape alone; handles of X are left to :func:`behind_handle`.

    Raises :class:`NotAnAddressError`.
    """
    text = text.strip()
    found = {
        (kind, address): Who(kind, address, sort, sender_key(secret, kind, address))
        for kind, address, sort in _shapes(text, channels)
        if type_ in (None, kind)
    }
    if not found and not is_handle(text, type_):
        said = f"no address of the type {type_}" if type_ else "no address of any channel type"
        raise NotAnAddressError(said)
    return list(found.values())


def is_handle(text: str, type_: str | None) -> bool:
    """Whether it may be an account's handle on X, such as @warga."""
    return type_ in (None, "twitter") and _HANDLE.fullmatch(text.strip()) is not None


async def behind_handle(store: Store, text: str, secret: bytes) -> list[Who]:
    """The accounts of X that wrote under this handle. X's ids are the address; a handle may pass to another account."""
    handle = text.strip().lower()
    # An underscore is a wildcard of LIKE; what it finds too much is sorted out below.
    query = select(messages.c.document).where(
        messages.c.channel_type == "twitter",
        messages.c.sender_key != NOBODY,
        func.lower(messages.c.document).like(f"%{handle}%"),
    )
    found: dict[str, Who] = {}
    async with store.read() as connection:
        for document in (await connection.execute(query)).scalars():
            sender = decode(document.encode()).sender
            shown = sender.display_name.lower()
            if shown == handle or shown.endswith(f"({handle})"):
                key = sender_key(secret, "twitter", sender.address)
                found[key] = Who("twitter", sender.address, sender.kind, key)
    return list(found.values())


async def known(store: Store, whom: list[Who]) -> list[Who]:
    """Those of whom the store has something, or who were forgotten before."""
    keys = [who.key for who in whom]
    async with store.read() as connection:
        asked: list[Any] = [
            select(senders.c.key).where(among(senders.c.key, keys)),
            select(messages.c.sender_key).where(among(messages.c.sender_key, keys)).distinct(),
            select(forgotten.c.sender_key).where(among(forgotten.c.sender_key, keys)),
        ]
        there = {key for query in asked for key in (await connection.execute(query)).scalars()}
    return [who for who in whom if who.key in there]


def _shapes(text: str, channels: Mapping[str, ChannelConfig]) -> Iterator[tuple[str, str, SenderKind]]:
    # Not at the start: a channel that is not configured is not imported until somebody asks for such an address.
    from channels.email.addresses import canonical as canonical_mail
    from channels.sms.numbers import canonical as canonical_phone

    if mail := canonical_mail(text):
        yield "email", mail, "email"
        return
    if _HANDLE.fullmatch(text):
        return
    homes = {getattr(c.settings, "home_country", "ID") for c in channels.values() if c.spec.type == "sms"} or {"ID"}
    for home in sorted(homes):
        for international in (False, True):
            phone = canonical_phone(text, home, international=international)
            if phone.address:
                yield "sms", phone.address, phone.kind
    if _USER_ID.fullmatch(text):
        yield "telegram", text, "user_id"
        if not text.startswith("-"):
            yield "twitter", text, "user_id"
