"""Dead letters of the dispatcher: an event that fails again and again, a letter that the store refuses, odd bytes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from gateway.eventlog.base import Taken
from normalizer.event import ComplaintEvent
from normalizer.messages import DeadLetter, encode
from normalizer.text import storable

NAME_LENGTH = 64
"""Characters of a channel's name or an event's id that the store holds."""


def letter_of_event(event: ComplaintEvent, error: Exception) -> DeadLetter:
    """An event that made its transaction fail, alone too."""
    return DeadLetter(
        id=hashlib.sha256(event.id.encode()).hexdigest()[:32],
        stage="dispatch",
        # What the store could not hold in the event it must be able to hold in the letter.
        channel=storable(event.channel.instance)[:NAME_LENGTH],
        reason=type(error).__name__,
        detail="the dispatcher failed on this event; its log has the traceback",
        at=datetime.now(UTC),
        event_id=storable(event.id)[:NAME_LENGTH],
        raw=msgspec.json.encode(event),
        raw_type="application/json",
    )


def letter_of_letter(letter: DeadLetter, error: Exception) -> DeadLetter:
    """A letter about a letter that the store cannot hold."""
    raw = encode(letter)
    return DeadLetter(
        id=hashlib.sha256(raw).hexdigest()[:32],
        stage="dispatch",
        channel=storable(letter.channel)[:NAME_LENGTH],
        reason=type(error).__name__,
        detail="the store cannot hold this dead letter; its log has the traceback",
        at=datetime.now(UTC),
        raw=raw,
        raw_type="application/json",
    )


def letter_of_bytes(one: Taken, error: Exception) -> DeadLetter:
    """A record that is no event; known by its place on the log and its bytes."""
    place = f"{one.record.topic}/{one.partition}/{one.offset}"
    return DeadLetter(
        id=hashlib.sha256(place.encode() + one.record.value).hexdigest()[:32],
        stage="decode",
        channel="",
        reason="undecodable",
        detail=f"{place}: {error}"[:500],
        at=datetime.now(UTC),
        raw=one.record.value,
        raw_type="application/octet-stream",
    )
