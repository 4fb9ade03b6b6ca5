"""Infobip SMS: one JSON for a message out, batches of results in.

Docs: "Send SMS message" (v3), "Receive inbound SMS messages", "Receive outbound SMS message reports", "Response status
and error codes".

Both webhooks post batches, ``{"results": [...]}``, up to 100 at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urljoin

from channels.base import InboundMessage, ReceiptOutcome, Request, Sender
from channels.errors import Malformed, Uncertain
from channels.http import HttpResponse
from channels.sms.dialects.base import Dialect
from channels.sms.inbound import JSON, json_of, message, raw_of, receipt, text_in, time_of
from channels.sms.outbound import Call, Verdict, fail, settle
from channels.sms.settings import secret

OUTCOMES: dict[str, ReceiptOutcome] = {
    "DELIVERED": "delivered",
    "UNDELIVERABLE": "failed",
    "EXPIRED": "failed",
    "REJECTED": "failed",
}
"""By ``status.groupName``; PENDING is a step on the way, and so is DELIVERED_TO_OPERATOR."""

REJECTIONS: dict[str, Verdict] = {
    "REJECTED_SOURCE": "sender",
    "REJECTED_SENDER": "sender",
    "REJECTED_NOT_ENOUGH_CREDITS": "credit",
    "REJECTED_PREPAID_PACKAGE_EXPIRED": "credit",
    "REJECTED_FLOODING_FILTER": "retry",
    "REJECTED_SYSTEM_ERROR": "retry",
}
"""By ``status.name`` of the group REJECTED in an answer; the others refuse this recipient or text."""

_WORD = re.compile(r"[A-Z_]{1,60}")


class Infobip(Dialect):
    """Infobip; numbers come and go without their plus."""

    default_url = "https://api.infobip.com/sms/3/messages"
    international = True

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """The batch's messages in order."""
        return self._each(request, self._message)

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """The batch's receipts in order; ``callbackData`` is our delivery id."""
        return self._each(request, self._receipt)

    def _each(
        self, request: Request, read: Callable[[dict[str, Any], tuple[bytes, str]], InboundMessage]
    ) -> Sequence[InboundMessage]:
        """Read each result. One that cannot be read does not cost the others: it is kept, unanswered, as a robot's.

        Raises :class:`Malformed` where none can be read.
        """
        results = json_of(request).get("results")
        if not isinstance(results, list):
            raise Malformed("the JSON has no list of results", reason="wrong_shape")
        whole = raw_of(request)
        found: list[InboundMessage] = []
        unread: Malformed | None = None
        for result in results:
            # Half a surrogate pair, which JSON can name and UTF-8 cannot hold, stays the escape that it came as.
            raw = whole if len(results) == 1 else (json.dumps(result, separators=(",", ":")).encode(), JSON)
            try:
                found.append(read(result if isinstance(result, dict) else {}, raw))
            except Malformed as error:
                unread = error
                found.append(
                    InboundMessage(
                        sender=Sender("", "unknown"), automated=f"malformed:{error.reason}", raw=raw[0], raw_type=raw[1]
                    )
                )
        if unread is not None and all(one.automated.startswith("malformed:") for one in found):
            raise unread
        return found

    def _message(self, result: dict[str, Any], raw: tuple[bytes, str]) -> InboundMessage:
        return message(
            raw,
            self.sender(text_in(result.get("from"))),
            text=text_in(result.get("text")),
            recipient=text_in(result.get("to")),
            provider_id=text_in(result.get("messageId")),
            sent_at=time_of(result.get("receivedAt")),
        )

    def _receipt(self, result: dict[str, Any], raw: tuple[bytes, str]) -> InboundMessage:
        status = result.get("status")
        group, name = _status(status)
        if not group:
            raise Malformed("the receipt has no status", reason="no_status")
        return receipt(
            raw,
            "accepted" if name == "DELIVERED_TO_OPERATOR" else OUTCOMES.get(group, "accepted"),
            delivery=text_in(result.get("callbackData")),
            provider_id=text_in(result.get("messageId")),
            code=name or group,
            sender=self.sender(text_in(result.get("to"))),
            sent_at=time_of(result.get("doneAt")),
        )

    def call(self, to: str, text: str, delivery: str) -> Call:
        """A POST of one message; the reports come to our status URL, with our delivery id as ``callbackData``."""
        return Call(
            method="POST",
            url=self.send_url,
            json={
                "messages": [
                    {
                        "sender": self.settings.sender,
                        "destinations": [{"to": to.removeprefix("+")}],
                        "content": {"text": text},
                        "webhooks": {
                            "delivery": {"url": self.status_url(), "intermediateReport": True},
                            "contentType": JSON,
                            "callbackData": delivery,
                        },
                    }
                ]
            },
            headers=self._credentials(),
        )

    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """200 with a status object for each message; the group PENDING is yes."""
        document: Any = response.json()
        if response.status >= 400:
            settle(response, detail=_exception(document))
        settle(response)
        messages = document.get("messages") if isinstance(document, dict) else None
        if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
            raise Uncertain("Infobip answered without its usual JSON")
        group, name = _status(messages[0].get("status"))
        if group in ("REJECTED", "UNDELIVERABLE", "EXPIRED"):
            fail(REJECTIONS.get(name, "refused"), f"Infobip answered {name or group}")
        identifier = messages[0].get("messageId")
        return (identifier,) if isinstance(identifier, str) else ()

    def probe(self) -> Call:
        """The account's balance."""
        return Call(method="GET", url=urljoin(self.send_url, "/account/1/balance"), headers=self._credentials())

    def read_probe(self, response: HttpResponse) -> str:
        """A key that may send but not read the balance is told 403: then it is at least a key."""
        if response.status == 403:
            return "Infobip knows the API key, which may not read the balance"
        return super().read_probe(response)

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": f"App {secret(self.settings.api_key)}", "Accept": JSON}


def _status(status: object) -> tuple[str, str]:
    """``groupName`` and ``name`` of a status object, each ``""`` unless it is one word in capitals."""
    if not isinstance(status, dict):
        return "", ""
    words = (status.get("groupName"), status.get("name"))
    group, name = (word if isinstance(word, str) and _WORD.fullmatch(word) else "" for word in words)
    return group, name


def _exception(document: object) -> str:
    """``requestError.serviceException.messageId``, such as UNAUTHORIZED; its text may hold a number."""
    for key in ("requestError", "serviceException", "messageId"):
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, str) and _WORD.fullmatch(document) else ""
