"""Kannel, the open source SMS gateway (User's Guide 1.4.5, chapters "SMS services" and "Using the HTTP interface").

In: ``get-url`` with ``token=…&from=%p&to=%P&text=%a&id=%I&ts=%t&charset=%C``, or the same fields as a form.
Out: ``/cgi-bin/sendsms`` by GET. Kannel joins and splits long messages itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.base import InboundMessage, ReceiptOutcome, Request
from channels.errors import Malformed, Misconfigured, RetryLater
from channels.http import HttpResponse
from channels.sms.dialects.base import Dialect
from channels.sms.inbound import clean, decode, fields_of, message, raw_of, receipt, time_of
from channels.sms.outbound import Call, Verdict, fail, settle
from channels.sms.segments import encoding
from channels.sms.settings import secret

DELIVERED, FAILED, BUFFERED, TAKEN, REJECTED = 1, 2, 4, 8, 16
"""Bits of dlr-mask and of %d: the phone has it, or never will; the SMSC waits, has it, or refuses it."""

DLR_MASK = DELIVERED | FAILED | BUFFERED | TAKEN | REJECTED

_SAID: tuple[tuple[str, Verdict], ...] = (
    ("authorization failed", "credentials"),
    ("sender missing", "sender"),
    ("not routable", "refused"),
    ("temporal failure", "retry"),
    ("sending failed", "retry"),
)
"""What smsbox says, by what it means. Its 403 is a wrong password or a number that no SMSC of it takes."""

_STATUS = re.compile(r"^Status: (\w+)", re.MULTILINE)
_LINK = re.compile(r"^ +([^\s[]+)\[.*\((online|connecting|re-connecting|disconnected|dead|unknown)\b", re.MULTILINE)


class Kannel(Dialect):
    """Kannel's smsbox."""

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """One message. A missing text counts as an empty one: the citizen is answered rather than lost."""
        fields = fields_of(request)
        get = fields.get
        return (
            message(
                raw_of(request),
                self.sender(clean(get("from", ""))),
                text=decode(get("text", ""), get("charset", "")),
                recipient=clean(get("to", "")),
                provider_id=clean(get("id", "")),
                sent_at=time_of(get("ts", "")),
            ),
        )

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """One receipt; Kannel fills the status into the ``dlr-url`` that went out with the message."""
        fields = fields_of(request)
        status = fields.get("status", "")
        if not (status.isascii() and status.isdigit() and len(status) < 6):
            raise Malformed("the receipt has no status", reason="no_status")
        bits = int(status)
        outcome: ReceiptOutcome = "accepted"
        if bits & DELIVERED:
            outcome = "delivered"
        elif bits & (FAILED | REJECTED):
            outcome = "failed"
        return (
            receipt(
                raw_of(request),
                outcome,
                delivery=clean(fields.get("delivery", "")),
                code=status,
                sender=self.sender(clean(fields.get("to", ""))),
            ),
        )

    def probe(self) -> Call | None:
        """Bearerbox's status page, where the settings name it."""
        page = self.settings.status_page
        return Call(method="GET", url=secret(page)) if page is not None else None

    def read_probe(self, response: HttpResponse) -> str:
        """Bearerbox runs, and all of its links are on-line: those to carriers, and the one to us."""
        said = response.text
        running = _STATUS.search(said)
        if running is None:
            if response.status >= 500:
                settle(response)
            raise Misconfigured(
                "bearerbox does not show its status: a wrong password, or the address of something else",
                reason="bad_status_page",
            )
        if running[1] != "running":
            raise RetryLater(f"bearerbox is {running[1]}", reason="bearerbox_stopped")
        links = dict(_LINK.findall(said.partition("SMSC connections:")[2]))
        off = [f"{name} ({state})" for name, state in links.items() if state != "online"]
        if off or not links:
            raise RetryLater(f"not on-line at Kannel: {', '.join(off) or 'any link'}", reason="no_link")
        return f"bearerbox runs, all of its {len(links)} links are on-line"

    def call(self, to: str, text: str, delivery: str) -> Call:
        """Sendsms by GET; ``coding`` says the alphabet (0 GSM, 2 UCS-2), ``charset`` only how ``text`` is written."""
        # In dlr-url Kannel fills in %d and %A and reads %% as a percent sign, so every other percent is doubled.
        dlr_url = self.status_url(delivery=delivery, to=to).replace("%", "%%") + "&status=%d&answer=%A"
        return Call(
            method="GET",
            url=self.send_url,
            params={
                "username": self.settings.username or "",
                "password": secret(self.settings.password),
                "from": self.settings.sender,
                "to": to,
                "text": text,
                "charset": "UTF-8",
                "coding": "0" if encoding(text) == "gsm" else "2",
                "dlr-mask": str(DLR_MASK),
                "dlr-url": dlr_url,
            },
        )

    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """202 is yes ("0: Accepted for delivery", "3: Queued for later delivery"); Kannel gives no id."""
        said = response.text[:200].lower()
        if response.status == 202 or (response.status == 200 and said.startswith(("0:", "3:", "sent."))):
            return ()
        if 200 <= response.status < 300:
            raise Misconfigured("what answers at send_url is not Kannel's sendsms", reason="bad_url")
        for words, verdict in _SAID:
            if words in said:
                fail(verdict, f"Kannel answered {response.status}: {words}")
        settle(response)
        return ()
