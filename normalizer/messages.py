"""The messages of the other topics: what downstream reads and writes (DESIGN sections 5 and 6).

Times are aware, written as RFC 3339; bytes are base64. Whatever equals its default is left out of the JSON. What
the gateway writes begins with ``schema``, its version; an agency's update needs none.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from channels.base import Attachment, Location
from normalizer.event import NO_WISHES, Language, Privacy, Time

CaseState = Literal["received", "forwarded", "in_progress", "answered", "closed"]
"""Diterima, Diteruskan, Diproses, Ditanggapi, Selesai."""

CaseChange = Literal[
    "opened",
    "message_added",
    "state_changed",
    "citizen_answered",
    "reply_delivered",
    "reply_failed",
    "attachment_stored",
    "attachment_failed",
    "forgotten",
]
DeliveryOutcome = Literal["sent", "delivered", "failed"]

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Number = Annotated[str, msgspec.Meta(pattern="^[0-9]{10}$")]
"""A tracking number: ten digits, nothing between them."""
UpdateText = Annotated[str, msgspec.Meta(max_length=20_000)]
"""An agency's words to a citizen."""
UpdateAgency = Annotated[str, msgspec.Meta(max_length=200)]
"""An agency's name as citizens read it."""


class CaseChannel(msgspec.Struct, frozen=True):
    """The way in: ``instance`` (``sms-telkomsel``) of ``type`` (``sms``)."""

    type: str
    instance: str


class CaseSender(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who complains. Absent from every message about a case whose citizen wants to stay anonymous."""

    address: str
    display_name: str = ""


class CaseEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag=1):
    """A case was opened or changed.

    ``number`` is its tracking number, ``state`` the state after the change, ``event_id`` the complaint event that
    brought it about (absent where an agency or a delivery did). ``subject``, ``text``, ``attachments`` and
    ``location`` are those of that event. ``sender`` is absent when ``privacy.anonymous`` is set.

    Files are fetched after the event. ``attachment_stored`` brings one of them, with its place in the blob store, its
    size and its sha256; ``attachment_failed`` says that one will not come, and ``reason`` why. Both name the file by
    the ``reference`` that the event gave, and bear no sender, subject or text.

    ``update_id`` is the agency's update that brought the change about: ``state_changed``, or ``citizen_answered``,
    with the agency's words as ``text`` where the citizen gets them and not only a sentence below a public post.
    ``reply_delivered`` and ``reply_failed`` tell what became of any reply about the case, as far as the provider says.

    ``forgotten`` tells that the citizen asked to be forgotten, or that the time for which cases are kept is over.
    Whoever reads it has to erase who it was and what they said, too; the number, times and states may stay.
    """

    id: Id
    number: Number
    change: CaseChange
    at: Time
    channel: CaseChannel
    state: CaseState
    event_id: str = ""
    sender: CaseSender | None = None
    subject: str = ""
    text: str = ""
    language: Language = ""
    region: str = ""
    privacy: Privacy = NO_WISHES
    attachments: tuple[Attachment, ...] = ()
    location: Location | None = None
    reason: str = ""
    update_id: str = ""


class CaseUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an agency says about a case: a new ``status``, a ``text`` for the citizen, or both.

    ``id`` is the agency's own and unlike any other agency's; the same id again does nothing, and with another number
    it is refused. ``agency`` is its name as citizens read it. ``at`` is when it was written: a status that is older
    than the one the case has does not take it back, its text is passed on all the same.
    """

    id: Id
    number: Number
    status: CaseState | None = None
    text: UpdateText = ""
    agency: UpdateAgency = ""
    at: Time


class DeliveryEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag=1):
    """What became of a reply to a citizen.

    ``delivery`` is the reply, ``number`` the case it speaks of, if any, ``channel`` the instance. ``sent`` is the
    provider's yes at this ``attempt`` (counted from 1), ``delivered`` its receipt, ``failed`` the end of all
    attempts, or a receipt that says so; a receipt has attempt 0. ``reason`` tells an operator why.
    """

    id: Id
    delivery: str
    number: str = ""
    channel: str
    outcome: DeliveryOutcome
    attempt: int
    at: Time
    reason: str = ""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag=1):
    """A message that could not be handled, with its raw bytes, for an operator to look at and to replay.

    ``stage`` tells where it stuck (``intake``, ``decode``, ``dispatch``, ``deliver``, ``case_update``), ``reason`` is
    a short machine word and ``detail`` a line for people. ``channel`` is the instance, an empty string where none is
    at fault. ``event_id`` is the id of the event, or of the reply, that it was.
    """

    id: Id
    stage: str
    channel: str = ""
    reason: str
    detail: str = ""
    at: Time
    event_id: str = ""
    raw: bytes = b""
    raw_type: str = "application/octet-stream"


_encoder = msgspec.json.Encoder()
_case_updates = msgspec.json.Decoder(CaseUpdate)


def encode(message: CaseEvent | CaseUpdate | DeliveryEvent | DeadLetter) -> bytes:
    """The message as one JSON document (UTF-8, no line breaks)."""
    return _encoder.encode(message)


def decode_case_update(document: bytes) -> CaseUpdate:
    """The case update of a JSON document; unknown fields are ignored.

    Raises :class:`msgspec.ValidationError`, which names the field, or :class:`msgspec.DecodeError`.
    """
    return _case_updates.decode(document)
