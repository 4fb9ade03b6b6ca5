"""Asking Telegram for updates ("getUpdates"): the offset of the next call acknowledges the last one's.

So a call's updates stay at Telegram (for a day) until they are durable here, and whoever asks next gets them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from channels.errors import ChannelError, Malformed, RetryLater
from channels.receiving import Fetched, Item, Source, Unreadable
from channels.telegram.api import Api
from channels.telegram.buttons import BY_DATA
from channels.telegram.inbound import ALLOWED, JSON, Bot, migration, press, read
from channels.telegram.outbound import Moves
from channels.telegram.shapes import decode, number, obj

BATCH = 100
"""Updates in one answer; Telegram gives no more."""

QUICK = 1.0
"""Seconds. Nothing, sooner than that: a server that does not hold the call open is not to be asked without end."""


def items_of(updates: Sequence[bytes], bot: Bot) -> list[Item]:
    """What each update brings, in order; one that cannot be read costs only itself."""
    found: list[Item] = []
    for raw in updates:
        try:
            found += read(raw, bot)
        except Malformed as error:
            found.append(Unreadable(raw, JSON, error.reason, str(error)))
    return found


class Updates(Source):
    """A bot's updates. The cursor is the next offset, as text; ``""`` asks for all that Telegram still has.

    ``learn`` tells who the bot is, asking Telegram where it must.
    """

    name = "updates"

    def __init__(self, api: Api, moves: Moves, learn: Callable[[], Awaitable[Bot]]) -> None:
        self._api = api
        self._moves = moves
        self._learn = learn
        self._begun = False
        self._pressed: list[tuple[str, str]] = []

    async def fetch(self, cursor: str) -> Fetched:
        """The next updates, waiting some 25 s for the first. Raises as :meth:`Source.fetch` says.

        "conflict" is the reason where another program asks for the same bot's updates.
        """
        bot = await self._learn()
        if not self._begun:
            # While a webhook is set, Telegram refuses to be asked; what waits for it is not dropped.
            await self._api.ask("deleteWebhook", drop_pending_updates=False)
            self._begun = True
        await self._answer_presses()
        asked = time.monotonic()
        raws = await self._api.updates(int(cursor) if cursor else None, BATCH, ALLOWED)
        if not raws:
            # Everything below the cursor is forgotten now, so it has served. After a week without an update
            # Telegram begins to count somewhere else ("Update", update_id): a number kept until then would be wrong.
            return Fetched((), "", rest=0.0 if time.monotonic() - asked > QUICK else QUICK)
        last = max(map(_update_id, raws))
        if not last:
            raise RetryLater("Telegram's updates bear no ids", reason="bad_answer")
        for raw in raws:
            if moved := migration(raw):
                await self._moves.remember(*moved)
            if pressed := press(raw):
                self._pressed.append(pressed)
        return Fetched(items_of(raws, bot), str(last + 1))

    async def _answer_presses(self) -> None:
        """End the clock on each pressed button, now that the press is durable. It is a courtesy: tried once."""
        pressed, self._pressed = self._pressed, []
        await asyncio.gather(*(self._answer_press(identifier, data) for identifier, data in pressed))

    async def _answer_press(self, identifier: str, data: str) -> None:
        button = BY_DATA.get(data)
        hint = {"text": button.hint, "show_alert": True} if button and button.hint else {}
        with contextlib.suppress(ChannelError):
            await self._api.call("answerCallbackQuery", callback_query_id=identifier, **hint)


def _update_id(raw: bytes) -> int:
    try:
        return number(obj(decode(raw)).get("update_id"))
    except Malformed:
        return 0
