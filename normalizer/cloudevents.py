"""The CloudEvents 1.0 attributes of a record, as headers of a Kafka message in binary mode.

Source: CloudEvents 1.0.2, and its Kafka protocol binding 1.0.2, section 3.2: each attribute is a header with the
prefix ``ce_``, its value UTF-8; the media type of the value is the header ``content-type``. No header holds an
address.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

import msgspec

from normalizer.event import ComplaintEvent
from normalizer.messages import CaseEvent, CaseUpdate, DeadLetter, DeliveryEvent, DeliveryOutcome

COMPLAINT_RECEIVED = "id.go.lapor.complaint.received.v1"
CASE_OPENED = "id.go.lapor.case.opened.v1"
CASE_CHANGED = "id.go.lapor.case.changed.v1"
CASE_UPDATE = "id.go.lapor.case.update.v1"
DELIVERY_SENT = "id.go.lapor.delivery.sent.v1"
DELIVERY_DELIVERED = "id.go.lapor.delivery.delivered.v1"
DELIVERY_FAILED = "id.go.lapor.delivery.failed.v1"
DEAD_LETTER = "id.go.lapor.deadletter.v1"

CONTENT_TYPE = "application/json"

_FIXED = (("ce_specversion", b"1.0"), ("content-type", CONTENT_TYPE.encode()))
DELIVERY_TYPES: dict[DeliveryOutcome, str] = {
    "sent": DELIVERY_SENT,
    "delivered": DELIVERY_DELIVERED,
    "failed": DELIVERY_FAILED,
}

Headers = tuple[tuple[str, bytes], ...]
_encoder = msgspec.json.Encoder()
Message = ComplaintEvent | CaseEvent | CaseUpdate | DeliveryEvent | DeadLetter


class NotCloudEventError(ValueError):
    """The headers of a record are not those of a CloudEvent in binary mode with a JSON value."""


class Attributes(msgspec.Struct, frozen=True):
    """What the headers tell: ``subject`` is the channel instance or the case's number, ``""`` where it is absent."""

    id: str
    type: str
    source: str
    time: datetime | None = None
    subject: str = ""


def headers(message: Message, source: str) -> Headers:
    """The headers of a message; ``source`` is a URI reference that names this gateway.

    Raises :class:`ValueError` for an empty source.
    """
    if not source:
        raise ValueError("a CloudEvent needs a source")
    kind, at, subject = _described(message)
    pairs = (
        *_FIXED,
        ("ce_id", message.id.encode()),
        *_repeated(kind, source),
        # A JSON string of RFC 3339; the quotes go.
        ("ce_time", _encoder.encode(at)[1:-1]),
    )
    return (*pairs, ("ce_subject", subject.encode())) if subject else pairs


@lru_cache(maxsize=64)
def _repeated(kind: str, source: str) -> Headers:
    """What the headers of every message of a kind have in common."""
    return ("ce_type", kind.encode()), ("ce_source", source.encode())


def read(headers: Iterable[tuple[str, bytes]]) -> Attributes:
    """The attributes that a record's headers hold; extensions and other headers are passed over.

    Raises :class:`NotCloudEventError` where a required attribute is missing, empty, doubled or not UTF-8, where the
    version is not 1.0, the time not RFC 3339, or the value said to be something other than JSON.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if name not in _KNOWN:
            continue
        if name in found:
            raise NotCloudEventError(f"{name} stands there twice")
        try:
            found[name] = value.decode()
        except UnicodeDecodeError as error:
            raise NotCloudEventError(f"{name} is not UTF-8") from error
    for name in _REQUIRED:
        if not found.get(name):
            raise NotCloudEventError(f"{name} is missing")
    if found["ce_specversion"] != "1.0":
        raise NotCloudEventError("ce_specversion is not 1.0")
    media_type = found.get("content-type", CONTENT_TYPE).split(";")[0].strip().lower()
    if media_type != CONTENT_TYPE and not media_type.endswith("+json"):
        raise NotCloudEventError("content-type is not JSON")
    return Attributes(
        id=found["ce_id"],
        type=found["ce_type"],
        source=found["ce_source"],
        time=_time(found["ce_time"]) if "ce_time" in found else None,
        subject=found.get("ce_subject", ""),
    )


_REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source")
_KNOWN = frozenset({*_REQUIRED, "ce_time", "ce_subject", "content-type"})


def _described(message: Message) -> tuple[str, datetime, str]:
    """Type, time and subject."""
    match message:
        case ComplaintEvent():
            return COMPLAINT_RECEIVED, message.received_at, message.channel.instance
        case CaseEvent():
            return CASE_OPENED if message.change == "opened" else CASE_CHANGED, message.at, message.number
        case CaseUpdate():
            return CASE_UPDATE, message.at, message.number
        case DeliveryEvent():
            return DELIVERY_TYPES[message.outcome], message.at, message.number
        case DeadLetter():
            return DEAD_LETTER, message.at, message.channel


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise NotCloudEventError("ce_time is not a time of RFC 3339") from error
    if time.tzinfo is None:
        raise NotCloudEventError("ce_time has no offset")
    return time
