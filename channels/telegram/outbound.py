"""Handing a reply to Telegram: where it goes, how it is cut, and what the request holds ("sendMessage")."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import msgspec

from channels.base import OutboundMessage, Sent
from channels.errors import ChannelError, Refused, RetryLater, Uncertain
from channels.receiving import Kept
from channels.telegram.api import Api, Moved
from channels.telegram.buttons import keyboard
from channels.telegram.pacing import Pacer
from channels.telegram.shapes import number, obj

MAX_UNITS = 4096
"""Of one message, in UTF-16 code units, which is what Telegram counts in."""
COURTESY_SECONDS = 1.0

_ID = re.compile(r"-?[1-9][0-9]{0,18}")


class Place(msgspec.Struct, frozen=True):
    """Where a reply goes: ``reply_to`` is a message's id in the chat, ``topic`` a forum topic's, 0 for none.

    ``press`` is the id of the button's press that it answers.
    """

    chat: int
    reply_to: int = 0
    topic: int = 0
    press: str = ""


def place_of(message: OutboundMessage) -> Place:
    """Where a reply goes. Raises :class:`Refused` where that is no chat's id."""
    chat = message.thread.conversation or message.to
    if not _ID.fullmatch(chat):
        raise Refused("the recipient is no chat of Telegram's", reason="chat_not_found")
    reply_to, press = 0, ""
    for at, answered in enumerate(message.thread.replies_to):
        where, _, what = answered.partition(":")
        if at == 0 and what.startswith("press:"):
            press = what.removeprefix("press:")
        elif where == chat and _ID.fullmatch(what):
            reply_to = int(what)
            break
    topic = message.thread.topic
    return Place(int(chat), reply_to, int(topic) if _ID.fullmatch(topic) else 0, press)


def pieces(text: str) -> list[str]:
    """``text`` as messages that Telegram takes, cut at a line's end or a blank. Raises :class:`Refused` for none."""
    rest = text.strip()
    found = []
    while rest:
        end = _fitting(rest)
        if end < len(rest):
            end = next((cut for mark in ("\n", " ") if (cut := rest.rfind(mark, end // 2, end + 1)) > 0), end)
        found.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if not found:
        raise Refused("the text is empty", reason="empty_text")
    return found


def _fitting(text: str) -> int:
    """How many characters from the start fit into one message."""
    units = 0
    for at, character in enumerate(text):
        units += 2 if character > "\uffff" else 1
        if units > MAX_UNITS:
            return at
    return len(text)


def request(place: Place, text: str, *, buttons: bool) -> dict[str, Any]:
    """The parameters of sendMessage. Plain text: nothing a citizen or an agency wrote is read as markup."""
    parameters: dict[str, Any] = {
        "chat_id": place.chat,
        "text": text,
        "link_preview_options": {"is_disabled": True},
    }
    if place.reply_to:
        # A message that was deleted meanwhile is answered nevertheless.
        parameters["reply_parameters"] = {"message_id": place.reply_to, "allow_sending_without_reply": True}
    if place.topic:
        parameters["message_thread_id"] = place.topic
    if buttons:
        parameters["reply_markup"] = {"inline_keyboard": keyboard()}
    return parameters


class Moves:
    """Which groups have become supergroups, kept in the store: replies to the old id go to the new one."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._known: dict[int, int] = {}

    async def now(self, chat: int) -> int:
        """The id that a chat has now. Raises :class:`RetryLater` while the store is away."""
        # Ids from -100… on are supergroups and channels; only a plain group can move.
        if not -(10**12) < chat < 0:
            return chat
        if chat not in self._known and (there := await self._kept.get(f"moved:{chat}")):
            self._known[chat] = int(there)
        return self._known.get(chat, chat)

    async def remember(self, old: int, new: int) -> None:
        """A group has moved. Raises :class:`RetryLater` while the store is away."""
        if self._known.get(old) != new:
            await self._kept.put(f"moved:{old}", str(new))
            self._known[old] = new


class Speaker:
    """Sends replies, each chat at its own pace. ``answers_presses`` tells that nobody else does."""

    def __init__(self, api: Api, moves: Moves, *, answers_presses: bool) -> None:
        self._api = api
        self._moves = moves
        self._answers_presses = answers_presses
        self._pacer = Pacer()

    async def send(self, message: OutboundMessage) -> Sent:
        """Send one reply; a text too long for one message goes out as several.

        Where one of several fails after another was taken, the whole is sent again: that is
        :class:`~channels.errors.Uncertain`, so that the doubling is counted.
        """
        place = place_of(message)
        texts = pieces(message.text)
        buttons = message.purpose == "acknowledgement" and not message.thread.public and place.chat > 0
        place = _there(place, await self._moves.now(place.chat))
        if place.press and self._answers_presses:
            await self._end_clock(place.press)
        ids: list[str] = []
        for text in texts:
            try:
                taken = await self._one(place, text, buttons=buttons and len(ids) == len(texts) - 1)
            except ChannelError as error:
                if not ids or isinstance(error, Uncertain):
                    raise
                raise Uncertain(f"{len(ids)} messages of this reply were taken, the next was not: {error}") from error
            place = _there(place, taken[0])
            ids.append(f"{taken[0]}:{taken[1]}")
        return Sent(tuple(ids))

    async def _end_clock(self, press: str) -> None:
        """End the clock on a pressed button, a courtesy.

        Before the reply: behind it, a timeout of the delivery's would make one that was sent look uncertain.
        """
        with contextlib.suppress(ChannelError, TimeoutError):
            async with asyncio.timeout(COURTESY_SECONDS):
                await self._api.call("answerCallbackQuery", callback_query_id=press)

    async def _one(self, place: Place, text: str, *, buttons: bool) -> tuple[int, int]:
        """Send one message; returns its chat's id, which may be a new one, and its own."""
        try:
            return await self._call(place, text, buttons=buttons)
        except Moved as moved:
            await self._moves.remember(place.chat, moved.chat)
            return await self._call(_there(place, moved.chat), text, buttons=buttons)
        except Refused as error:
            if error.reason != "thread_gone" or not (place.reply_to or place.topic):
                raise
            return await self._call(Place(place.chat), text, buttons=buttons)

    async def _call(self, place: Place, text: str, *, buttons: bool) -> tuple[int, int]:
        await asyncio.sleep(self._pacer.turn(place.chat))
        try:
            sent = obj(await self._api.call("sendMessage", **request(place, text, buttons=buttons)))
        except RetryLater as error:
            if error.reason == "throttled" and error.retry_after:
                self._pacer.hold(place.chat, error.retry_after)
            raise
        return number(obj(sent.get("chat")).get("id")) or place.chat, number(sent.get("message_id"))


def _there(place: Place, chat: int) -> Place:
    """The same place in the chat's new form, where messages have other numbers."""
    return place if chat == place.chat else Place(chat, press=place.press)
