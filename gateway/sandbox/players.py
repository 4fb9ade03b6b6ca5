"""A player is one channel's provider, played by the type's stand-in over the real protocol."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from gateway.channelset import ChannelConfig
from gateway.sandbox.conversation import Conversation


class StandInServer(Protocol):
    """What the sandbox needs of a type's ``standin.StandIn``."""

    sent: list[Any]

    async def wait_for(self, condition: Callable[[Any], bool], timeout: float) -> Any:
        """Wait until the condition holds for what the gateway sent so far."""
        ...

    async def text(self, webhook_url: str, from_: str, text: str) -> Any:
        """Write to the gateway as a citizen; returns the gateway's answer."""
        ...

    def overrides(self, settings: Any) -> dict[str, str]:
        """The settings that point a channel at the stand-in."""
        ...


class Player:
    """Plays the provider of one channel: passes citizens' texts on, and shows what the gateway sends."""

    def __init__(self, config: ChannelConfig, standin: StandInServer) -> None:
        self.title = config.spec.title
        self.address = str(getattr(config.settings, "sender", "") or getattr(config.settings, "address", ""))
        self._name = config.name
        self._standin = standin

    async def text(self, webhook_url: str, sender: str, text: str) -> int:
        """Send one text as a citizen; returns the status with which the gateway answered its provider."""
        response = await self._standin.text(webhook_url, sender, text)
        return int(response.status)

    async def watch(self, conversation: Conversation, told: Callable[[str, str, str], None]) -> None:
        """Put every reply that the gateway sends into the conversation, and tell it."""
        seen = 0
        while True:
            sent = await self._standin.wait_for(lambda all_, n=seen: len(all_) > n, timeout=3600.0)  # type: ignore[misc]
            for message in sent[seen:]:
                await conversation.add(self._name, "gateway", message.to, message.text)
                told(message.sender, message.to, message.text)
            seen = len(sent)


def standin_of(config: ChannelConfig) -> Any:
    """The stand-in of a channel's type, for this channel's account; enter it to start its server."""
    module = importlib.import_module(f"channels.{config.spec.type}.standin")
    return module.StandIn(config.settings)
