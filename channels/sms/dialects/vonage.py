"""Vonage SMS API (docs: "Inbound SMS", "Delivery receipts", "Signing messages", "SMS API errors").

Long messages come in parts, out of order; a webhook is repeated for 24 hours until it hears 200 or 204.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from channels.base import InboundMessage, ReceiptOutcome, Request
from channels.errors import Malformed, Uncertain, Unverified
from channels.http import HttpResponse
from channels.signing import as_bytes, fresh, hmac_hex, jwt_claims, same
from channels.sms.dialects.base import Dialect
from channels.sms.inbound import JSON, fields_of, json_of, message, part_of, raw_of, receipt, text_in, time_of
from channels.sms.outbound import Call, Verdict, fail, settle
from channels.sms.segments import encoding
from channels.sms.settings import secret

REPEATED_FOR = 25 * 3600.0
"""Seconds by which a signature may be old: a repeat after an outage must not be turned away. A replay inside this
time does no harm, since it bears the id of a message that is there already."""

OUTCOMES: dict[str, ReceiptOutcome] = {
    "delivered": "delivered",
    "failed": "failed",
    "rejected": "failed",
    "expired": "failed",
}

STATUSES: dict[str, Verdict] = {
    "1": "throttled",
    "2": "refused",  # missing parameters
    "3": "refused",  # invalid parameters
    "4": "credentials",
    "5": "retry",  # internal error
    "6": "refused",  # invalid message, such as an unknown prefix
    "7": "refused",  # number barred
    "8": "credentials",  # account barred
    "9": "credit",
    "10": "throttled",  # too many binds
    "11": "credentials",  # account not enabled for HTTP
    "12": "refused",  # too long
    "14": "credentials",  # invalid signature
    "15": "sender",  # invalid sender address
    "22": "refused",  # invalid network code
    "23": "refused",  # invalid callback
    "29": "refused",  # a trial account may write only to listed numbers
    "33": "refused",  # number deactivated
}
"""``messages[].status`` of an answer; 0 is yes, and an unknown one is tried again."""


class Vonage(Dialect):
    """Vonage, formerly Nexmo; numbers come and go without their plus."""

    default_url = "https://rest.nexmo.com/sms/json"
    international = True

    def check(self, request: Request) -> None:
        """Where a signature secret is set: ``sig`` over the fields, or a JWT; else the token."""
        key = secret(self.settings.signature_secret)
        if not key:
            super().check(request)
            return
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            try:
                claims = jwt_claims(credentials.strip(), key)
            except ValueError as error:
                raise Unverified("the authorization is not a JWT of ours", reason="bad_signature") from error
            body_hash = hashlib.sha256(request.body).hexdigest()
            proven = same(str(claims.get("payload_hash", "")).lower(), body_hash)
            issued = claims.get("iat")
        else:
            try:
                fields = dict(self._fields(request))
            except Malformed as error:
                raise Unverified("the request cannot be read, so it proves nothing", reason="bad_signature") from error
            given = str(fields.pop("sig", "")).lower()
            proven = same(given, sign(fields, key))
            issued = fields.get("timestamp")
        if not proven:
            raise Unverified("the signature is missing or wrong", reason="bad_signature")
        if not isinstance(issued, str | int | float) or not fresh(issued, window=REPEATED_FOR, now=time.time()):
            raise Unverified("the signature is too old", reason="old_timestamp")

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """One message, or one part of a long one. Binary messages have no text; their data stays in ``raw``."""
        fields = self._fields(request)
        return (
            message(
                raw_of(request),
                self.sender(text_in(fields.get("msisdn"))),
                text=text_in(fields.get("text")),
                recipient=text_in(fields.get("to")),
                provider_id=text_in(fields.get("messageId")),
                sent_at=time_of(fields.get("message-timestamp")),
                part=part_of(fields.get("concat-ref"), fields.get("concat-part"), fields.get("concat-total")),
            ),
        )

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """One receipt; ``client-ref`` is our delivery id."""
        fields = self._fields(request)
        status = text_in(fields.get("status")).lower()
        if not status:
            raise Malformed("the receipt has no status", reason="no_status")
        error = text_in(fields.get("err-code"))
        return (
            receipt(
                raw_of(request),
                OUTCOMES.get(status, "accepted"),
                delivery=text_in(fields.get("client-ref")),
                provider_id=text_in(fields.get("messageId")),
                code=status if error in ("", "0") else f"{status} {error}",
                sender=self.sender(text_in(fields.get("msisdn"))),
                sent_at=time_of(fields.get("message-timestamp")),
            ),
        )

    def call(self, to: str, text: str, delivery: str) -> Call:
        """A form to ``/sms/json``; ``callback`` overrides the account's address for receipts."""
        return Call(
            method="POST",
            url=self.send_url,
            form={
                "api_key": self.settings.username or "",
                "api_secret": secret(self.settings.password),
                "from": self.settings.sender,
                "to": to.removeprefix("+"),
                "text": text,
                "type": "text" if encoding(text) == "gsm" else "unicode",
                "client-ref": delivery,
                "status-report-req": "1",
                "callback": self.status_url(),
            },
        )

    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """200 with a status for each part that Vonage made of the text; all must be 0."""
        settle(response)
        document: Any = response.json()
        messages = document.get("messages") if isinstance(document, dict) else None
        if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
            raise Uncertain("Vonage answered without its usual JSON")
        for one in messages:
            status = str(one.get("status", ""))
            if status != "0":
                fail(STATUSES.get(status, "retry"), f"Vonage answered status {status[:3]}")
        return tuple(str(one["message-id"]) for one in messages if "message-id" in one)

    def probe(self) -> Call:
        """The account's balance."""
        return Call(
            method="GET",
            url=urljoin(self.send_url, "/account/get-balance"),
            params={"api_key": self.settings.username or "", "api_secret": secret(self.settings.password)},
        )

    def _fields(self, request: Request) -> Mapping[str, Any]:
        if request.method == "POST" and request.content_type == JSON:
            return json_of(request)
        return fields_of(request)


def sign(fields: Mapping[str, Any], key: str) -> str:
    """The ``sig`` of the SMS API's "SHA-256 HMAC" method: the fields sorted by name, as ``&name=value``.

    In values ``&`` and ``=`` count as ``_``. Our own token, which is in the URL and not Vonage's, is left out.
    """
    parts = []
    for name in sorted(fields):
        if name not in ("sig", "token"):
            value = str(fields[name]).replace("&", "_").replace("=", "_")
            parts.append(f"&{name}={value}")
    try:
        signed = "".join(parts).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        signed = as_bytes("".join(parts))
    return hmac_hex(key, signed)
