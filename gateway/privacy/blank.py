"""What is left of a document once its citizen is forgotten. Pure.

Every result is still a valid document of its kind, so that whatever decodes it goes on working: what told of a person
is empty, ids, times, kinds and states stay.
"""

from __future__ import annotations

import msgspec

from channels.base import Part, Receipt
from gateway.evidence import MEDIA_TYPE, KeptRequest
from normalizer.event import NOWHERE, ComplaintEvent, EventChannel, EventSender, Raw
from normalizer.messages import CaseEvent, CaseUpdate, DeadLetter

NOBODY = ""
"""The sender's key on rows of the store whose citizen was forgotten: no sender has it."""


def blank_event(event: ComplaintEvent, *, key: str = NOBODY, stored: str = "") -> ComplaintEvent:
    """The event without address, name, words, place, files, payload and the provider's ids of message and thread.

    ``key`` is the sender's key that is kept on it, and ``stored`` the place of a payload in the blob store that is
    still to be erased.
    """
    part, receipt = event.part, event.receipt
    return ComplaintEvent(
        id=event.id,
        kind=event.kind,
        channel=EventChannel(event.channel.type, event.channel.instance, "", NOWHERE),
        sender=EventSender(key, "", event.sender.kind),
        sent_at=event.sent_at,
        received_at=event.received_at,
        language=event.language,
        intent=event.intent,
        new_case=event.new_case,
        privacy=event.privacy,
        # The reference of an album begins with the chat's id, which in private is the citizen's.
        part=Part("", part.index, part.total) if part else None,
        receipt=Receipt(receipt.outcome, code=receipt.code) if receipt else None,
        incomplete=event.incomplete,
        automated=event.automated,
        raw=Raw("", 0, stored=stored) if stored else None,
    )


def blank_case_event(event: CaseEvent) -> CaseEvent:
    """The news of a case without its citizen's, or an agency's, words."""
    return msgspec.structs.replace(event, sender=None, subject="", text="", attachments=(), location=None)


def blank_update(update: CaseUpdate) -> CaseUpdate:
    """An agency's update without its words to the citizen."""
    return msgspec.structs.replace(update, text="")


def blank_letter(letter: DeadLetter) -> DeadLetter:
    """A dead letter without what could not be handled; there is nothing left to replay."""
    return msgspec.structs.replace(letter, raw=b"", detail="")


def payload(raw: bytes, raw_type: str) -> bytes:
    """The bytes of a dead letter in which an address may stand: of a kept request its query and body."""
    if raw_type != MEDIA_TYPE:
        return raw
    try:
        kept = msgspec.json.decode(raw, type=KeptRequest)
    except msgspec.DecodeError:
        return raw
    return kept.query + b"\n" + kept.body
