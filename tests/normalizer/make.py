"""Inbound messages and normalizers for the tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from channels.base import InboundMessage, Sender
from normalizer.normalize import Normalizer

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PHONE = Sender("+6281234567890", "phone")


def normalizer(**options: Any) -> Normalizer:
    """The normalizer of an SMS channel."""
    return Normalizer("sms", "sms-telkomsel", **({"secret": b"secret", "regions": ("TANGKAB",)} | options))


def sms(text: str = "jalan rusak", **fields: Any) -> InboundMessage:
    """A short message of the citizen, as a dialect hands it in."""
    given: dict[str, Any] = {"sender": PHONE, "recipient": "1708", "provider_id": "0d3cf9e2", "text": text}
    return InboundMessage(**(given | fields))
