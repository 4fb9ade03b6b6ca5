"""Kannel's smsbox, as its User's Guide and its answers describe it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qs, quote, urlsplit

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.settings import SmsSettings
from channels.sms.standins.base import E164, CitizenText, Provider, Received, Reply, StandInMessage, with_token

STATUS: dict[ReceiptOutcome, str] = {"delivered": "1", "failed": "2", "accepted": "8"}


def _says(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), "text/html")


class KannelProvider(Provider):
    """Sendsms by GET, and the ``get-url`` of an sms-service."""

    dialect = "kannel"
    method = "GET"
    path = "/cgi-bin/sendsms"

    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """Check what smsbox checks, and what our own contract adds: the plus, UTF-8, the right coding."""
        query = received.query
        if not self.knows(query.get("username", ""), query.get("password", "")):
            return _says(403, "Authorization failed for sendsms")
        if not query.get("to"):
            return _says(400, "Missing receiver number, rejected")
        if not query.get("from"):
            return _says(400, "Sender missing and no global set, rejected")
        if not E164.fullmatch(query["to"]):
            return _says(400, "Number(s) has/have been denied by white- and/or black-lists.")
        if query.get("charset") != "UTF-8" or query.get("coding") not in ("0", "2"):
            return _says(400, "Charset or body misformed, rejected")
        if not query.get("dlr-mask", "").isdigit():
            return _says(400, "DLR-Mask field misformed, rejected")
        pattern = query.get("dlr-url", "")
        return StandInMessage(
            dialect=self.dialect,
            id=identifier,
            to=query["to"],
            sender=query["from"],
            text=query.get("text", ""),
            delivery=parse_qs(urlsplit(_filled(pattern, {})).query).get("delivery", [""])[0],
            status_url=pattern,
            at=at,
        )

    def yes(self, message: StandInMessage) -> Reply:  # noqa: ARG002 - Kannel names no message
        """The answer of a bearerbox that has an SMSC at hand."""
        return _says(202, "0: Accepted for delivery")

    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:
        """Kannel joins the parts of a long message before it passes it on."""
        fields = {
            "from": text.sender,
            "to": text.to,
            "text": text.text,
            "ts": text.at.strftime("%Y-%m-%d %H:%M:%S"),
            "charset": "UTF-8",
        }
        if text.id:
            fields["id"] = text.id
        return [Call(method="GET", url=url, params=with_token(settings) | fields)]

    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:  # noqa: ARG002
        """Fill the escapes of the dlr-url in, as Kannel does."""
        url = _filled(message.status_url, {"d": STATUS[outcome], "A": ""})
        return Call(method="GET", url=url)


def _filled(pattern: str, values: Mapping[str, str]) -> str:
    """``pattern`` with %d and the like replaced and %% read as a percent sign; others are left as they are."""
    filled, rest = "", pattern
    while "%" in rest:
        before, _, rest = rest.partition("%")
        escape, rest = rest[:1], rest[1:]
        filled += before + ("%" if escape == "%" else quote(values[escape]) if escape in values else f"%{escape}")
    return filled + rest
