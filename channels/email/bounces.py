"""Bounces: what another mail server says became of a mail of ours (RFC 3464, and the ways from before it)."""

from __future__ import annotations

import re

import msgspec

from channels.base import Receipt, ReceiptOutcome
from channels.email import addresses, automated, body, charsets, headers
from channels.email.headers import Headers
from channels.email.identities import delivery_of, ours_within
from channels.email.parts import Mail, Part

MAX_STATUS = 64 * 1024
MAX_RETURNED = 64 * 1024
MAX_RECIPIENTS = 200
_ACTIONS: dict[str, ReceiptOutcome] = {
    "failed": "failed",
    "delayed": "accepted",
    "relayed": "accepted",
    "expanded": "accepted",
    "delivered": "delivered",
}
_CLASSES: dict[str, ReceiptOutcome] = {"2": "delivered", "4": "accepted", "5": "failed"}
_STATUS = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![\w.]*[0-9])")
_REPLY = re.compile(r"(?<![\w.:-])([45][0-9]{2})[ -](?=[A-Za-z#<])")
_RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"})
_STATUSES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FAILURE = re.compile(
    r"undeliver|delivery (?:status|fail|report|problem|subsystem)|returned (?:mail|to sender)|mail delivery"
    r"|failure notice|message delayed|warning: (?:message|could not)|tidak terkirim|gagal (?:terkirim|dikirim)"
    r"|tidak dapat dikirim|tertunda",
    re.IGNORECASE,
)
_DELAY = re.compile(r"delayed|warning: (?:message|could not)|tertunda|ditunda|still (?:trying|being)", re.IGNORECASE)


class Bounce(msgspec.Struct, frozen=True):
    """A receipt and the address it tells of, ``""`` where that is not told."""

    receipt: Receipt
    recipient: str


class _Told(msgspec.Struct, frozen=True):
    """What a report says of one recipient."""

    outcome: ReceiptOutcome
    code: str
    recipient: str


def read_bounce(mail: Mail, *, sender: str, return_path: str | None) -> Bounce | None:
    """The receipt that a mail is; ``None`` for one that is no bounce, or a bounce of a mail that was not ours."""
    statuses = [part for part in mail.parts[:50] if part.media_type in _STATUSES]
    silent = return_path == "" or automated.from_machine(sender)
    failed = [box.address for value in mail.headers.all("x-failed-recipients") for box in addresses.mailboxes(value)]
    if not (statuses or failed or (silent and _FAILURE.search(mail.headers.text("subject")))):
        return None
    ours = _ours(mail)
    if not ours:
        return None
    told = _worst([one for part in statuses for one in _told(mail, part)]) or _guessed(mail, failed)
    receipt = Receipt(outcome=told.outcome, delivery=delivery_of(ours), provider_id=ours, code=told.code)
    return Bounce(receipt, told.recipient)


def _ours(mail: Mail) -> str:
    """Our Message-ID that a bounce speaks of: of the mail it brings back, else of its own thread, else in its text."""
    for part in mail.parts[1:50]:
        if part.media_type in _RETURNED:
            inner = (
                mail.parts[part.children[0]].headers if part.children else _fields(mail.content(part, MAX_RETURNED))[0]
            )
            if delivery_of(found := headers.message_id(inner)):
                return found
    thread = headers.ids(mail.headers.first("in-reply-to")) + headers.ids(mail.headers.first("references"))[::-1]
    for one in thread:
        if delivery_of(one):
            return one
    for part in mail.parts[:50]:
        if not part.children:
            text = charsets.guess(mail.content(part, MAX_RETURNED))
            # The mail that came back names its own id before those that it answers.
            at = text.lower().find("\nmessage-id:")
            if found := (ours_within(text[at:][:1000]) if at >= 0 else "") or ours_within(text):
                return found
    return ""


def _told(mail: Mail, part: Part) -> list[_Told]:
    """What a delivery status tells, a recipient each; the fields of the message as a whole come first."""
    told: list[_Told] = []
    for group in _fields(mail.content(part, MAX_STATUS)):
        action = group.word("action").partition(" ")[0].strip(";,")
        status = _STATUS.search(group.text("status"))
        code = status[1] if status else ""
        outcome = _ACTIONS.get(action) or _CLASSES.get(code[:1])
        if outcome is None:
            continue
        final = group.first("final-recipient") or group.first("original-recipient")
        boxes = addresses.mailboxes(final.rpartition(b";")[2])
        told.append(_Told(outcome, code, boxes[0].address if boxes else ""))
    return told


def _worst(told: list[_Told]) -> _Told | None:
    """Our mails go to one recipient each; of several lines on it, a failure counts before a delay."""
    for outcome in ("failed", "delivered", "accepted"):
        for one in told:
            if one.outcome == outcome:
                return one
    return None


def _guessed(mail: Mail, failed: list[str]) -> _Told:
    """What a bounce without a status part tells in words."""
    text = body.read_text(mail)[:MAX_STATUS]
    found = _STATUS.search(text) or _REPLY.search(text)
    code = found[1] if found else ""
    delayed = _DELAY.search(mail.headers.text("subject")) is not None or code.startswith("4")
    return _Told("accepted" if delayed and not failed else "failed", code, failed[0] if failed else "")


def _fields(data: bytes) -> list[Headers]:
    """Groups of fields with empty lines between them."""
    groups: list[list[tuple[str, bytes]]] = [[]]
    for line in data.splitlines()[:5000]:
        name, colon, value = line.partition(b":")
        if not line.strip():
            if groups[-1] and len(groups) <= MAX_RECIPIENTS:
                groups.append([])
        elif line[:1] in b" \t" and groups[-1]:
            last, said = groups[-1][-1]
            groups[-1][-1] = (last, said + line)
        elif colon and name.strip():
            groups[-1].append((name.strip().decode("ascii", "replace").lower(), value.strip()))
    return [Headers(group) for group in groups]
