"""Telegram: a bot that citizens write to, in private chats and in groups, over the Bot API."""

from __future__ import annotations

from channels.base import Capability, ChannelSpec, Limits
from channels.telegram.channel import TelegramChannel
from channels.telegram.settings import SECRET_FIELDS, TelegramSettings

SPEC = ChannelSpec(
    type="telegram",
    title="Telegram",
    settings=TelegramSettings,
    channel=TelegramChannel,
    proof=lambda settings: settings.proof,
    # "Broadcasting to users" in the Bot FAQ: about 30 messages a second. An update with long texts that it quotes
    # is some ten KiB.
    limits=Limits(max_per_second=30.0, max_body=1024 * 1024),
    capabilities=frozenset(
        {
            Capability.WEBHOOK,
            Capability.POLLING,
            Capability.EDITS,
            Capability.ATTACHMENTS,
            Capability.THREADS,
            Capability.PUBLIC,
            Capability.PRIVATE_CONVERSATION,
        }
    ),
    secret_fields=SECRET_FIELDS,
)

__all__ = ["SPEC", "TelegramChannel", "TelegramSettings"]
