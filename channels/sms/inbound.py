"""Reading what providers post: fields, JSON, charsets, times, parts; what is common to the dialects.

Nothing here raises anything but :class:`~channels.errors.Malformed`. Text that comes out of here is valid Unicode:
bytes that cannot be decoded become U+FFFD, and the payload itself stays in ``raw``.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from channels.base import InboundMessage, Part, Receipt, ReceiptOutcome, Request, Sender
from channels.errors import Malformed
from channels.forms import FORM
from channels.sms.numbers import AUTOMATED, bounded
from channels.sms.segments import from_gsm

JSON = "application/json"
MAX_ID = 200
MAX_PARTS = 255

_CHARSETS = {
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "US-ASCII": "utf-8",
    "UTF-16BE": "utf-16-be",
    "UTF-16": "utf-16",
    "UTF-16LE": "utf-16-le",
    "UCS-2": "utf-16-be",
    "ISO-10646-UCS-2": "utf-16-be",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
    "ISO-8859-1": "latin-1",
    "LATIN1": "latin-1",
}
# Our token and Kannel's password as a field of a query or form, its letters percent-encoded or not.
_SECRET = re.compile(
    b"&(?i:%s)(?:=[^&]*)?(?=&|$)"
    % b"|".join(b"".join(b"(?:%c|%%%02x)" % (letter, letter) for letter in name) for name in (b"token", b"password"))
)
_UNIX = re.compile(r"[0-9]{9,13}(\.[0-9]{1,9})?")
NOBODY = Sender("", "unknown")


def fields_of(request: Request) -> Mapping[str, str]:
    """The fields of a GET, or of a form by POST (with an empty body: those of its query).

    Raises :class:`Malformed` for a body that is not a form.
    """
    if request.method != "POST" or not request.body:
        return request.query
    if request.content_type != FORM:
        raise Malformed("a urlencoded form is due here", reason="not_a_form")
    return request.form()


def json_of(request: Request) -> dict[str, Any]:
    """The JSON object of a body; broken UTF-8 in it is no error. Raises :class:`Malformed`."""
    if not request.body:
        raise Malformed("the body is empty", reason="empty_body")
    try:
        try:
            document = msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            document = json.loads(request.body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not JSON", reason="not_json") from error
    if not isinstance(document, dict):
        raise Malformed("a JSON object is due here", reason="wrong_shape")
    return document


def raw_of(request: Request) -> tuple[bytes, str]:
    """The payload as evidence, without our token in it, and its media type."""
    if request.method == "POST" and request.body:
        if request.content_type != FORM:
            return request.body, request.content_type or "application/octet-stream"
        encoded = request.body
    else:
        encoded = _bytes_of(request.target.partition("?")[2])
    return _SECRET.sub(b"", b"&" + encoded)[1:], FORM


def text_in(value: object) -> str:
    """A scalar of JSON or a form as valid Unicode; ``""`` for null. Raises :class:`Malformed` for anything else."""
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Malformed("a text or a number is due where the JSON holds something else", reason="wrong_shape")


def clean(text: str) -> str:
    """``text`` as valid Unicode: undecodable bytes and lone surrogates become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _bytes_of(text).decode("utf-8", "replace")
    return text


def decode(text: str, charset: str) -> str:
    """A field's text, read again in the charset that the provider declares; an unknown one counts as UTF-8."""
    name = charset.strip().upper()
    if name == "GSM":
        septets = _bytes_of(text)
        # a byte above 0x7F is no septet: that sender says GSM and means UTF-8
        return from_gsm(septets) if septets.isascii() else septets.decode("utf-8", "replace")
    codec = _CHARSETS.get(name, "utf-8")
    if codec == "utf-8":
        return clean(text)
    data = _bytes_of(text)
    if codec == "utf-16" and not data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        codec = "utf-16-be"
    return data.decode(codec, "replace")


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def time_of(value: object) -> datetime | None:
    """An instant: Unix seconds (or milliseconds) or an ISO 8601 date and time, UTC where no zone is said.

    ``None`` for what cannot be read.
    """
    try:
        text = value if isinstance(value, str) else str(value)
        if "-" not in text and _UNIX.fullmatch(text):
            seconds = float(text)
            return datetime.fromtimestamp(seconds / 1000 if seconds >= 1e11 else seconds, UTC)
        at = datetime.fromisoformat(text)
        # combine() takes a third of the time of replace().
        return datetime.combine(at, at.time(), UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def part_of(ref: object, index: object, total: object) -> Part | None:
    """The part that a provider's numbers describe; ``None`` where they make no sense: then it is a whole message."""
    try:
        number, count = int(text_in(index)), int(text_in(total))
        name = bounded(text_in(ref), MAX_ID)
    except (ValueError, Malformed):
        return None
    return Part(name, number, count) if name and 1 <= number <= count and 1 < count <= MAX_PARTS else None


def message(
    raw: tuple[bytes, str],
    sender: Sender,
    *,
    text: str,
    recipient: str = "",
    provider_id: str = "",
    sent_at: datetime | None = None,
    part: Part | None = None,
) -> InboundMessage:
    """One citizen's message. Raises :class:`Malformed` where nobody sent it."""
    if not sender.address:
        raise Malformed("the message names no sender", reason="no_sender")
    return InboundMessage(
        kind="message" if part is None else "part",
        sender=sender,
        recipient=bounded(recipient),
        provider_id=bounded(provider_id, MAX_ID) or None,
        sent_at=sent_at,
        text=text,
        part=part,
        automated=AUTOMATED.get(sender.kind, ""),
        raw=raw[0],
        raw_type=raw[1],
    )


def receipt(
    raw: tuple[bytes, str],
    outcome: ReceiptOutcome,
    *,
    delivery: str,
    provider_id: str = "",
    code: str = "",
    sender: Sender = NOBODY,
    sent_at: datetime | None = None,
) -> InboundMessage:
    """One delivery receipt; ``sender`` is the phone it tells of.

    Raises :class:`Malformed` where it names no delivery.
    """
    if not delivery and not provider_id:
        raise Malformed("the receipt names no delivery", reason="no_delivery")
    return InboundMessage(
        kind="receipt",
        sender=sender,
        sent_at=sent_at,
        receipt=Receipt(outcome, bounded(delivery, MAX_ID), bounded(provider_id, MAX_ID), bounded(code, MAX_ID)),
        raw=raw[0],
        raw_type=raw[1],
    )
