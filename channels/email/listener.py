"""A port that our own mail server hands mails over to, by SMTP (RFC 5321) or LMTP (RFC 2033).

250 is said only once the mail is durable; where it cannot be made durable the peer hears 451 and keeps it. Only
known peers may write, and only to our own addresses: nothing is relayed.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any, AnyStr, Final, cast

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.email.mail import Reading, read_mail
from channels.email.settings import EmailSettings, endpoint
from channels.errors import RetryLater
from channels.peers import parsed, shown, within
from channels.receiving import Take

CONNECTIONS: Final = 50
TIMEOUT: Final = 300.0
"""Seconds between two commands of a peer (RFC 5321, 4.5.3.2.7), and for the whole of one mail."""
LINE_BYTES: Final = 256 * 1024
"""Far more than the 1000 of RFC 5321: a mail with an overlong line is a citizen's mail all the same."""
RECIPIENTS: Final = 100
LEAVE_SECONDS: Final = 1.0
"""How long a peer that was told goodbye may take to hear it."""

# aiosmtpd logs whole mails at DEBUG, addresses at INFO, and what it does not understand at WARNING.
logging.getLogger("mail.log").setLevel(logging.ERROR)

log = structlog.get_logger(__name__)


class MailListener:
    """The :class:`~channels.receiving.Listener` of one channel."""

    def __init__(self, name: str, settings: EmailSettings, take: Take, *, timeout: float = TIMEOUT) -> None:
        if settings.listen is None:
            raise ValueError("listen is not set")
        self.settings = settings
        self.take = take
        self.peers: set[Peer] = set()
        self._name = name
        self._timeout = timeout
        self._address = endpoint(settings.listen)
        bounds = (settings.peers, settings.allow_from or None)
        self._allowed = [networks for networks in bounds if networks is not None]
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the port. Raises :class:`OSError`."""
        if not self._allowed:
            log.warning("mail is taken from whoever reaches the port", channel=self._name)
        host, port = self._address
        self._server = await asyncio.get_running_loop().create_server(lambda: Door(self), host, port, backlog=100)

    async def stop(self) -> None:
        """Take no more, let the mails that are being made durable get their answer, and cut the rest."""
        if self._server is None:
            return
        self._server.close()
        taking = [peer.gone for peer in self.peers if not peer.leave()]
        if taking:
            await asyncio.wait(taking)
        if self.peers:
            await asyncio.wait([peer.gone for peer in self.peers], timeout=LEAVE_SECONDS)
        for peer in tuple(self.peers):
            peer.cut()
        await self._server.wait_closed()
        self._server = None

    def refusal(self, address: str) -> str:
        """What a peer hears that may not write now; ``""`` for one that may."""
        found = parsed(address)
        if not all(within(found, networks) for networks in self._allowed):
            log.warning("a host that may not write here was refused", channel=self._name, network=shown(found))
            return "554 5.7.1 This host may not write here"
        if len(self.peers) >= CONNECTIONS:
            return "421 4.3.2 Too many connections, try again later"
        return ""

    def peer(self) -> Peer:
        """The protocol of one connection."""
        kind = LmtpPeer if self.settings.protocol == "lmtp" else Peer
        return kind(
            self,
            data_size_limit=self.settings.max_size,
            enable_SMTPUTF8=True,
            hostname=self.settings.domain,
            ident="LAPOR",
            timeout=self._timeout,
            loop=asyncio.get_running_loop(),
        )


class Door(asyncio.Protocol):
    """Looks at who comes, before anything is said."""

    def __init__(self, listener: MailListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection over to a :class:`Peer`, or refuse it."""
        transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        refusal = self._listener.refusal(transport.get_extra_info("peername")[0])
        if refusal:
            transport.write(f"{refusal}\r\n".encode())
            transport.close()
            return
        peer = self._listener.peer()
        transport.set_protocol(peer)
        peer.connection_made(transport)


class Handler:
    """What aiosmtpd asks about one connection: the names are its hooks."""

    def __init__(self, listener: MailListener) -> None:
        self._listener = listener
        self.taking = False

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only our own addresses are taken."""
        del server, session, options
        if address.lower() not in self._listener.settings.own_addresses:
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Make the mail durable, and only then say yes."""
        del server, session
        sender = (envelope.mail_from or "").encode("utf-8", "replace").decode()
        reading = Reading(
            own_addresses=self._listener.settings.own_addresses,
            trusted_authserv=self._listener.settings.trusted_authserv,
            envelope_from="" if sender == "<>" else sender,  # the null return path, RFC 5321, 4.5.5
            received_at=datetime.now(UTC),
        )
        self.taking = True
        try:
            message = await asyncio.to_thread(read_mail, envelope.original_content or b"", reading)
            await self._listener.take([message])
        except RetryLater as error:
            log.warning("a mail was put off", reason=error.reason)
            return "451 4.3.0 It cannot be kept now, try again later"
        finally:
            self.taking = False
        return "250 2.0.0 Kept"

    async def handle_exception(self, error: Exception) -> str:
        """What the peer hears of an error nobody foresaw: it keeps the mail."""
        log.error("an SMTP session failed", error=type(error).__name__)
        return "451 4.3.0 An error on our side, try again later"


class Peer(SMTP):
    """One connection, by SMTP. ``gone`` is done once it is closed."""

    line_length_limit = LINE_BYTES

    def __init__(self, listener: MailListener, **options: Any) -> None:
        self._handler = Handler(listener)
        super().__init__(self._handler, **options)
        self._peers = listener.peers
        self._leaving = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._peers.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        super().connection_lost(error)
        self._peers.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    async def push(self, status: AnyStr) -> None:
        """Answer; a peer that was to leave does so behind its last answer."""
        await super().push(status)
        if self._leaving and self.transport is not None:
            self.transport.close()

    def leave(self) -> bool:
        """Say goodbye; false where a mail is being made durable, whose answer then is the last."""
        self._leaving = True
        if self._handler.taking:
            return False
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).write(b"421 4.3.2 Closing, try again later\r\n")
            self.transport.close()
        return True

    def cut(self) -> None:
        """End the connection now."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()


class LmtpPeer(Peer, LMTP):
    """One connection, by LMTP: what became of a mail is said once for each recipient (RFC 2033, 4.2)."""

    def __init__(self, listener: MailListener, **options: Any) -> None:
        super().__init__(listener, **options)
        self._recipients = 0

    async def push(self, status: AnyStr) -> None:
        """Answer, and after the end of a mail as often as it has recipients."""
        times, self._recipients = self._recipients or 1, 0
        for _ in range(times):
            await super().push(status)
        if isinstance(status, str) and status.startswith("354") and self.envelope is not None:
            self._recipients = len(self.envelope.rcpt_tos)
