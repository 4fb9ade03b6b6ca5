"""Twilio's Messages resource and its signed webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.settings import SmsSettings, secret
from channels.sms.standins.base import E164, CitizenText, Provider, Received, Reply, StandInMessage

STATUS: dict[ReceiptOutcome, str] = {"delivered": "delivered", "failed": "undelivered", "accepted": "sent"}


def _error(status: int, code: int, message: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    document = {"code": code, "message": message, "more_info": more, "status": status}
    return Reply(status, json.dumps(document).encode())


class TwilioProvider(Provider):
    """One POST a message; a GET of the account is the probe."""

    dialect = "twilio"
    path = "/2010-04-01/Accounts/{account}/Messages.json"
    probe_path = "/2010-04-01/Accounts/{account}.json"

    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """Check the Basic credentials, and the parameters in Twilio's order."""
        if not self._authorized(received):
            return _error(401, 20003, "Authenticate")
        form = received.form
        to, sender = form.get("To", ""), form.get("From", "") or form.get("MessagingServiceSid", "")
        if not to:
            return _error(400, 21604, "A 'To' phone number is required.")
        if not sender:
            return _error(400, 21603, "A 'From' phone number is required.")
        if not form.get("Body"):
            return _error(400, 21602, "Message body is required.")
        if not E164.fullmatch(to):
            return _error(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if len(form["Body"]) > 1600:
            return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        callback = form.get("StatusCallback", "")
        return StandInMessage(
            dialect=self.dialect,
            id="SM" + hashlib.md5(identifier.encode(), usedforsecurity=False).hexdigest(),
            to=to,
            sender=sender,
            text=form["Body"],
            delivery=parse_qs(urlsplit(callback).query).get("delivery", [""])[0],
            status_url=callback,
            at=at,
        )

    def yes(self, message: StandInMessage) -> Reply:
        """The message resource, queued."""
        document = {
            "sid": message.id,
            "status": "queued",
            "to": message.to,
            "from": message.sender,
            "body": message.text,
            "error_code": None,
            "error_message": None,
            "direction": "outbound-api",
        }
        return Reply(201, json.dumps(document).encode())

    def probed(self, received: Received) -> Reply:
        """The account resource."""
        if not self._authorized(received):
            return _error(401, 20003, "Authenticate")
        return Reply(200, b'{"status": "active", "type": "Full"}')

    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:
        """One signed form; Twilio joins long messages itself."""
        form = {"From": text.sender, "To": text.to, "Body": text.text, "NumMedia": "0", "NumSegments": "1"}
        if text.id:
            form |= {"MessageSid": text.id, "SmsSid": text.id}
        return [self._signed(settings, url, form)]

    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:
        """A signed form to the StatusCallback."""
        form = {"MessageSid": message.id, "MessageStatus": STATUS[outcome], "To": message.to, "From": message.sender}
        if outcome == "failed":
            form["ErrorCode"] = "30003"
        return self._signed(settings, message.status_url, form)

    def _signed(self, settings: SmsSettings, url: str, form: dict[str, str]) -> Call:
        signed = url + "".join(name + value for name, value in sorted(form.items()))
        mac = hmac.new(secret(settings.password).encode(), signed.encode(), "sha1").digest()
        signature = base64.b64encode(mac).decode()
        return Call(method="POST", url=url, form=form, headers={"X-Twilio-Signature": signature})

    def _authorized(self, received: Received) -> bool:
        scheme, _, encoded = received.headers.get("Authorization", "").partition(" ")
        try:
            username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return False
        return scheme == "Basic" and f"/{username}" in received.path and self.knows(username, password)
