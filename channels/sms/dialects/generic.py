"""Our own plain JSON, for a carrier or a bridge that can be taught it (README: "generic").

Every request either way carries ``X-Timestamp`` (Unix seconds) and ``X-Signature``, the HMAC-SHA256 in hex over the
timestamp, a full stop and the body.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from channels.base import InboundMessage, ReceiptOutcome, Request
from channels.errors import Malformed, Unverified
from channels.http import HttpResponse
from channels.signing import as_bytes, fresh, hmac_hex, same
from channels.sms.dialects.base import Dialect
from channels.sms.inbound import JSON, json_of, message, part_of, raw_of, receipt, text_in, time_of
from channels.sms.outbound import Call, settle
from channels.sms.settings import secret

OUTCOMES: dict[str, ReceiptOutcome] = {"accepted": "accepted", "delivered": "delivered", "failed": "failed"}


def signature(key: str, timestamp: str, body: bytes) -> str:
    """What ``X-Signature`` must hold."""
    return hmac_hex(key, as_bytes(timestamp) + b"." + body)


class Generic(Dialect):
    """The gateway's own JSON dialect."""

    def check(self, request: Request) -> None:
        """The signature first, then its age: only who holds the key learns that a timestamp is too old."""
        timestamp = request.headers.get("x-timestamp", "")
        given = request.headers.get("x-signature", "").removeprefix("sha256=").lower()
        expected = signature(secret(self.settings.signature_secret), timestamp, request.body)
        if not same(given, expected):
            raise Unverified("the signature is missing or wrong", reason="bad_signature")
        if not fresh(timestamp, window=self.settings.timestamp_window, now=time.time()):
            raise Unverified("the timestamp is too far from now", reason="old_timestamp")

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """One message: ``{"from", "to"?, "text"?, "id"?, "sent_at"?, "part"?: {"ref", "index", "total"}}``."""
        document = json_of(request)
        part = document.get("part")
        return (
            message(
                raw_of(request),
                self.sender(text_in(document.get("from"))),
                text=text_in(document.get("text")),
                recipient=text_in(document.get("to")),
                provider_id=text_in(document.get("id")),
                sent_at=time_of(document.get("sent_at")),
                part=part_of(part.get("ref"), part.get("index"), part.get("total")) if isinstance(part, dict) else None,
            ),
        )

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """One receipt: ``{"delivery", "id"?, "status": "accepted|delivered|failed", "code"?, "to"?, "at"?}``."""
        document = json_of(request)
        outcome = OUTCOMES.get(text_in(document.get("status")))
        if outcome is None:
            raise Malformed("the status is accepted, delivered or failed", reason="no_status")
        return (
            receipt(
                raw_of(request),
                outcome,
                delivery=text_in(document.get("delivery")),
                provider_id=text_in(document.get("id")),
                code=text_in(document.get("code")),
                sender=self.sender(text_in(document.get("to"))),
                sent_at=time_of(document.get("at")),
            ),
        )

    def call(self, to: str, text: str, delivery: str) -> Call:
        """A signed POST: ``{"delivery", "from", "to", "text", "status_url"}``."""
        body = msgspec.json.encode(
            {
                "delivery": delivery,
                "from": self.settings.sender,
                "to": to,
                "text": text,
                "status_url": self.status_url(),
            }
        )
        timestamp = str(int(time.time()))
        return Call(
            method="POST",
            url=self.send_url,
            body=body,
            headers={
                "Content-Type": JSON,
                "X-Timestamp": timestamp,
                "X-Signature": signature(secret(self.settings.signature_secret), timestamp, body),
            },
        )

    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """Any 2xx is yes; ``{"id"}`` in it is the message's id over there."""
        settle(response)
        document: Any = response.json()
        identifier = document.get("id") if isinstance(document, dict) else None
        return (str(identifier),) if identifier else ()
