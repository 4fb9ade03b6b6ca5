"""What is kept of a verified request that could not be read, so that an operator can look at it and replay it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import msgspec
from pydantic import SecretStr

from channels.base import Channel, ChannelSettings, Request
from channels.errors import Malformed
from channels.forms import parse_fields
from normalizer.messages import DeadLetter

MEDIA_TYPE = "application/vnd.lapor.request+json"
LONGEST = 64 * 1024
HIDDEN = b"[secret]"


class KeptRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request without its secrets. ``query`` is as it was sent; ``cut`` tells that the body was longer."""

    method: str
    path: str
    query: bytes
    content_type: str
    body: bytes
    receipts: bool = False
    cut: bool = False


def secrets_of(settings: ChannelSettings) -> tuple[bytes, ...]:
    """Every secret value of a channel's settings, plain and as URLs and forms write it, the longest first."""
    found: set[bytes] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, SecretStr) and one.get_secret_value():
                plain = one.get_secret_value()
                found |= {plain.encode(), quote(plain, safe="").encode(), quote_plus(plain).encode()}
    return tuple(sorted(found, key=len, reverse=True))


def letter_of_request(
    channel: Channel, request: Request, error: Malformed, *, receipts: bool, secrets: Sequence[bytes]
) -> DeadLetter:
    """The dead letter of a request that the channel's parser refused."""
    path, _, query = request.target.partition("?")
    kept = KeptRequest(
        request.method,
        path,
        _without(query.encode("utf-8", "surrogateescape"), secrets),
        request.content_type,
        _without(request.body[:LONGEST], secrets),
        receipts,
        len(request.body) > LONGEST,
    )
    encoded = msgspec.json.encode(kept)
    return DeadLetter(
        # The same for every redelivery: a provider that hears 400 may well send it again for days.
        id=hashlib.blake2b(encoded, digest_size=16).hexdigest(),
        stage="intake",
        channel=channel.name,
        reason=error.reason,
        detail=str(error),
        at=datetime.now(UTC),
        raw=encoded,
        raw_type=MEDIA_TYPE,
    )


def request_of_letter(raw: bytes) -> tuple[Request, bool]:
    """The request of a letter and whether it held receipts. Raises :class:`Malformed` for a body that was cut."""
    kept = msgspec.json.decode(raw, type=KeptRequest)
    if kept.cut:
        raise Malformed("only the first 64 KiB of the body were kept", reason="cut")
    target = f"{kept.path}?{kept.query.decode('utf-8', 'surrogateescape')}" if kept.query else kept.path
    request = Request(
        method=kept.method,
        target=target,
        query=parse_fields(kept.query) if kept.query else {},
        headers={},
        body=kept.body,
        content_type=kept.content_type,
    )
    return request, kept.receipts


def _without(data: bytes, secrets: Sequence[bytes]) -> bytes:
    for secret in secrets:
        data = data.replace(secret, HIDDEN)
    return data
