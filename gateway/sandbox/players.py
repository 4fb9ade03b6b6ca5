"""A player is one channel's provider, played by the type's stand-in over the real protocol."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from channels.standin import Heard, StandInServer
from gateway.channelset import ChannelConfig
from gateway.sandbox.conversation import Conversation


class Player:
    """Plays the provider of one channel: passes citizens' texts on, and shows what the gateway sends."""

    def __init__(self, config: ChannelConfig, standin: StandInServer[Heard]) -> None:
        self.name = config.name
        self.title = config.spec.title
        self.address = standin.address
        self.citizen = standin.citizen
        self._standin = standin

    async def text(self, webhook_url: str, sender: str, text: str) -> int:
        """Send one text as a citizen; returns the status with which the gateway answered its provider."""
        response = await self._standin.text(webhook_url, sender, text)
        return int(response.status)

    async def watch(self, conversation: Conversation, told: Callable[[str, str, str], None]) -> None:
        """Put every reply that the gateway sends into the conversation, and tell it."""
        seen = 0
        while True:
            sent = await self._standin.wait_for(partial(_more_than, seen), timeout=3600.0)
            for message in sent[seen:]:
                await conversation.add(self.name, "gateway", message.to, message.text)
                told(message.sender, message.to, message.text)
            seen = len(sent)


def _more_than(seen: int, sent: Sequence[Heard]) -> bool:
    return len(sent) > seen


def standin_of(config: ChannelConfig) -> StandInServer[Any]:
    """The stand-in of a channel's type, for this channel's account; enter it to start its server."""
    module = importlib.import_module(f"channels.{config.spec.type}.standin")
    standin: StandInServer[Any] = module.StandIn(config.settings)
    return standin
