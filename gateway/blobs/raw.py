"""Raw payloads: small ones travel in the event, large ones lie in the blob store and the event names their place."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from channels.base import InboundMessage
from gateway.blobs.base import BLOCK, Blobs, key_for
from normalizer.event import ComplaintEvent

LARGEST_IN_EVENT = 64 * 1024
"""Bytes of raw payload that still travel in the event (DESIGN section 5)."""


async def keep_raw(message: InboundMessage, blobs: Blobs) -> str:
    """Store a large payload durably; returns its place, ``""`` for a small one, which stays in the event.

    The key is made of the sender, the provider's id and the bytes: a redelivery overwrites what the first delivery
    stored, a payload whose event could not be appended is stored again under the same key when the provider tries
    again, and no other sender's payload shares it. Raises :class:`~gateway.blobs.base.BlobsUnavailable`.
    """
    raw = message.raw
    if len(raw) <= LARGEST_IN_EVENT:
        return ""
    digest = await asyncio.to_thread(lambda: hashlib.sha256(raw).hexdigest())
    key = key_for("raw", _spelled(message.sender.address), _spelled(message.provider_id or ""), digest)
    return (await blobs.put(_blocks(raw), key=key, limit=len(raw))).key


async def raw_of(event: ComplaintEvent, blobs: Blobs) -> bytes:
    """The untouched payload of an event, wherever it is; ``b""`` where there never was one.

    Raises :class:`~gateway.blobs.base.BlobMissing` and :class:`~gateway.blobs.base.BlobsUnavailable`.
    """
    if event.raw is None:
        return b""
    return await blobs.get(event.raw.stored) if event.raw.stored else event.raw.data


def _spelled(text: str) -> str:
    """The text in ASCII: a lone surrogate, which providers do send, has no UTF-8."""
    return ascii(text)


async def _blocks(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), BLOCK):
        yield raw[start : start + BLOCK]
