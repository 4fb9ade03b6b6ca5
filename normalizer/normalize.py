"""From an inbound message to the event: the one place where the pure functions of this package meet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from channels.base import Attachment, InboundMessage, Location, Part, Receipt, Thread
from normalizer import identity, language, privacy
from normalizer.event import NOWHERE, ComplaintEvent, EventChannel, EventSender, Intent, Language, Privacy, Raw
from normalizer.intent import Grammar
from normalizer.text import clean, line, storable
from normalizer.words import WORDS, IntentWords

MAX_TEXT = 20_000
"""Characters of ``text``, ``original`` and ``quoted`` each; the raw payload keeps all."""
MAX_SECRET = 64
_MAX_COUNT = 2**53
_UNREAD = frozenset({"part", "receipt"})
"""Kinds whose text is no whole message, so that nothing is read from it."""


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an event that come from its words."""

    subject: str
    text: str
    original: str
    language: Language = ""
    intent: Intent = "complaint"
    new_case: bool = False
    numbers: tuple[str, ...] = ()
    bad_numbers: tuple[str, ...] = ()
    region: str = ""
    privacy: Privacy = privacy.NONE

    @property
    def asks_more(self) -> bool:
        """Whether any of the last five, which few messages utter, is there."""
        return bool(self.new_case or self.numbers or self.bad_numbers or self.region) or self.privacy != privacy.NONE


class Normalizer:
    """Makes the events of one channel instance.

    ``secret`` keys the hash of senders' addresses: the same for all channels and processes of a gateway, 1 to 64
    bytes (:class:`ValueError` otherwise). ``regions`` are the region keywords of 1708.
    """

    def __init__(
        self,
        channel_type: str,
        instance: str,
        *,
        secret: bytes,
        regions: Sequence[str] = (),
        words: IntentWords = WORDS,
    ) -> None:
        if not 1 <= len(secret) <= MAX_SECRET:
            raise ValueError(f"the secret of sender keys has 1 to {MAX_SECRET} bytes, not {len(secret)}")
        self._type = channel_type
        self._instance = instance
        self._secret = secret
        self._grammar = Grammar(words, regions)

    def event(self, message: InboundMessage, received_at: datetime, *, raw_stored: str = "") -> ComplaintEvent:
        """The event of a message, received by us at ``received_at`` (aware).

        ``raw_stored`` is the place of the raw payload in the blob store; without it the payload travels in the
        event. Raises nothing, whatever a channel hands in: what JSON or the store cannot hold is replaced, what is
        too long is cut, and the raw payload has it all.
        """
        more = bool(message.attachments or message.location)
        if message.kind in _UNREAD:
            said = _unread(message.text, message.subject)
        else:
            said = self._read(message.text, message.subject, more=more)
        sender = message.sender
        # Python passes up to 15 keywords as they are and more in a dictionary, which takes longer than this whole
        # call: so the fields that few messages have are put in afterwards.
        event = ComplaintEvent(
            id=identity.event_id(
                instance=self._instance,
                sender=sender.address,
                provider_id=message.provider_id,
                kind=message.kind,
                edited_at=message.edited_at,
                content=identity.fingerprint(message),
            ),
            kind=message.kind,
            channel=EventChannel(self._type, self._instance, line(message.provider_id or ""), _thread(message.thread)),
            sender=EventSender(
                identity.sender_key(self._secret, self._type, sender.address),
                line(sender.address),
                sender.kind,
                line(sender.display_name),
            ),
            recipient=line(message.recipient),
            sent_at=_utc(message.sent_at) if message.sent_at else None,
            received_at=_utc(received_at),
            subject=said.subject,
            text=said.text,
            original=said.original,
            language=said.language,
            intent=said.intent,
            raw=_raw(message, raw_stored),
        )
        if said.asks_more:
            event = msgspec.structs.replace(
                event,
                new_case=said.new_case,
                numbers=said.numbers,
                bad_numbers=said.bad_numbers,
                region=said.region,
                privacy=said.privacy,
            )
        if more or message.quoted or message.part or message.receipt or message.automated or message.authentication:
            event = msgspec.structs.replace(
                event,
                quoted=clean(message.quoted[:MAX_TEXT]),
                location=_location(message.location),
                attachments=tuple(map(_attachment, message.attachments)),
                part=_part(message.part),
                receipt=_receipt(message.receipt),
                automated=line(message.automated),
                authentication={line(method): line(result) for method, result in message.authentication.items()},
            )
        return event

    def joined(self, parts: Sequence[ComplaintEvent], *, incomplete: bool) -> ComplaintEvent:
        """The one message that the parts of a long SMS or an album make, in the order of their index.

        A part that came twice counts once. What the text asks for is read anew. ``incomplete`` tells that parts
        are missing. The parts keep the raw payloads. Raises :class:`ValueError` for no parts at all.
        """
        if not parts:
            raise ValueError("no parts to join")
        once: dict[tuple[object, ...], ComplaintEvent] = {}
        for part in sorted(parts, key=lambda part: (_index(part), part.received_at, part.id)):
            once.setdefault((_index(part), part.text, part.attachments), part)
        ordered = list(once.values())
        first = ordered[0]
        attachments = tuple(file for part in ordered for file in part.attachments)
        # An album's captions are texts of their own; an SMS is cut anywhere.
        between = "\n" if attachments else ""
        location = next((part.location for part in ordered if part.location), None)
        said = self._read(
            between.join(part.original or part.text for part in ordered),
            first.subject,
            more=bool(attachments or location),
        )
        return msgspec.structs.replace(
            first,
            id=identity.joined_id(
                instance=first.channel.instance,
                sender=first.sender.address,
                ref=first.part.ref if first.part else "",
                first=first.id,
            ),
            kind="message",
            sent_at=min((part.sent_at for part in ordered if part.sent_at), default=None),
            received_at=min(part.received_at for part in parts),
            location=location,
            attachments=attachments,
            automated=next((part.automated for part in ordered if part.automated), ""),
            incomplete=incomplete,
            part=None,
            raw=None,
            **msgspec.structs.asdict(said),
        )

    def _read(self, raw: str, subject: str, *, more: bool) -> _Said:
        """Read the words of a message; ``more`` tells that it brings a file or a place beside them."""
        typed = raw[:MAX_TEXT]
        text = clean(typed)
        subject = line(subject)
        reading = self._grammar.read(text, subject, more=more)
        words = language.words(text)
        # The words are those of the body where nothing stands in front and nothing had to be made readable.
        plain = reading.body == text and text.isascii()
        wishes = privacy.either(reading.privacy, privacy.read(reading.body, words if plain else ()))
        spoken = language.spoken(words)
        if subject:
            wishes = privacy.either(wishes, privacy.read(subject))
            spoken = spoken or language.detect(subject)
        return _Said(
            subject=subject,
            # A mail with only a subject: the subject is its text.
            text=text or subject,
            original="" if text == typed else storable(typed),
            language=spoken,
            intent=reading.intent,
            new_case=reading.new_case,
            numbers=reading.numbers,
            bad_numbers=reading.bad_numbers,
            region=reading.region,
            privacy=wishes,
        )


def _unread(raw: str, subject: str) -> _Said:
    """The words of a part or a receipt, blanks at their ends kept: the next part goes on there."""
    typed = raw[:MAX_TEXT]
    text = clean(typed, trim=False)
    return _Said(subject=line(subject), text=text, original="" if text == typed else storable(typed))


def _index(part: ComplaintEvent) -> int:
    return part.part.index if part.part else 0


def _utc(moment: datetime) -> datetime:
    """The same moment in UTC; one without an offset counts as UTC, one at the edge of the calendar stays as it is."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def _thread(thread: Thread) -> Thread:
    if thread is NOWHERE or thread == NOWHERE:
        return NOWHERE
    return Thread(line(thread.conversation), tuple(map(line, thread.replies_to)), line(thread.topic), thread.public)


def _location(place: Location | None) -> Location | None:
    """A place on Earth; anything else (NaN, out of range) is left to the raw payload."""
    if place is None or not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):
        return None
    return Location(place.latitude, place.longitude, line(place.name))


def _attachment(file: Attachment) -> Attachment:
    return Attachment(
        name=line(file.name),
        media_type=line(file.media_type),
        size=_count(file.size),
        sha256=line(file.sha256),
        stored=line(file.stored),
        reference=storable(file.reference),
    )


def _part(part: Part | None) -> Part | None:
    return None if part is None else Part(line(part.ref), _count(part.index), _count(part.total))


def _receipt(receipt: Receipt | None) -> Receipt | None:
    if receipt is None:
        return None
    return Receipt(receipt.outcome, line(receipt.delivery), line(receipt.provider_id), line(receipt.code))


def _raw(message: InboundMessage, stored: str) -> Raw | None:
    if not message.raw and not stored:
        return None
    return Raw(line(message.raw_type), len(message.raw), b"" if stored else message.raw, stored)


def _count(number: int) -> int:
    """Within what every JSON reader can hold (RFC 8259 section 6)."""
    return min(max(number, 0), _MAX_COUNT)
