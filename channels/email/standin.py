"""A local mail server that plays the mailbox's provider, for tests, the sandbox and the demo.

It takes what the gateway sends by SMTP and keeps it in ``sent``; a citizen's mail lies in a mailbox in memory that is
read by IMAP, or is delivered to the gateway's own listener where the account has no ``imap_url``.
"""

from __future__ import annotations

import asyncio
import smtplib
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from types import TracebackType
from urllib.parse import quote
from uuid import uuid4

import msgspec
from pydantic import SecretStr

from channels.email.settings import EmailSettings, Server, endpoint
from channels.email.standins.imapd import ImapServer
from channels.email.standins.smtpd import SmtpServer, StandInMail
from channels.standin import Draft, Fault, Shown, StandInServer, Trouble, Written

__all__ = ["Fault", "Posted", "StandIn", "StandInMail"]


class Posted(msgspec.Struct, frozen=True):
    """What became of a citizen's mail: 200 once it lies in the mailbox or the listener said 250, else its code."""

    status: int


class StandIn(StandInServer[StandInMail]):
    """``accounts`` are the settings whose users it knows (none: any will do). ``port`` is that of SMTP.

    A fault strikes every mail that is handed over and every command of IMAP after the greeting: ``status`` is 451
    there and NO here. ``imap`` is the mailbox's server, with its folders.
    """

    citizen = "warga@example.org"
    face = "mailbox"

    def __init__(self, *accounts: EmailSettings, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.accounts = accounts
        self.url = ""
        self.address = accounts[0].address if accounts else ""
        self.imap = ImapServer(self._knows_reader, self._fault, self._closing)
        users = any(account.smtp.username for account in accounts)
        self._smtp = SmtpServer(self._knows_sender, self._fault, self._keep, self._closing, open=not users)
        self._bind = (host, port)
        self._ports = (0, 0)
        self._knows_nobody = False

    async def __aenter__(self) -> StandIn:
        host, port = self._bind
        self._ports = (await self._smtp.start(host, port), await self.imap.start(host))
        self.url = f"smtp://{host}:{self._ports[0]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._smtp.stop()
        await self.imap.stop()

    def overrides(self, settings: EmailSettings) -> dict[str, SecretStr]:
        """The settings that point a channel here, with its own users and passwords."""
        found = {"smtp_url": self._secret("smtp", settings.smtp, self._ports[0])}
        if settings.imap is not None:
            found["imap_url"] = self._secret("imap", settings.imap, self._ports[1])
        return found

    async def text(
        self,
        webhook_url: str,
        from_: str,
        text: str,
        *,
        subject: str = "",
        reply_to: StandInMail | None = None,
        raw: bytes | None = None,
        at: datetime | None = None,
        settings: EmailSettings | None = None,
    ) -> Posted:
        """Write to the gateway as a citizen; ``reply_to`` is a mail of ``sent``, ``raw`` a whole mail instead.

        ``at`` is when it arrived in the mailbox. Raises :class:`OSError` or :class:`smtplib.SMTPException` where the
        listener cannot be reached.
        """
        del webhook_url
        account = settings or self.accounts[0]
        mail = raw if raw is not None else written(from_, account.address, text, subject, reply_to)
        if account.imap is not None:
            self.imap.folders["INBOX"].add(mail, at)
            return Posted(200)
        return Posted(await asyncio.to_thread(_deliver, account, from_, mail))

    async def write(self, webhook_url: str, draft: Draft) -> Written:
        """Write a mail, or answer one of ``sent`` by its Message-ID."""
        account = self.accounts[0]
        answered = next((mail for mail in self.sent if mail.message_id == draft.reply_to), None)
        mail = written(draft.sender, account.address, draft.text, draft.subject, answered)
        identifier = str(message_from_bytes(mail, policy=policy.default)["Message-ID"])
        posted = await self.text(webhook_url, draft.sender, draft.text, raw=mail)
        return Written(identifier, posted.status)

    def shown(self, message: StandInMail) -> Shown:
        """A mail, named by its Message-ID."""
        return Shown(
            id=message.message_id,
            to=message.to,
            text=message.text,
            subject=message.subject,
            reply_to=message.headers.get("in-reply-to", ""),
        )

    async def order(self, trouble: Trouble | None) -> None:
        """Every connection breaks, so that what waits for news hears of it; refused credentials are a login's."""
        await super().order(trouble)
        self._knows_nobody = trouble == "credentials"
        if self._knows_nobody:
            self.fault = None
        self._smtp.disconnect()
        await self.imap.disconnect()

    def _secret(self, scheme: str, server: Server, port: int) -> SecretStr:
        user = f"{quote(server.username, safe='')}:{quote(server.password, safe='')}@" if server.username else ""
        return SecretStr(f"{scheme}://{user}{self._bind[0]}:{port}")

    def _knows_reader(self, username: str, password: str) -> bool:
        if self._knows_nobody:
            return False
        return not self.accounts or (username, password) in [
            (one.imap.username, one.imap.password) for one in self.accounts if one.imap is not None
        ]

    def _knows_sender(self, username: str, password: str) -> bool:
        if self._knows_nobody:
            return False
        return not self.accounts or (username, password) in [
            (one.smtp.username, one.smtp.password) for one in self.accounts
        ]


def written(from_: str, to: str, text: str, subject: str = "", reply_to: StandInMail | None = None) -> bytes:
    """A citizen's mail as a common program writes it."""
    mail = EmailMessage()
    mail["From"] = from_
    mail["To"] = to
    if subject or reply_to is not None:
        mail["Subject"] = subject if reply_to is None else f"Re: {reply_to.subject.removeprefix('Re: ')}"
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{uuid4().hex}@{from_.rpartition('@')[2]}>"
    if reply_to is not None:
        mail["In-Reply-To"] = reply_to.message_id
        mail["References"] = f"{reply_to.headers.get('references', '')} {reply_to.message_id}".strip()
    mail.set_content(text)
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n", max_line_length=998))


def _deliver(account: EmailSettings, from_: str, mail: bytes) -> int:
    """Hand a mail to the gateway's listener, as our own mail server would; returns 200 or the refusal's code."""
    host, port = endpoint(account.listen or "")
    kind = smtplib.LMTP if account.protocol == "lmtp" else smtplib.SMTP
    with kind(host, port, local_hostname="standin.example.org") as client:
        try:
            client.sendmail(from_, [account.address], mail)
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return min(code for code, _ in error.recipients.values())
    return 200
