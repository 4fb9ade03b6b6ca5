"""Twilio Programmable Messaging (docs: "Messages resource", "Webhooks security", "Error and warning dictionary")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from channels.base import Answer, InboundMessage, ReceiptOutcome, Request
from channels.errors import Malformed, Uncertain, Unverified
from channels.http import HttpResponse, retry_after
from channels.signing import hmac_base64, same
from channels.sms.dialects.base import Dialect
from channels.sms.inbound import clean, fields_of, message, raw_of, receipt
from channels.sms.outbound import Call, Verdict, basic_auth, fail, settle
from channels.sms.settings import secret

API = "https://api.twilio.com/2010-04-01/Accounts"
DEFAULT_PORTS = {"https": 443, "http": 80}

OUTCOMES: dict[str, ReceiptOutcome] = {
    "delivered": "delivered",
    "read": "delivered",
    "failed": "failed",
    "undelivered": "failed",
    "canceled": "failed",
}
"""Every other MessageStatus is a step on the way."""

ERRORS: dict[int, Verdict] = {
    14107: "throttled",  # send rate limit exceeded
    20003: "credentials",  # authentication error
    20005: "credentials",  # account not active
    20404: "credentials",  # no such account
    20429: "throttled",  # too many requests
    21212: "sender",  # invalid From
    21603: "sender",  # From is required
    21606: "sender",  # From is not ours, or cannot send SMS
    21611: "retry",  # our queue at Twilio is full
    21659: "sender",  # From is not a Twilio number
    21660: "sender",  # From belongs to another account
    21703: "sender",  # the messaging service has no numbers
    21705: "sender",  # no such messaging service
    30001: "retry",  # queue overflow
    30002: "credentials",  # account suspended
}
"""Errors whose HTTP status alone would be read wrongly; the others go by their status."""


class Twilio(Dialect):
    """Twilio: every request is signed with the account's auth token."""

    answer = Answer(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml")

    @property
    def _url(self) -> str:
        return self.settings.send_url or f"{API}/{self.settings.username}/Messages.json"

    def check(self, request: Request) -> None:
        """X-Twilio-Signature: HMAC-SHA1 over the public URL, and for a form its fields sorted by name.

        Twilio may leave the port out of the URL or write the default one, so both are tried.
        """
        given = request.headers.get("x-twilio-signature", "")
        if not given:
            raise Unverified("the request is not signed", reason="no_signature")
        path, mark, query = request.target.partition("?")
        taken_as = self.host.status_url if path.endswith(f"/{self.channel}/status") else self.host.webhook_url
        url = taken_as(self.channel) + mark + query
        fields = ""
        if request.method == "POST":
            try:
                form = request.form()
            except Malformed as error:
                raise Unverified("the form cannot be read, so it proves nothing", reason="bad_signature") from error
            fields = "".join(f"{name}{form[name]}" for name in sorted(form))
        key = secret(self.settings.password)
        for candidate in _spellings(url):
            signed = (candidate + fields).encode("utf-8", "surrogateescape")
            if same(given, hmac_base64(key, signed, "sha1")):
                return
        raise Unverified("the signature is wrong", reason="bad_signature")

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """One message; Twilio joins long ones itself and tells no time."""
        fields = fields_of(request)
        return (
            message(
                raw_of(request),
                self.sender(clean(fields.get("From", ""))),
                text=clean(fields.get("Body", "")),
                recipient=clean(fields.get("To", "")),
                provider_id=clean(fields.get("MessageSid", "") or fields.get("SmsSid", "")),
            ),
        )

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """One receipt; our delivery id comes back in the query of the callback URL."""
        fields = fields_of(request)
        status = clean(fields.get("MessageStatus", "") or fields.get("SmsStatus", "")).lower()
        if not status:
            raise Malformed("the receipt has no MessageStatus", reason="no_status")
        error = clean(fields.get("ErrorCode", ""))
        return (
            receipt(
                raw_of(request),
                OUTCOMES.get(status, "accepted"),
                delivery=clean(request.query.get("delivery", "")),
                provider_id=clean(fields.get("MessageSid", "")),
                code=f"{status} {error}".strip(),
                sender=self.sender(clean(fields.get("To", ""))),
            ),
        )

    def call(self, to: str, text: str, delivery: str) -> Call:
        """A POST to the account's Messages; a sender that begins with MG is a messaging service."""
        sender = self.settings.sender
        return Call(
            method="POST",
            url=self._url,
            form={
                "To": to,
                "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
                "Body": text,
                "StatusCallback": self.status_url(delivery=delivery),
            },
            headers=self._credentials(),
        )

    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """201 with the message's sid; errors carry a ``code`` of Twilio's dictionary."""
        document: Any = response.json()
        if not isinstance(document, dict):
            document = {}
        code = document.get("code")
        if response.status >= 400 and isinstance(code, int):
            if code in ERRORS:
                fail(ERRORS[code], f"Twilio answered error {code}", retry_after=retry_after(response.headers))
            settle(response, detail=f"error {code}")
        settle(response)
        sid = document.get("sid")
        if not isinstance(sid, str):
            raise Uncertain("Twilio said yes without naming the message")
        return (sid,)

    def probe(self) -> Call:
        """The account itself."""
        url = self._url.removesuffix("/Messages.json") + ".json"
        return Call(method="GET", url=url, headers=self._credentials())

    def read_probe(self, response: HttpResponse) -> str:
        """The account's status: anything but ``active`` cannot send."""
        settle(response)
        document: Any = response.json()
        status = document.get("status") if isinstance(document, dict) else None
        if status != "active":
            fail("credentials", "the Twilio account is not active")
        return "the Twilio account is active"

    def _credentials(self) -> dict[str, str]:
        return basic_auth(self.settings.username or "", secret(self.settings.password))


def _spellings(url: str) -> tuple[str, ...]:
    """``url`` as it stands, and with its default port added or left out."""
    parts = urlsplit(url)
    default = DEFAULT_PORTS.get(parts.scheme)
    if parts.port is None:
        netloc = f"{parts.netloc}:{default}"
    elif parts.port == default:
        netloc = parts.netloc.rpartition(":")[0]
    else:
        return (url,)
    return (url, urlunsplit(parts._replace(netloc=netloc)))
