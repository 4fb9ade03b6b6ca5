"""Handing mails to a mail server by SMTP (RFC 5321), and what its answers mean as the errors of the contract.

The commands are sent one by one, so that each answer is known for what it answers: the same 550 is our address
refused after MAIL, and the citizen's after RCPT.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal, NoReturn

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from channels.email.settings import Server
from channels.errors import Misconfigured, Refused, RetryLater, Uncertain

TIMEOUT: Final = 30.0
"""Seconds for one answer. RFC 5321 allows a server minutes; a delivery is tried again instead."""
CONNECTIONS: Final = 8
KEEP: Final = 20.0
"""Seconds that an unused connection stays open: a burst of replies shares it, and no server has to cut it."""

Step = Literal["greeting", "AUTH", "MAIL", "RCPT", "DATA", "NOOP"]

_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")


class Outlet:
    """A mail server that takes our mails, over a few connections that are kept for a while."""

    def __init__(
        self,
        server: Server,
        *,
        hostname: str,
        connections: int = CONNECTIONS,
        timeout: float = TIMEOUT,
        keep: float = KEEP,
    ) -> None:
        self._server = server
        self._hostname = hostname
        self._timeout = timeout
        self._keep = keep
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[tuple[SMTP, asyncio.TimerHandle]] = []

    async def deliver(self, sender: str, to: str, mail: bytes) -> None:
        """Hand over one mail for one recipient.

        Raises :class:`~channels.errors.RetryLater`, :class:`~channels.errors.Uncertain` where the connection broke
        after the mail was on its way, :class:`~channels.errors.Refused` or :class:`~channels.errors.Misconfigured`.
        """
        async with self._slots, self._session(sender) as client:
            await _said("RCPT", client.rcpt(to))
            try:
                await _said("DATA", client.data(mail))
            except RetryLater as error:
                if error.reason == "connection":
                    raise Uncertain("the connection broke before the server answered to DATA") from error
                raise

    async def probe(self) -> None:
        """Connect, log in and say NOOP. Raises like :meth:`deliver`."""
        async with self._slots:
            client = await self._connected()
            try:
                await _said("NOOP", client.noop())
            finally:
                client.close()

    async def close(self) -> None:
        """Leave, politely where the server still listens."""
        idle, self._idle = self._idle, []
        for client, timer in idle:
            timer.cancel()
            with contextlib.suppress(SMTPException, OSError):
                await client.quit(timeout=1.0)
            client.close()

    @asynccontextmanager
    async def _session(self, sender: str) -> AsyncIterator[SMTP]:
        """A connection on which MAIL is said; it is kept afterwards if all went well."""
        client = await self._begun(sender)
        try:
            yield client
        except BaseException:
            # Cancelled ones too: the server may be in the middle of a mail.
            client.close()
            raise
        timer = asyncio.get_running_loop().call_later(self._keep, self._let_go, client)
        self._idle.append((client, timer))

    async def _begun(self, sender: str) -> SMTP:
        while self._idle:
            client, timer = self._idle.pop()
            timer.cancel()
            try:
                await _said("MAIL", client.mail(sender))
            except RetryLater:
                # A server may cut an unused connection, or say 421, whenever it likes: that tells nothing.
                client.close()
                continue
            except BaseException:
                client.close()
                raise
            return client
        client = await self._connected()
        try:
            await _said("MAIL", client.mail(sender))
        except BaseException:
            client.close()
            raise
        return client

    async def _connected(self) -> SMTP:
        server = self._server
        # A password is shown to no network; without one, STARTTLS where it is offered.
        start_tls = False if server.tls or server.local else (True if server.username else None)
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            local_hostname=self._hostname,
            timeout=self._timeout,
            use_tls=server.tls,
            start_tls=start_tls,
        )
        try:
            await client.connect()
        except BaseException as error:
            client.close()
            if isinstance(error, SMTPException | OSError):
                _refused_at_connect(error)
            raise
        return client

    def _let_go(self, client: SMTP) -> None:
        self._idle = [(one, timer) for one, timer in self._idle if one is not client]
        client.close()


async def _said(step: Step, answer: object) -> None:
    """Await the answer to one command; raises what a no means. A server's own words are never passed on."""
    try:
        await answer  # type: ignore[misc]
    except SMTPResponseException as error:
        verdict(step, error.code, error.message)
    except (SMTPServerDisconnected, SMTPTimeoutError, OSError) as error:
        raise RetryLater(f"the connection broke at {step}", reason="connection") from error


def verdict(step: Step, code: int, message: str = "") -> NoReturn:
    """Raise what an answer other than yes means. ``message`` is searched for an enhanced code (RFC 3463) alone."""
    enhanced = _ENHANCED.match(message)
    said = f"the server answered {code}{f' {enhanced[0]}' if enhanced else ''} to {step}"
    reason = f"smtp_{code}"
    if code == 421:
        raise RetryLater(said, reason=reason, whole_channel=True)
    if code < 500:
        # What is said of RCPT and DATA is of this mail; what is said before them is of every mail.
        raise RetryLater(said, reason=reason, whole_channel=step in ("greeting", "AUTH", "MAIL"))
    if step == "AUTH" or code in (530, 534, 535, 538):
        raise Misconfigured(said, reason="credentials")
    if step in ("greeting", "NOOP"):
        raise Misconfigured(f"{said}: it does not serve us", reason="blocked")
    if step == "MAIL":
        raise Misconfigured(f"{said}: it does not let us send from this address", reason="sender")
    raise Refused(said, reason=reason)


def _refused_at_connect(error: SMTPException | OSError) -> NoReturn:
    cause = error.__cause__
    if isinstance(error, ssl.SSLError) or isinstance(cause, ssl.SSLError):
        raise Misconfigured("the server's certificate or its TLS is not accepted", reason="tls") from error
    if isinstance(error, SMTPAuthenticationError):
        verdict("AUTH", error.code, error.message)
    if isinstance(error, SMTPConnectResponseError | SMTPResponseException):
        verdict("greeting", error.code, error.message)
    if isinstance(error, SMTPConnectError | SMTPServerDisconnected | SMTPTimeoutError | OSError):
        raise RetryLater("no connection to the SMTP server", reason="connection") from error
    # What is left is what the server does not offer.
    raise Misconfigured("the server offers no STARTTLS or no way to log in", reason="credentials") from error
