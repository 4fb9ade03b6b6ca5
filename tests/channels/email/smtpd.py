"""A real SMTP server on a free port that answers each command as it is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Any, cast

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

logging.getLogger("mail.log").setLevel(logging.ERROR)


class Delivered(msgspec.Struct, frozen=True):
    """What came by DATA, as a reader shows it, and its envelope."""

    sender: str
    to: list[str]
    headers: dict[str, str]
    text: str
    html: str
    raw: bytes


class SmtpServer:
    """``answers`` holds, by step, what is said instead of yes: ``greeting``, ``auth``, ``mail``, ``rcpt``, ``data``
    (before the mail), ``end`` (behind it) and ``noop``; ``"cut"`` breaks the connection, ``"hang"`` says nothing.
    ``connections`` are those opened so far, ``arrived`` is set once a mail came.
    """

    def __init__(self, answers: Mapping[str, str] | None = None, *, login: bool = True) -> None:
        self.answers = dict(answers or {})
        self.delivered: list[Delivered] = []
        self.connections = 0
        self.port = 0
        self.url = ""
        self.open: set[Connection] = set()
        self.arrived = asyncio.Event()
        self.offers_login = login

    async def __aenter__(self) -> SmtpServer:
        self._server = await asyncio.get_running_loop().create_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"smtp://lapor:pa55-word@127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await self.until_idle()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection."""
        for connection in tuple(self.open):
            connection.cut()

    async def until_idle(self) -> None:
        """Wait until no connection is open."""
        for connection in tuple(self.open):
            await connection.gone.wait()

    def _connection(self) -> asyncio.Protocol:
        self.connections += 1
        return Connection(self)

    def authenticate(self, *_: Any) -> AuthResult:
        said = self.answers.get("auth")
        return AuthResult(success=said is None, handled=False, message=said)

    async def handle_MAIL(  # noqa: N802
        self, server: Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await server.told("mail", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await server.told("rcpt", "250 OK")
        if said.startswith("2"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_NOOP(self, server: Connection, session: Session, envelope: Envelope, arg: str) -> str:  # noqa: N802
        return await server.told("noop", "250 OK")

    async def handle_DATA(self, server: Connection, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        mail = message_from_bytes(raw, policy=policy.default)
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert html is not None
        self.delivered.append(
            Delivered(
                envelope.mail_from or "",
                list(envelope.rcpt_tos),
                {name: str(value).strip() for name, value in mail.items()},
                plain.get_content().replace("\r\n", "\n"),
                html.get_content().replace("\r\n", "\n"),
                raw,
            )
        )
        self.arrived.set()
        return await server.told("end", "250 2.0.0 Taken")


class Connection(SMTP):
    """One connection of a :class:`SmtpServer`."""

    def __init__(self, server: SmtpServer) -> None:
        super().__init__(
            server,
            hostname="mail.example.org",
            auth_require_tls=not server.offers_login,
            authenticator=server.authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._of = server
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._of.open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._of.open.discard(self)
        self.gone.set()

    def cut(self) -> None:
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()  # uvloop's is none by inheritance

    async def told(self, step: str, otherwise: str) -> str:
        said = self._of.answers.get(step, otherwise)
        if said == "hang":
            await self.gone.wait()
        if said in ("cut", "hang"):
            self.cut()
            raise ConnectionResetError
        return said

    async def push(self, status: Any) -> None:
        """The greeting and the go-ahead for a mail are not left to a hook."""
        if isinstance(status, str) and status.startswith("220 "):
            status = await self.told("greeting", status)
        elif isinstance(status, str) and status.startswith("354 "):
            status = await self.told("data", status)
        await super().push(status)
