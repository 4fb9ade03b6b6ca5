"""One mailbox: the contract of :class:`channels.base.Channel` over IMAP or a listener, and SMTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from channels.base import Attachment, Channel, Host, InboundMessage, OutboundMessage, RawReader, Request, Sent
from channels.email.mail import our_message_id, part_bytes
from channels.email.outbound import compose, recipient
from channels.email.settings import EmailSettings
from channels.email.smtp import CONNECTIONS, Outlet
from channels.errors import Malformed, Unverified
from channels.receiving import Listener, Source, Take

PIECE = 64 * 1024


class EmailChannel(Channel):
    """A channel that reads a mailbox, takes mail at a port of its own, or both, and answers by SMTP."""

    settings: EmailSettings

    def __init__(self, name: str, settings: EmailSettings, host: Host) -> None:
        super().__init__(name, settings, host)
        self._outlet = Outlet(
            settings.smtp, hostname=settings.domain, connections=settings.max_in_flight or CONNECTIONS
        )

    def verify(self, request: Request) -> None:
        """Refuse: mail does not come by a webhook."""
        del request
        raise Unverified("an email channel has no webhook")

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """Refuse: mail does not come by a webhook."""
        del request
        raise Malformed("an email channel has no webhook")

    def sources(self) -> Sequence[Source]:
        """One for each folder of the mailbox."""
        from channels.email.imap import ImapSource

        server = self.settings.imap
        if server is None:
            return ()
        return [ImapSource(server, folder, self.settings) for folder in self.settings.folders]

    def listener(self, take: Take) -> Listener | None:
        """The port that our own mail server hands mails over to."""
        from channels.email.listener import MailListener

        return MailListener(self.name, self.settings, take) if self.settings.listen is not None else None

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand one mail to the SMTP server; its Message-ID is the same at every attempt."""
        settings = self.settings
        message_id = our_message_id(message.delivery, settings.domain)
        mail = compose(
            message,
            address=settings.address,
            from_name=settings.from_name,
            message_id=message_id,
            at=datetime.now(UTC),
        )
        await self._outlet.deliver(settings.address, recipient(message.to), mail)
        return Sent((message_id,))

    async def download(self, attachment: Attachment, raw: RawReader) -> AsyncIterator[bytes]:
        """The decoded bytes of one part of the mail."""
        found = await asyncio.to_thread(part_bytes, await raw(), attachment.reference)
        for start in range(0, len(found), PIECE):
            yield found[start : start + PIECE]

    async def probe(self) -> str:
        """Log in to both servers."""
        from channels.email.imap import probe

        server = self.settings.imap
        if server is not None:
            await probe(server)
        await self._outlet.probe()
        return "SMTP serves us" if server is None else "IMAP and SMTP serve us"

    async def close(self) -> None:
        """Leave the SMTP server."""
        await self._outlet.close()
