"""One mail, as bytes, into an inbound message; pure, and never raising, whatever the bytes are.

Sources: RFC 5322 and RFC 2045 to 2049 (the mail), RFC 3834 (automatic answers), RFC 3464 (bounces).
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import msgspec

from channels.base import InboundMessage, Sender, Thread
from channels.email import automated, quotes
from channels.email.addresses import Mailbox, mailboxes
from channels.email.authentication import authentication
from channels.email.body import read_body
from channels.email.bounces import Bounce, read_bounce
from channels.email.headers import Headers, ids, message_id, moment
from channels.email.identities import delivery_of, our_message_id
from channels.email.parts import Mail
from channels.errors import Refused

__all__ = ["RAW_TYPE", "Reading", "delivery_of", "our_message_id", "part_bytes", "read_mail"]

RAW_TYPE = "message/rfc822"
MAX_THREAD = 50
"""Ids of a thread that are kept: the root and the nearest."""
_PART = "part:"
_AHEAD = timedelta(days=1)


class Reading(msgspec.Struct, frozen=True):
    """What is known of a mail beside its bytes.

    ``own_addresses`` are our channels' addresses in canonical form; mail from them is our own. ``trusted_authserv``
    is the authserv-id of our own server (RFC 8601), ``""`` trusts none. ``envelope_from`` is the SMTP return path
    where it is known: ``""`` the null path, ``None`` takes the Return-Path field. ``received_at`` is aware.
    """

    own_addresses: frozenset[str]
    trusted_authserv: str = ""
    envelope_from: str | None = None
    received_at: datetime | None = None


def read_mail(raw: bytes, reading: Reading) -> InboundMessage:
    """The message that a mail is, a citizen's or a bounce's receipt; never raises.

    ``provider_id`` is its Message-ID with angle brackets, or a hash of its bytes where it has none. Attachments
    have references for :func:`part_bytes`.
    """
    mail = Mail(raw)
    headers = mail.headers
    own_id = message_id(headers)
    provider_id = own_id or _hash(mail.data)
    return_path = _return_path(headers, reading)
    author = _author(headers, return_path)
    bounce = read_bounce(mail, sender=author.address, return_path=return_path)
    thread = _thread(headers, provider_id)
    body = read_body(mail)
    text, quoted = quotes.split(body.text, reply=bool(thread.replies_to))
    why = automated.reason(
        mail,
        sender=author.address,
        own_addresses=reading.own_addresses,
        return_path=return_path,
        own_message=bool(delivery_of(own_id)),
    )
    return InboundMessage(
        kind="receipt" if bounce else "message",
        sender=_reported(bounce, author, provider_id) if bounce else _sender(author, provider_id),
        recipient=_recipient(headers, reading.own_addresses),
        provider_id=provider_id,
        sent_at=_sent_at(headers, reading.received_at),
        subject=headers.text("subject"),
        text=text,
        quoted=quoted,
        thread=thread,
        receipt=bounce.receipt if bounce else None,
        attachments=body.attachments,
        automated="" if bounce else why,
        authentication=authentication(headers, reading.trusted_authserv),
        raw=raw,
        raw_type=RAW_TYPE,
    )


def part_bytes(raw: bytes, reference: str) -> bytes:
    """The decoded bytes of the attachment ``part:N`` of a mail.

    Raises :class:`~channels.errors.Refused` where the mail has no such part.
    """
    number = reference.removeprefix(_PART)
    if not reference.startswith(_PART) or not number.isascii() or not number.isdigit() or len(number) > 6:
        raise Refused("this is no reference to a part of a mail", reason="no_such_part")
    mail = Mail(raw)
    if int(number) >= len(mail.parts):
        raise Refused("the mail has no such part", reason="no_such_part")
    return mail.content(mail.parts[int(number)])


def _hash(data: bytes) -> str:
    """The id of a mail that bears none: of its bytes, whatever its line ends on the way were."""
    digest = hashlib.sha256(data.replace(b"\r\n", b"\n").rstrip(b"\n")).hexdigest()
    return f"sha256:{digest}"


def _return_path(headers: Headers, reading: Reading) -> str | None:
    """Where bounces of this mail go: an address, ``""`` for the null path, ``None`` where it is not known."""
    if reading.envelope_from is not None:
        said = reading.envelope_from.strip()
    elif "return-path" in headers:
        said = headers.text("return-path")
    else:
        return None
    if said in ("", "<>"):
        # An empty field is what broken programs write; only the null path itself tells of a machine.
        return "" if said or reading.envelope_from is not None else None
    found = mailboxes(said.encode("utf-8", "replace"))
    return found[0].address if found else None


def _sent_at(headers: Headers, received_at: datetime | None) -> datetime | None:
    """The Date of a mail; nothing where its clock is more than a day ahead of ours."""
    at = moment(headers.first("date"))
    return None if at and received_at and at - received_at > _AHEAD else at


def _author(headers: Headers, return_path: str | None) -> Mailbox:
    """Who wrote: From, else Sender, else the return path; never Reply-To, which anyone may point anywhere."""
    for name in ("from", "sender"):
        for value in headers.all(name)[:5]:
            if found := mailboxes(value):
                return found[0]
    return Mailbox(return_path or "", headers.text("from"))


def _sender(author: Mailbox, provider_id: str) -> Sender:
    """The sender of a message; where no address is to be found, one of its own for each mail, so that none is lost."""
    if author.address:
        return Sender(author.address, "email", author.name)
    digest = hashlib.sha256(provider_id.encode("utf-8", "replace")).hexdigest()
    return Sender(f"unknown-{digest[:16]}", "unknown", author.name)


def _reported(bounce: Bounce, author: Mailbox, provider_id: str) -> Sender:
    """A receipt tells of the recipient."""
    return Sender(bounce.recipient, "email") if bounce.recipient else _sender(author, provider_id)


def _recipient(headers: Headers, own_addresses: frozenset[str]) -> str:
    """Which of our addresses a mail was sent to, else the first that it names."""
    named: list[str] = []
    for name in ("to", "cc", "delivered-to", "x-original-to", "envelope-to"):
        for value in headers.all(name)[:5]:
            named += [box.address for box in mailboxes(value)]
    return next((one for one in named if one in own_addresses), named[0] if named else "")


def _thread(headers: Headers, provider_id: str) -> Thread:
    """What a mail answers, nearest first; the conversation is the first mail of the thread (RFC 5322 section 3.6.4)."""
    references = ids(headers.first("references"))
    answered = ids(headers.first("in-reply-to"))
    nearest = [one for one in dict.fromkeys((*answered, *reversed(references))) if one != provider_id]
    root = references[0] if references else (answered[0] if answered else provider_id)
    if len(nearest) > MAX_THREAD:
        nearest = [*nearest[: MAX_THREAD - 1], root]
    return Thread(conversation=root, replies_to=tuple(nearest))
