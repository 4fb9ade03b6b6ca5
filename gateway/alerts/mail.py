"""Alerts by mail, in both languages, through the mail server of the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from channels.email.settings import server
from channels.email.smtp import Outlet
from channels.redaction import mask_email
from gateway.alerts.rules import TEST, Notice
from gateway.alerts.sinks import Message
from gateway.alerts.texts import body, headline

NAME: Final = "LAPOR! gateway"
WIRE: Final = SMTP.clone(max_line_length=998)
"""RFC 5322's own bound: folded headers are for eyes, and some readers unfold a Message-ID wrongly."""


class Mail:
    """Mails one address, ``to``, by way of ``smtp_url``: whoever is mailed is a sink, with a ledger, of their own."""

    def __init__(self, smtp_url: str, sender: str, to: str, zone: tzinfo, base_url: Callable[[], str]) -> None:
        self.name = f"email:{hashlib.sha256(to.encode()).hexdigest()[:8]}"
        self.shown = f"email to {mask_email(to)}"
        self._outlet = Outlet(server(smtp_url, "smtps", "smtp"), hostname=sender.rpartition("@")[2], connections=1)
        self._sender = sender
        self._to = to
        self._zone = zone
        self._base_url = base_url

    async def tell(self, message: Message) -> None:
        """Hand over the mail. Raises a :class:`~channels.errors.ChannelError` where the server does not take it."""
        mail = mail_of(
            message,
            sender=self._sender,
            to=self._to,
            zone=self._zone,
            base_url=self._base_url(),
            now=datetime.now(UTC),
        )
        await self._outlet.deliver(self._sender, self._to, mail.as_bytes(policy=WIRE))

    async def close(self) -> None:
        """End the connection."""
        await self._outlet.close()


def mail_of(message: Message, *, sender: str, to: str, zone: tzinfo, base_url: str, now: datetime) -> EmailMessage:
    """The mail: plain text, Indonesian above English.

    RFC 3834 has ``Auto-Submitted`` keep responders quiet. The Message-ID is of the change that is told, so that one
    told twice is the same mail; what follows of one trouble answers its first mail (RFC 5322 section 3.6.4).
    """
    domain = sender.rpartition("@")[2]
    # Two gateways that mail from one address count their changes each by itself.
    place = hashlib.sha256(base_url.encode()).hexdigest()[:8]
    mail = EmailMessage()
    mail["From"] = Address(NAME, addr_spec=sender)
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = f"[LAPOR!] {headline(message, 'id')} / {headline(message, 'en')}"
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{_told(message)}.{place}@{domain}>"
    first = message.notices[0]
    if len(message.notices) == 1 and first.began and first.changes[-1:] != [first.began]:
        mail["In-Reply-To"] = mail["References"] = f"<health-{first.began}.{place}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    parts = (body(message, language, zone, base_url) for language in ("id", "en"))
    mail.set_content("\n\n-- English --\n\n".join(parts) + "\n")
    return mail


def _told(message: Message) -> str:
    """A name for what the message tells, the same whenever it is told."""
    each = [_of_one(notice) for notice in message.notices]
    return each[0] if len(each) == 1 else f"{each[0]}-to-{each[-1]}-of-{len(each)}"


def _of_one(notice: Notice) -> str:
    if notice.state == TEST:
        return f"test-{notice.since:.0f}"
    # What was found to be over, without a change that says so, has no number of its own.
    return f"health-{notice.changes[-1]}" if notice.changes else f"health-{notice.began}-over"
