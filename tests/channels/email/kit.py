"""The email channel, for the contract test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from channels.base import Channel, Request
from channels.email.mail import Reading, read_mail
from channels.receiving import Item
from tests.channels.email.smtpd import SmtpServer
from tests.channels.goldens import Golden
from tests.channels.host import request
from tests.channels.kit import Exchange, Kit, attempt

SECRETS = ("pa55-word", "0ther-pa55")
SETTINGS: Mapping[str, Any] = {
    "type": "email",
    "address": "lapor@example.go.id",
    "aliases": ["pengaduan@example.go.id"],
    "imap_url": f"imaps://lapor:{SECRETS[1]}@mail.example.go.id",
    "smtp_url": f"smtps://lapor:{SECRETS[0]}@mail.example.go.id",
    "trusted_authserv": "mx.example.go.id",
}


class EmailKit(Kit):
    type: ClassVar[str] = "email"
    settings: ClassVar[Mapping[str, Any]] = SETTINGS
    secrets: ClassVar[Sequence[str]] = SECRETS

    def read(self, channel: Channel, case: Mapping[str, Any]) -> Sequence[Item]:
        """A mail's lines end as they do on the way; ``envelope_from`` is what its SMTP peer said."""
        reading = Reading(
            own_addresses=channel.settings.own_addresses,
            trusted_authserv=channel.settings.trusted_authserv,
            envelope_from=case.get("envelope_from"),
            received_at=datetime(2026, 11, 22, tzinfo=UTC),
        )
        return [read_mail(case["mail"].replace("\n", "\r\n").encode(), reading)]

    async def exchange(self, golden: Golden) -> Exchange:
        async with SmtpServer(golden.case.get("answer")) as server:
            channel = self.channel(golden.settings | {"smtp_url": server.url})
            received: list[dict[str, Any]] = []
            exchange = await attempt(channel, golden, received)
            received += [msgspec.to_builtins(one) | {"raw": one.raw.decode()} for one in server.delivered]
            return exchange

    def citizen(self, n: int) -> str:
        return f"warga{n}@example.org"

    def unproven(self) -> Sequence[tuple[str, Request]]:
        return [
            ("a webhook that there is not", request(channel="email", document={"from": "ana@example.org"})),
            ("a mail by HTTP", request(channel="email", method="POST", body=b"From: ana@example.org\r\n\r\nHalo")),
        ]


KIT = EmailKit()
