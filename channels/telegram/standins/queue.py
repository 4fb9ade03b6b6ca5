"""A bot's updates at Telegram: kept until acknowledged, handed to one asker at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from channels.telegram.standins.shapes import Json

DEFAULT_KINDS = frozenset({"message", "edited_message", "channel_post", "edited_channel_post", "callback_query"})
"""What comes where nothing was asked for; "getUpdates" lists what does not, and we need not have the rest."""


class Conflict(Exception):
    """Another call took this one's place."""


class Queue:
    """The updates of one bot."""

    def __init__(self) -> None:
        self.waiting: list[Json] = []
        self.kinds = DEFAULT_KINDS
        self._next = 700_000_001
        self._news = asyncio.Event()
        self._nudged = False
        self._asker: asyncio.Event | None = None

    @property
    def asked(self) -> bool:
        """Whether a call waits for news."""
        return self._asker is not None

    def number(self, kind: str, content: Json) -> Json:
        """Content as the next ``Update``."""
        self._next += 1
        return {"update_id": self._next, kind: content}

    def put(self, update: Json) -> None:
        """Keep an update, if its kind was asked for."""
        if self.kinds.isdisjoint(update):
            return
        self.waiting.append(update)
        self._news.set()

    def forget(self, offset: int) -> None:
        """Updates below ``offset`` are acknowledged; a negative one leaves so many of the last."""
        if offset < 0:
            self.waiting = self.waiting[offset:]
        elif offset:
            self.waiting = [one for one in self.waiting if one["update_id"] >= offset]

    async def ask(self, offset: int, limit: int, timeout: float, kinds: Sequence[str] | None) -> list[Json]:
        """The oldest updates, after at most ``timeout`` seconds. Raises :class:`Conflict` where another asks too."""
        if self._asker is not None:
            self._asker.set()
        self._asker = ousted = asyncio.Event()
        if kinds is not None:
            self.kinds = frozenset(kinds) or DEFAULT_KINDS
        self.forget(offset)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._until_news(ousted)
            if ousted.is_set():
                raise Conflict
            return self.waiting[:limit]
        finally:
            if self._asker is ousted:
                self._asker = None

    def nudge(self) -> None:
        """Answer the call that waits, if any, with what there is."""
        if self._asker is not None:
            self._nudged = True
            self._news.set()

    def close(self) -> None:
        """End the call that waits, if any."""
        if self._asker is not None:
            self._asker.set()

    async def _until_news(self, ousted: asyncio.Event) -> None:
        self._nudged = False
        while not (self.waiting or self._nudged or ousted.is_set()):
            self._news.clear()
            waits = {asyncio.ensure_future(event.wait()) for event in (self._news, ousted)}
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
