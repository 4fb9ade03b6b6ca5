"""Vonage's SMS API: parts, string statuses, and fields signed with SHA-256 HMAC."""

from __future__ import annotations

import hmac
import json
import time
from datetime import datetime
from hashlib import sha256

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.segments import measure, split
from channels.sms.settings import SmsSettings, secret
from channels.sms.standins.base import DIGITS, CitizenText, Provider, Received, Reply, StandInMessage, with_token

STATUS: dict[ReceiptOutcome, str] = {"delivered": "delivered", "failed": "failed", "accepted": "buffered"}


def _answer(*messages: dict[str, str]) -> Reply:
    return Reply(200, json.dumps({"message-count": str(len(messages)), "messages": messages}).encode())


def _error(status: str, text: str) -> Reply:
    return _answer({"status": status, "error-text": text})


class VonageProvider(Provider):
    """``/sms/json``, and webhooks with the fields of a message or a part."""

    dialect = "vonage"
    path = "/sms/json"
    probe_path = "/account/get-balance"

    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """Errors come with HTTP 200 and a status in the JSON."""
        form = received.form
        if not self.knows(form.get("api_key", ""), form.get("api_secret", "")):
            return _error("4", "Bad Credentials")
        for name in ("to", "from", "text"):
            if not form.get(name):
                return _error("2", f"Missing {name} param")
        if not DIGITS.fullmatch(form["to"]):
            return _error("3", "Invalid value for param: to")
        if form.get("type", "text") == "text" and measure(form["text"]).encoding == "ucs2":
            return _error("3", "Invalid value for param: type")
        if len(form.get("client-ref", "")) > 100:
            return _error("3", "Invalid value for param: client-ref")
        return StandInMessage(
            dialect=self.dialect,
            id=identifier,
            to="+" + form["to"],
            sender=form["from"],
            text=form["text"],
            delivery=form.get("client-ref", ""),
            status_url=form.get("callback", ""),
            at=at,
        )

    def yes(self, message: StandInMessage) -> Reply:
        """One entry for each part that the text takes."""
        to, count = message.to.removeprefix("+"), measure(message.text).count
        ids = [message.id if count == 1 else f"{message.id}-{part}" for part in range(1, count + 1)]
        return _answer(*({"to": to, "message-id": one, "status": "0", "remaining-balance": "3.14"} for one in ids))

    def probed(self, received: Received) -> Reply:
        """The balance."""
        if not self.knows(received.query.get("api_key", ""), received.query.get("api_secret", "")):
            return Reply(401, b'{"error-code": "401", "error-code-label": "authentication failed"}')
        return Reply(200, b'{"value": 10.28, "autoReload": false}')

    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:
        """A long text in parts, each with an id of its own."""
        parts = split(text.text)
        calls = []
        for index, part in enumerate(parts, 1):
            fields = {
                "msisdn": text.sender.removeprefix("+"),
                "to": text.to.removeprefix("+"),
                "text": part,
                "type": "text" if measure(part).encoding == "gsm" else "unicode",
                "keyword": part.partition(" ")[0].upper(),
                "message-timestamp": text.at.strftime("%Y-%m-%d %H:%M:%S"),
            }
            if text.id:
                fields["messageId"] = text.id if len(parts) == 1 else f"{text.id}-{index}"
            if len(parts) > 1:
                reference = sha256(f"{text.id}{text.sender}{text.text}".encode()).hexdigest()[:8]
                fields |= {
                    "concat": "true",
                    "concat-ref": reference,
                    "concat-total": str(len(parts)),
                    "concat-part": str(index),
                }
            params = {} if settings.signature_secret else with_token(settings)
            calls.append(Call(method="POST", url=url, params=params, form=_signed(settings, fields)))
        return calls

    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:
        """A receipt with the client-ref of the message."""
        fields = {
            "msisdn": message.to.removeprefix("+"),
            "to": message.sender,
            "messageId": message.id,
            "client-ref": message.delivery,
            "status": STATUS[outcome],
            "err-code": "1" if outcome == "failed" else "0",
            "message-timestamp": message.at.strftime("%Y-%m-%d %H:%M:%S"),
        }
        return Call(method="POST", url=message.status_url, form=_signed(settings, fields))


def _signed(settings: SmsSettings, fields: dict[str, str]) -> dict[str, str]:
    """The fields with timestamp, nonce and sig, where the account has a signature secret."""
    key = secret(settings.signature_secret)
    if not key:
        return fields
    nonce = sha256(repr(fields).encode()).hexdigest()[:32]
    fields = fields | {"timestamp": str(int(time.time())), "nonce": nonce}
    plain = {name: value.replace("&", "_").replace("=", "_") for name, value in fields.items()}
    signed = "".join(f"&{name}={plain[name]}" for name in sorted(plain))
    sig = hmac.new(key.encode(), signed.encode(), "sha256").hexdigest().upper()
    return fields | {"sig": sig}
