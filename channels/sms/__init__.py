"""SMS: short messages in and out over a provider's HTTP API, one dialect a provider."""

from __future__ import annotations

from channels.base import Capability, ChannelSpec, Limits
from channels.sms.channel import SmsChannel
from channels.sms.settings import SECRET_FIELDS, SmsSettings

SPEC = ChannelSpec(
    type="sms",
    title="SMS",
    settings=SmsSettings,
    channel=SmsChannel,
    proof=lambda settings: settings.proof,
    limits=Limits(),
    capabilities=frozenset({Capability.WEBHOOK, Capability.RECEIPTS, Capability.PRIVATE_CONVERSATION}),
    secret_fields=SECRET_FIELDS,
)

__all__ = ["SPEC", "SmsChannel", "SmsSettings"]
