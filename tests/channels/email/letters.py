"""Mails for the tests, written as bytes: what is broken here is broken on purpose."""

from __future__ import annotations

from channels.base import InboundMessage
from channels.email.mail import Reading, read_mail

OURS = "lapor@example.go.id"
READING = Reading(own_addresses=frozenset({OURS}))
CITIZEN = "Budi Santoso <budi@example.com>"
BOUNDARY = "=_batas"


def letter(body: str | bytes = "Jalan rusak.", /, *fields: str, sender: str | None = CITIZEN) -> bytes:
    """A mail; ``fields`` are whole header lines, put behind those that every mail has."""
    named = {field.partition(":")[0].lower() for field in fields}
    usual = {"From": sender, "To": OURS, "Subject": "Jalan", "Message-ID": "<1@example.com>"}
    lines = [f"{name}: {value}" for name, value in usual.items() if value is not None and name.lower() not in named]
    head = "\r\n".join([*lines, *(field for field in fields if not field.endswith(":"))])
    tail = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
    return head.encode() + b"\r\n\r\n" + tail


def part(content: str | bytes, *fields: str) -> bytes:
    """One part of a multipart."""
    tail = content if isinstance(content, bytes) else content.replace("\n", "\r\n").encode()
    return "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n" + tail


def multi(kind: str, *parts: bytes, boundary: str = BOUNDARY) -> tuple[bytes, str]:
    """A multipart's body, and its Content-Type field."""
    edge = b"--" + boundary.encode()
    body = b"".join(edge + b"\r\n" + one + b"\r\n" for one in parts) + edge + b"--\r\n"
    return body, f'Content-Type: multipart/{kind}; boundary="{boundary}"'


def nested(kind: str, *parts: bytes, boundary: str) -> bytes:
    """A multipart as a part of another."""
    body, field = multi(kind, *parts, boundary=boundary)
    return part(body, field)


def read(raw: bytes, reading: Reading = READING) -> InboundMessage:
    """What the channel makes of a mail."""
    return read_mail(raw, reading)
