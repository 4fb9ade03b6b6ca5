"""A reply as a row of the outbox, and what downstream hears of its end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from channels.base import Thread
from normalizer.event import ComplaintEvent, Privacy
from normalizer.messages import CaseChannel, CaseEvent

_json = msgspec.json.Encoder()

PRIVATELY = "_privately"
"""Behind the template's name of a message that goes to the sender alone beside a reply that others read."""


def outbox_row(
    event: ComplaintEvent,
    text: str,
    *,
    template: str,
    case_number: str | None,
    asked_at: float,
    now: float,
    below: bool = True,
    apart: bool = False,
) -> dict[str, Any]:
    """The row of a reply to the sender of ``event``, in the event's thread; times are Unix seconds.

    ``asked_at`` is when what is answered came in, for the measured latency. ``below`` is off for a message that only
    stands in the same conversation and answers nothing in it. ``apart`` is on for one that goes to the sender alone,
    though ``event`` was public.
    """
    return {
        "id": _new_id(now),
        "channel_type": event.channel.type,
        "channel": event.channel.instance,
        "sender_key": event.sender.key,
        "address": event.sender.address,
        "subject": event.subject if below and not apart else "",
        "text": text,
        "thread": _json.encode(Thread() if apart else _thread(event, below=below)).decode(),
        "template": f"{template}{PRIVATELY}" if apart else template,
        "case_number": case_number,
        "event_id": event.id,
        "received_at": asked_at,
        "created_at": now,
        "state": "waiting",
        "due_at": now,
    }


def reachable_apart(event: ComplaintEvent, private_types: Collection[str]) -> bool:
    """Whether the platform may let us write to the sender of ``event`` alone; ``private_types`` have such messages."""
    # Telegram's groups and channels write under their own ids, which are negative: there, others would read along.
    return event.channel.type in private_types and not event.sender.address.startswith("-")


def reply_told(
    case: Any, delivery: str, change: Literal["reply_delivered", "reply_failed"], at: float, reason: str
) -> CaseEvent:
    """What downstream hears of the reply ``delivery`` about ``case``, a row of ``cases`` or its facts."""
    return CaseEvent(
        id=hashlib.sha256(f"{delivery}:{change}".encode()).hexdigest()[:32],
        number=case.number,
        change=change,
        at=datetime.fromtimestamp(at, UTC),
        channel=CaseChannel(case.channel_type, case.channel),
        state=case.state,
        region=case.region,
        privacy=Privacy(case.anonymous, case.confidential),
        reason=reason,
    )


def _new_id(now: float) -> str:
    """32 hex digits: 48 bits of milliseconds, then 80 of chance, much as in a UUID of version 7 (RFC 9562).

    Nobody can guess one, and what is written at one time lies together in the indexes: in a store of a million replies
    an id of chance alone has the database read and write a page for each, in three indexes.
    """
    return f"{int(1000 * now):012x}{secrets.token_hex(10)}"


def _thread(event: ComplaintEvent, *, below: bool) -> Thread:
    thread, message = event.channel.thread, event.channel.message_id
    if not below:
        return msgspec.structs.replace(thread, replies_to=())
    return msgspec.structs.replace(thread, replies_to=(message, *thread.replies_to)) if message else thread
