"""Email: mail read by IMAP or taken by SMTP and LMTP, and answered by SMTP."""

from __future__ import annotations

from channels.base import Capability, ChannelSpec, Limits
from channels.email.channel import EmailChannel
from channels.email.settings import SECRET_FIELDS, EmailSettings

SPEC = ChannelSpec(
    type="email",
    title="Email",
    settings=EmailSettings,
    channel=EmailChannel,
    proof=lambda settings: settings.proof,
    limits=Limits(max_in_flight=8),
    capabilities=frozenset(
        {Capability.POLLING, Capability.LISTENER, Capability.RECEIPTS, Capability.ATTACHMENTS, Capability.THREADS}
    ),
    secret_fields=SECRET_FIELDS,
)

__all__ = ["SPEC", "EmailChannel", "EmailSettings"]
