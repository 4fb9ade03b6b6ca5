"""Events, cases and senders for tables, with what does not matter filled in."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.dispatcher.facts import CaseFacts, SenderFacts
from normalizer.event import ComplaintEvent, EventChannel, EventSender

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
CITIZEN = "key-of-the-citizen"
STRANGER = "key-of-a-stranger"
_ids = itertools.count(1)


def event(text: str = "jalan rusak", *, after: float = 0.0, **more: Any) -> ComplaintEvent:
    """An SMS of the citizen, ``after`` seconds past noon UTC."""
    number = next(_ids)
    fields: dict[str, Any] = {
        "id": f"event-{number}",
        "channel": EventChannel("sms", "sms", f"provider-{number}"),
        "sender": EventSender(CITIZEN, "+6281234567890", "phone"),
        "received_at": NOON + timedelta(seconds=after),
        "text": text,
    }
    return ComplaintEvent(**(fields | more))


def case(number: str = "4829137065", *, sender: str = CITIZEN, **more: Any) -> CaseFacts:
    """A case opened ten minutes before noon."""
    opened = NOON.timestamp() - 600
    fields: dict[str, Any] = {
        "number": number,
        "sender_key": sender,
        "channel_type": "sms",
        "channel": "sms",
        "state": "received",
        "anonymous": False,
        "confidential": False,
        "language": "id",
        "region": "",
        "opened_at": opened,
        "updated_at": opened,
    }
    return CaseFacts(**(fields | more))


def sender(**more: Any) -> SenderFacts:
    """The citizen."""
    return SenderFacts(CITIZEN, "sms", "+6281234567890", "phone", **more)
