"""Who and which: the id of an event, the key of a sender, the fingerprint of a content.

All three are BLAKE2b over a JSON array of fields, so that no two different lists of fields give the same bytes.
They are the same in every process and every release: a change here makes every redelivered message look new.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from channels.base import InboundKind, InboundMessage

_SIZE = 16
_encoder = msgspec.json.Encoder()
# Begun hashes, one a purpose; a copy takes half the time of a new one.
_EVENT = hashlib.blake2b(digest_size=_SIZE, person=b"lapor.event.v1")
_CONTENT = hashlib.blake2b(digest_size=_SIZE, person=b"lapor.content.v1")
_SENDER = b"lapor.sender.v1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def event_id(
    *,
    instance: str,
    sender: str,
    provider_id: str | None,
    kind: InboundKind,
    edited_at: datetime | None = None,
    content: str,
) -> str:
    """32 hex digits: the same for every redelivery of one provider message.

    ``content`` is its :func:`fingerprint`. Without a provider id there is no telling a redelivery from the same
    words said twice, so the id is a fresh random one.
    """
    if not provider_id:
        return secrets.token_hex(_SIZE)
    edited = "" if edited_at is None else str(_microseconds(edited_at))
    return _hash(_EVENT, (instance, sender, provider_id, kind, edited, content))


def joined_id(*, instance: str, sender: str, ref: str, first: str) -> str:
    """The id of the message that parts make: of their set, and of the first part that is there."""
    return _hash(_EVENT, (instance, sender, "joined", ref, first))


def sender_key(secret: bytes, channel_type: str, address: str) -> str:
    """32 hex digits that stand for a sender over all instances of a type, and tell nobody the address.

    ``secret`` has at most 64 bytes (BLAKE2b's key).
    """
    return _hash(_keyed(secret), (channel_type, address))


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_SIZE, key=secret, person=_SENDER)


def fingerprint(message: InboundMessage) -> str:
    """32 hex digits over what a message says, as given; transport headers, times and raw bytes are left out."""
    fields = [message.subject, message.text]
    if part := message.part:
        fields += ("part", part.ref, str(part.index), str(part.total))
    if receipt := message.receipt:
        fields += ("receipt", receipt.outcome, receipt.code, receipt.delivery)
    if place := message.location:
        fields += ("location", repr(place.latitude), repr(place.longitude), place.name)
    for file in message.attachments:
        fields += ("attachment", file.name, file.media_type, file.sha256 or file.reference)
    return _hash(_CONTENT, fields)


def _hash(begun: hashlib.blake2b, fields: Sequence[str]) -> str:
    """The hash of the fields as a JSON array, so that none runs into the next.

    Lone surrogates, which providers do send, cannot stand in JSON: then the fields are UTF-8 in hexadecimal.
    """
    digest = begun.copy()
    try:
        digest.update(_encoder.encode(fields))
    except UnicodeEncodeError:
        spelled = (field.encode("utf-8", "surrogatepass").hex() for field in fields)
        digest.update(_encoder.encode(["surrogates", *spelled]))
    return digest.hexdigest()


def _microseconds(moment: datetime) -> int:
    """Since 1970. A moment without an offset counts as UTC; no moment is out of range."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
