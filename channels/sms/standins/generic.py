"""A carrier that speaks our own JSON (README: "generic")."""

from __future__ import annotations

import hmac
import json
import time
from datetime import datetime
from typing import Any

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.settings import SmsSettings, secret
from channels.sms.standins.base import E164, CitizenText, Provider, Received, Reply, StandInMessage


def _mac(key: str, timestamp: str, body: bytes) -> str:
    return hmac.new(key.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


class GenericProvider(Provider):
    """``/generic``: a signed POST for each message."""

    dialect = "generic"
    path = "/generic"

    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """Check the signature, its age and the four fields."""
        timestamp, signature = received.headers.get("X-Timestamp", ""), received.headers.get("X-Signature", "")
        keys = [secret(account.signature_secret) for account in self.accounts]
        if not timestamp.isdigit() or abs(at.timestamp() - int(timestamp)) > 300:
            return Reply(401, b'{"error": "old timestamp"}')
        if keys and signature not in [_mac(key, timestamp, received.body) for key in keys]:
            return Reply(401, b'{"error": "bad signature"}')
        try:
            document = json.loads(received.body)
            to, sender, text, delivery = (str(document[name]) for name in ("to", "from", "text", "delivery"))
            status_url = str(document.get("status_url", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Reply(400, b'{"error": "wrong shape"}')
        if not E164.fullmatch(to) or not text:
            return Reply(422, b'{"error": "wrong number or empty text"}')
        return StandInMessage(
            dialect=self.dialect,
            id=identifier,
            to=to,
            sender=sender,
            text=text,
            delivery=delivery,
            status_url=status_url,
            at=at,
        )

    def yes(self, message: StandInMessage) -> Reply:
        """The message's id."""
        return Reply(202, json.dumps({"id": message.id}).encode())

    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:
        """One signed POST; the carrier joins long messages itself."""
        document = {"from": text.sender, "to": text.to, "text": text.text, "sent_at": text.at.isoformat()}
        if text.id:
            document["id"] = text.id
        return [self._signed(settings, url, document)]

    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:
        """A signed receipt."""
        document = {"delivery": message.delivery, "id": message.id, "status": outcome, "to": message.to}
        return self._signed(settings, message.status_url, document)

    def _signed(self, settings: SmsSettings, url: str, document: dict[str, Any]) -> Call:
        body, timestamp = json.dumps(document).encode(), str(int(time.time()))
        mac = _mac(secret(settings.signature_secret), timestamp, body)
        headers = {"Content-Type": "application/json", "X-Timestamp": timestamp, "X-Signature": mac}
        return Call(method="POST", url=url, body=body, headers=headers)
