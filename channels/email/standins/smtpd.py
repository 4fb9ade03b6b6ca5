"""A small SMTP server (RFC 5321) that takes what the gateway sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, cast

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.standin import Fault

# aiosmtpd logs whole mails at DEBUG, addresses at INFO, and what it does not understand at WARNING.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class StandInMail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail that the gateway sent, as a citizen's reader shows it. ``to`` is the envelope's recipient.

    ``headers`` are decoded, the first of each name, names in lower case. ``message_id`` has its angle brackets.
    """

    sender: str
    to: str
    text: str
    html: str
    subject: str
    message_id: str
    headers: dict[str, str]
    raw: bytes


def shown(raw: bytes, to: str) -> StandInMail:
    """A mail as a reader shows it."""
    mail = message_from_bytes(raw, policy=policy.default)
    headers: dict[str, str] = {}
    for name, value in mail.items():
        headers.setdefault(name.lower(), str(value).strip())
    return StandInMail(
        sender=parseaddr(headers.get("from", ""))[1],
        to=to,
        text=_body(mail, "plain"),
        html=_body(mail, "html"),
        subject=headers.get("subject", ""),
        message_id=headers.get("message-id", ""),
        headers=headers,
        raw=raw,
    )


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n") if part is not None else ""


class SmtpServer:
    """``knows`` tells who may log in; with ``open`` nobody has to."""

    def __init__(
        self,
        knows: Callable[[str, str], bool],
        fault: Callable[[], Fault | None],
        keep: Callable[[StandInMail], Awaitable[None]],
        closing: asyncio.Event,
        *,
        open: bool,  # noqa: A002 - as an open relay is called
    ) -> None:
        self._knows = knows
        self._fault = fault
        self._keep = keep
        self._closing = closing
        self._open = open
        self._server: asyncio.Server | None = None
        self._talking: set[Conversation] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.get_running_loop().create_server(lambda: Conversation(self), host, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            gone = [one.gone for one in self._talking]
            self.disconnect()
            if gone:
                await asyncio.wait(gone)
            await self._server.wait_closed()

    def disconnect(self) -> None:
        """Break every connection there is."""
        for one in tuple(self._talking):
            one.cut()

    def began(self, one: Conversation) -> None:
        """A connection is there."""
        self._talking.add(one)

    def ended(self, one: Conversation) -> None:
        """A connection is gone."""
        self._talking.discard(one)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Whether a login is right."""
        del server, session, envelope, mechanism
        known = isinstance(data, LoginPassword) and self._knows(data.login.decode(), data.password.decode())
        return AuthResult(success=known, handled=False, message=None if known else "535 5.7.8 Wrong user or password")

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only who logged in may send."""
        del server, options
        if not (self._open or session.authenticated):
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_DATA(self, server: Conversation, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail, unless a fault strikes."""
        del session
        fault = self._fault()
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.delay)
        if fault is None or fault.taken or fault.kind == "slow":
            for to in envelope.rcpt_tos:
                await self._keep(shown(envelope.original_content or b"", to))
        if fault is None or fault.kind == "slow":
            return "250 2.0.0 Taken"
        if fault.kind == "status":
            return "421 4.7.0 too many mails" if fault.status == 429 else "451 4.3.0 a fault of the stand-in"
        if fault.kind == "hang":
            await self._closing.wait()
        server.cut()
        return "421 4.3.2 a fault of the stand-in"


class Conversation(SMTP):
    """One connection."""

    def __init__(self, server: SmtpServer) -> None:
        super().__init__(
            server,
            hostname="standin.example.org",
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=server.authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._of = server
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._of.began(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        super().connection_lost(error)
        self._of.ended(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def cut(self) -> None:
        """Break the connection."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()  # uvloop's is none by inheritance
