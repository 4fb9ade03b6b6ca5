"""A player is one channel's provider, played by the type's stand-in over the real protocol."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from channels.standin import Draft, Heard, Shown, StandInServer, Trouble, Written
from gateway.channelset import ChannelConfig


class Player:
    """Plays the provider of one channel: passes citizens' messages on, shows what the gateway sends, makes trouble."""

    def __init__(self, config: ChannelConfig, standin: StandInServer[Heard]) -> None:
        self.name = config.name
        self.type = config.spec.type
        self.title = config.spec.title
        self.face = standin.face
        self.address = standin.address
        self.person = standin.person
        self.crowd_seconds = standin.crowd_seconds
        self.trouble: Trouble | None = None
        self._standin = standin

    async def write(self, webhook_url: str, draft: Draft) -> Written:
        """Hand a citizen's message to the gateway, again and again where it answers with a 5xx.

        Raises :class:`ValueError` for a sender or a message that is not there, and
        :class:`~channels.errors.ChannelError` or :class:`OSError` where the gateway does not answer.
        """
        return await self._standin.write(webhook_url, draft)

    def on_refusal(self, told: Callable[[int], None]) -> None:
        """Tell the status of each answer of the gateway that the provider does not leave at that."""
        self._standin.on_refusal = told

    async def order(self, trouble: Trouble | None) -> None:
        """Have something go wrong at the provider, or, with ``None``, all go well."""
        await self._standin.order(trouble)
        self.trouble = trouble

    async def watch(self, told: Callable[[str, Shown], None]) -> None:
        """Tell everything that the gateway sends, with who it is from, for ever."""
        seen = 0
        while True:
            try:
                sent = await self._standin.wait_for(partial(_more_than, seen), timeout=3600.0)
            except TimeoutError:
                continue
            for message in sent[seen:]:
                told(message.sender, self._standin.shown(message))
            seen = len(sent)


def _more_than(seen: int, sent: Sequence[Heard]) -> bool:
    return len(sent) > seen


def standin_of(config: ChannelConfig) -> StandInServer[Any]:
    """The stand-in of a channel's type, for this channel's account; enter it to start its server."""
    module = importlib.import_module(f"channels.{config.spec.type}.standin")
    standin: StandInServer[Any] = module.StandIn(config.settings)
    return standin
