"""Infobip's SMS API v3: JSON in both directions, batches in the webhooks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.segments import measure
from channels.sms.settings import SmsSettings, secret
from channels.sms.standins.base import DIGITS, CitizenText, Provider, Received, Reply, StandInMessage, with_token

STATUS: dict[ReceiptOutcome, dict[str, Any]] = {
    "accepted": {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"},
    "delivered": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"},
    "failed": {"groupId": 2, "groupName": "UNDELIVERABLE", "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED"},
}
NO_DESTINATION = {"groupId": 5, "groupName": "REJECTED", "id": 52, "name": "REJECTED_DESTINATION"}


def _error(status: int, name: str, text: str) -> Reply:
    document = {"requestError": {"serviceException": {"messageId": name, "text": text}}}
    return Reply(status, json.dumps(document).encode())


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class InfobipProvider(Provider):
    """``/sms/3/messages`` and the balance."""

    dialect = "infobip"
    path = "/sms/3/messages"
    probe_path = "/account/1/balance"

    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """One message to one destination, which is all that the gateway sends in a request."""
        if not self._authorized(received):
            return _error(401, "UNAUTHORIZED", "Invalid login details")
        try:
            (message,) = json.loads(received.body)["messages"]
            (destination,) = message["destinations"]
            to, text, sender = destination["to"], message["content"]["text"], message["sender"]
            webhooks = message["webhooks"]
            status_url, callback_data = webhooks["delivery"]["url"], webhooks["callbackData"]
        except (ValueError, KeyError, TypeError) as error:
            return _error(400, "BAD_REQUEST", f"Bad request ({type(error).__name__})")
        if not text:
            return _error(400, "BAD_REQUEST", "text must not be blank")
        if not DIGITS.fullmatch(to):
            return self._answer(to, identifier, NO_DESTINATION)
        return StandInMessage(
            dialect=self.dialect,
            id=identifier,
            to="+" + to,
            sender=sender,
            text=text,
            delivery=callback_data,
            status_url=status_url,
            at=at,
        )

    def yes(self, message: StandInMessage) -> Reply:
        """The message's status, pending."""
        return self._answer(message.to.removeprefix("+"), message.id, STATUS["accepted"])

    def probed(self, received: Received) -> Reply:
        """The balance."""
        if not self._authorized(received):
            return _error(401, "UNAUTHORIZED", "Invalid login details")
        return Reply(200, b'{"balance": 47.79, "currency": "EUR"}')

    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:
        """A batch of one; Infobip joins long messages itself."""
        result: dict[str, Any] = {
            "from": text.sender.removeprefix("+"),
            "to": text.to.removeprefix("+"),
            "text": text.text,
            "cleanText": text.text,
            "receivedAt": _time(text.at),
            "smsCount": measure(text.text).count,
            "price": {"pricePerMessage": 0, "currency": "EUR"},
        }
        if text.id:
            result["messageId"] = text.id
        batch = {"results": [result], "messageCount": 1, "pendingMessageCount": 0}
        return [Call(method="POST", url=url, params=with_token(settings), json=batch)]

    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:  # noqa: ARG002
        """A batch of one receipt; the status URL holds the token already."""
        result = {
            "messageId": message.id,
            "to": message.to.removeprefix("+"),
            "sentAt": _time(message.at),
            "doneAt": _time(message.at),
            "messageCount": 1,
            "callbackData": message.delivery,
            "status": STATUS[outcome],
            "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "permanent": False},
        }
        return Call(method="POST", url=message.status_url, json={"results": [result]})

    def _answer(self, to: str, identifier: str, status: dict[str, Any]) -> Reply:
        message = {"messageId": identifier, "status": status, "destination": to, "details": {"messageCount": 1}}
        return Reply(200, json.dumps({"bulkId": f"bulk-{identifier}", "messages": [message]}).encode())

    def _authorized(self, received: Received) -> bool:
        scheme, _, key = received.headers.get("Authorization", "").partition(" ")
        known = not self.accounts or any(secret(account.api_key) == key for account in self.accounts)
        return scheme == "App" and bool(key) and known
