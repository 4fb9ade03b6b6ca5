"""The complaint event: the one shape that every channel's messages take on the log (DESIGN section 5).

Schema version 1. Times are aware UTC datetimes, written as RFC 3339. Whatever equals its default is left out of
the JSON, except ``schema``, which stands first in every document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from channels.base import Attachment, InboundKind, Location, Part, Receipt, SenderKind, Thread

SCHEMA_VERSION = 1

Intent = Literal["complaint", "follow_up", "status", "help", "stop", "empty"]
Language = Literal["id", "en", "jv", "su", ""]
"""ISO 639-1; ``""`` where the text is too short to tell."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware datetime; a document without an offset is refused."""


NOWHERE = Thread()
"""No thread: a default is left out of the JSON only where it is this very object."""


class EventChannel(msgspec.Struct, frozen=True, omit_defaults=True):
    """The way in: ``instance`` (``sms-telkomsel``) of ``type`` (``sms``); ``message_id`` is the provider's, if any."""

    type: str
    instance: str
    message_id: str = ""
    thread: Thread = NOWHERE


class EventSender(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who wrote. ``key`` is the keyed hash of type and address: the same person over all instances of a type."""

    key: str
    address: str
    kind: SenderKind
    display_name: str = ""


class Privacy(msgspec.Struct, frozen=True):
    """Two independent wishes: the identity is kept from the agencies; the report is not published."""

    anonymous: bool = False
    confidential: bool = False


NO_WISHES = Privacy()


class Raw(msgspec.Struct, frozen=True, omit_defaults=True):
    """The untouched payload: ``data`` (base64 in JSON), or ``stored``, its place in the blob store when it is large."""

    media_type: str
    size: int
    data: bytes = b""
    stored: str = ""


class ComplaintEvent(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag=SCHEMA_VERSION
):
    """One citizen's message, normalised.

    ``id`` is the same for every redelivery of the same provider message, whatever process computes it.
    ``text`` is NFC without control characters; ``original`` is what the citizen typed where that differs.
    ``numbers`` are the tracking numbers that the text names, in order, check digit right; ``bad_numbers`` those
    that look like one but fail the check digit. ``region`` is the 1708 region keyword in front.
    ``new_case`` tells that the text began with ``LAPOR BARU``. ``authentication`` is what our own mail server found
    out about the sender, result by method (RFC 8601).
    """

    id: str
    kind: InboundKind = "message"
    channel: EventChannel
    sender: EventSender
    recipient: str = ""
    sent_at: Time | None = None
    received_at: Time
    subject: str = ""
    text: str = ""
    original: str = ""
    quoted: str = ""
    language: Language = ""
    intent: Intent = "complaint"
    new_case: bool = False
    numbers: tuple[str, ...] = ()
    bad_numbers: tuple[str, ...] = ()
    region: str = ""
    privacy: Privacy = NO_WISHES
    location: Location | None = None
    attachments: tuple[Attachment, ...] = ()
    part: Part | None = None
    receipt: Receipt | None = None
    incomplete: bool = False
    automated: str = ""
    authentication: dict[str, str] = {}
    raw: Raw | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ComplaintEvent)


def encode(event: ComplaintEvent) -> bytes:
    """The event as one JSON document (UTF-8, no line breaks)."""
    return _encoder.encode(event)


def decode(document: bytes) -> ComplaintEvent:
    """The event of a JSON document; unknown fields of later writers are ignored.

    Raises :class:`msgspec.ValidationError` (another ``schema`` among others) or :class:`msgspec.DecodeError`.
    """
    return _decoder.decode(document)
