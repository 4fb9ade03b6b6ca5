"""Finding a case or a message by what an operator has in hand: a number, a message's id, or who wrote.

The term is never written anywhere: it may be an address. Whoever is looked for by address is found by the keyed
hash of it, so that nothing needs an index of addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import SenderKind
from channels.redaction import HIDDEN, mask_address
from gateway.channelset import ChannelConfig
from gateway.privacy.find import TYPES, NotAnAddressError, candidates
from gateway.store.engine import Store
from gateway.store.sql import among
from gateway.store.tables import cases, deliveries, messages, outbox, senders
from normalizer.identity import sender_key
from normalizer.tracking import read_number

LONGEST = 320
"""Characters of a term: a mail address has no more."""
MOST = 50
"""Cases, and messages, that a search shows: the newest."""

_OUR_ID = re.compile(r"[0-9a-f]{32}")
_POST = re.compile(r"(?:https?://)?(?:www\.|mobile\.)?(?:x|twitter)\.com/[^/\s]+/status/(\d{1,20})\b", re.IGNORECASE)

By = Literal["number", "message", "sender"]


class CaseHit(msgspec.Struct, frozen=True):
    """A case that was found; ``sender`` is masked. ``by`` tells what the term turned out to be."""

    by: By
    number: str
    state: str
    channel: str
    opened_at: float
    anonymous: bool
    confidential: bool
    sender: str


class MessageHit(msgspec.Struct, frozen=True):
    """A message that was found, with or without a case."""

    by: By
    event_id: str
    channel: str
    received_at: float
    disposition: str
    number: str


class Found(msgspec.Struct, frozen=True):
    """What a search found, the newest first; ``more`` tells that there was more than it shows."""

    cases: tuple[CaseHit, ...] = ()
    messages: tuple[MessageHit, ...] = ()
    more: bool = False

    @property
    def by(self) -> tuple[By, ...]:
        """What the term turned out to be."""
        found = {hit.by for hit in self.cases} | {hit.by for hit in self.messages}
        return tuple(sorted(found))


async def search(
    store: Store, term: str, *, channels: Mapping[str, ChannelConfig], secret: bytes, unnamed: bool
) -> Found:
    """Look for a term among numbers, message ids and senders.

    ``channels`` are those of the settings, ``secret`` is the key of senders' hashes. Without
    ``unnamed`` the cases of citizens who asked to stay unnamed are not found by their address: that would tell who
    they are. Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    term = term.strip()[:LONGEST]
    if not term:
        return Found()
    keys = sender_keys(term, secret, channels)
    async with store.read() as connection:
        by_number = await _by_number(connection, read_number(term))
        by_id = await _by_id(connection, term, list(channels))
        from_sender = await _of_senders(connection, keys)
        rows = [("number", row) for row in by_number]
        rows += [("sender", row) for row in from_sender[:MOST] if unnamed or not row.anonymous]
        named = await _senders(connection, {row.sender_key for _, row in rows})
        written = await _messages_of(connection, keys)
    found = {row.number: _case(by, row, named) for by, row in reversed(rows)}
    said = [("message", row) for row in by_id]
    said += [("sender", row) for row in written[:MOST] if row.case_number is None]
    heard = {row.event_id: _message(by, row) for by, row in reversed(said)}
    return Found(
        tuple(sorted(found.values(), key=lambda hit: -hit.opened_at)),
        tuple(sorted(heard.values(), key=lambda hit: -hit.received_at)),
        len(from_sender) > MOST or len(written) > MOST,
    )


def sender_keys(term: str, secret: bytes, channels: Mapping[str, ChannelConfig]) -> set[str]:
    """The keys of everyone whom the term may name: by its shape, and on types of which no shape is known by itself."""
    others = {config.spec.type for config in channels.values()} - set(TYPES)
    keys = {sender_key(secret, kind, term) for kind in others}
    try:
        return keys | {who.key for who in candidates(term.removeprefix("mailto:"), None, secret, channels)}
    except NotAnAddressError:
        return keys


def message_id(term: str) -> str:
    """The provider's id that a term names: itself, or the post that an address of X leads to."""
    post = _POST.search(term)
    return post[1] if post else term


async def _by_number(connection: AsyncConnection, number: str | None) -> Sequence[Any]:
    if number is None:
        return ()
    return (await connection.execute(select(cases).where(cases.c.number == number))).all()


async def _by_id(connection: AsyncConnection, term: str, channels: Sequence[str]) -> Sequence[Any]:
    """Messages by our id, by the provider's, and by either id of a reply to them."""
    ids: set[str] = set()
    if _OUR_ID.fullmatch(term.lower()):
        ids.add(term.lower())
    named = message_id(term)
    ours = select(outbox.c.event_id).where(outbox.c.id == term.lower())
    ids |= set((await connection.execute(ours)).scalars())
    sent = (
        select(outbox.c.event_id)
        .join(deliveries, deliveries.c.outbox_id == outbox.c.id)
        .where(
            among(deliveries.c.channel, channels),
            deliveries.c.provider_id == named,
            deliveries.c.provider_id != "",
        )
        .limit(MOST)
    )
    ids |= set((await connection.execute(sent)).scalars())
    theirs = select(*_HEARD).where(
        among(messages.c.channel, channels), messages.c.provider_id == named, messages.c.provider_id != ""
    )
    found = {row.event_id: row for row in await connection.execute(theirs.limit(MOST))}
    if ids:
        known = select(*_HEARD).where(among(messages.c.event_id, ids))
        found |= {row.event_id: row for row in await connection.execute(known)}
    return list(found.values())


async def _of_senders(connection: AsyncConnection, keys: set[str]) -> Sequence[Any]:
    query = select(cases).where(among(cases.c.sender_key, keys)).order_by(cases.c.opened_at.desc())
    return (await connection.execute(query.limit(MOST + 1))).all()


async def _messages_of(connection: AsyncConnection, keys: set[str]) -> Sequence[Any]:
    query = select(*_HEARD).where(among(messages.c.sender_key, keys)).order_by(messages.c.received_at.desc())
    return (await connection.execute(query.limit(MOST + 1))).all()


async def _senders(connection: AsyncConnection, keys: set[str]) -> dict[str, Any]:
    query = select(senders.c.key, senders.c.kind, senders.c.address).where(among(senders.c.key, keys))
    return {row.key: row for row in await connection.execute(query)}


def _case(by: By, row: Any, named: dict[str, Any]) -> CaseHit:
    return CaseHit(
        by,
        row.number,
        row.state,
        row.channel,
        row.opened_at,
        row.anonymous,
        row.confidential,
        _masked(row, named.get(row.sender_key)),
    )


def _masked(case: Any, sender: Any) -> str:
    if case.anonymous or case.confidential or sender is None:
        return HIDDEN
    kind: SenderKind = sender.kind
    return mask_address(kind, sender.address)


def _message(by: By, row: Any) -> MessageHit:
    return MessageHit(by, row.event_id, row.channel, row.received_at, row.disposition, row.case_number or "")


# Not the document: a page of hits needs none of it.
_HEARD = (
    messages.c.event_id,
    messages.c.channel,
    messages.c.received_at,
    messages.c.disposition,
    messages.c.case_number,
)
