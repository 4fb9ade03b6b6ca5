"""A real Postfix and a real Dovecot of ours, and the citizens' own mail server."""

from __future__ import annotations

import asyncio
import smtplib
from contextlib import AsyncExitStack

from tests.channels.email.dovecot import Dovecot
from tests.channels.email.postfix import Postfix
from tests.channels.email.smtpd import SmtpServer

CITIZEN = "ana@example.org"
OURS = "lapor@example.go.id"


class Town:
    """Our mail servers and the citizens' own. ``listen`` is where Postfix hands our mail to: Dovecot unless set."""

    def __init__(self) -> None:
        self.dovecot = Dovecot()
        self.citizens = SmtpServer(login=False)
        self._stack = AsyncExitStack()

    async def start(self, *, listen: int = 0) -> Town:
        await self._stack.enter_async_context(self.dovecot)
        await self._stack.enter_async_context(self.citizens)
        self.postfix = await self._stack.enter_async_context(
            Postfix(
                lmtp=listen or self.dovecot.lmtp_port,
                citizens=self.citizens.port,
                auth=self.dovecot.auth_port,
            )
        )
        return self

    async def stop(self) -> None:
        await self._stack.aclose()

    async def post(self, mail: bytes) -> None:
        """A citizen's mail reaches our Postfix."""

        def deliver() -> None:
            with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=20) as client:
                client.sendmail(CITIZEN, [OURS], mail)

        await asyncio.to_thread(deliver)
