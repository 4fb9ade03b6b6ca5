"""The Bot API through python-telegram-bot's bot: calls go out, and what can go wrong comes back as our errors.

Of the library we use the bot and its HTTP, not its application: its updater acknowledges updates before they are
durable, and its rate limiter halts every chat for one that is throttled. Answers are taken as plain JSON: the
library's types raise at a field they do not expect, and a reply that went out must not look like one that failed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from telegram import error as telegram
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from channels.telegram.shapes import obj, text
from channels.telegram.wire import PollingWire, Status, Wire

POLL_SECONDS = 25
"""How long Telegram holds a getUpdates call open when there is nothing: below the 30 s that a source may wait."""
CALL_SECONDS = 10.0
"""How long any other call may take to answer."""
MAX_FILE = 20 * 1024 * 1024
"""Bytes; "getFile" of the Bot API hands out nothing larger."""

# The token stands in the path of every URL. httpx logs each URL at INFO; httpcore, under it, logs connections at
# DEBUG; the library itself logs every call at DEBUG with its parameters: chat ids, texts, the webhook's secret.
LEAKING = ("httpx", "httpcore", "telegram")

FORBIDDEN: Mapping[str, str] = {
    "blocked by the user": "blocked",
    "user is deactivated": "deactivated",
    "kicked": "kicked",
    "not a member": "kicked",
    "can't initiate conversation": "not_started",
    "can't send messages to bots": "is_bot",
}
"""What a 403's description holds, and the reason it becomes: no retry reaches this citizen."""

BAD_REQUEST: Mapping[str, str] = {
    "message thread not found": "thread_gone",
    "topic_closed": "thread_gone",
    "topic_deleted": "thread_gone",
    "to be replied not found": "thread_gone",
    "replied message not found": "thread_gone",
    "chat not found": "chat_not_found",
    "peer_id_invalid": "chat_not_found",
    "user not found": "chat_not_found",
    "not enough rights": "no_rights",
    "have no rights": "no_rights",
    "chat_write_forbidden": "no_rights",
    "message is too long": "too_long",
    "text is empty": "empty_text",
    "file is too big": "too_big",
}
"""The same for a 400."""


class Moved(RetryLater):
    """The group has become a supergroup: ``chat`` is its new id."""

    reason = "moved"

    def __init__(self, chat: int) -> None:
        super().__init__("the group has become a supergroup with another id")
        self.chat = chat


class Api:
    """One bot's way to the Bot API at ``api_url``. Connections open at the first call; :meth:`close` ends them."""

    def __init__(self, api_url: str, token: str) -> None:
        for name in LEAKING:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._calls = Wire(read_timeout=CALL_SECONDS)
        self._polls = PollingWire(read_timeout=POLL_SECONDS + 5.0)
        self._files = f"{api_url}/file/bot{token}/"
        self._bot = _Bot(token, f"{api_url}/bot", f"{api_url}/file/bot", self._calls, self._polls)

    async def call(self, method: str, **parameters: Any) -> Any:
        """Call a method; ``None`` parameters are left out. Returns its result, as JSON.

        Raises :class:`RetryLater` (also :class:`Uncertain` and :class:`Moved`), :class:`Refused` or
        :class:`Misconfigured`.
        """
        try:
            return await self._bot.call(method, parameters)
        except telegram.TelegramError as error:
            raise meaning(error) from error

    async def ask(self, method: str, **parameters: Any) -> Any:
        """:meth:`call` a method that concerns no citizen: whom should Telegram refuse?

        Raises :class:`RetryLater` or :class:`Misconfigured`.
        """
        try:
            return await self.call(method, **parameters)
        except Refused as error:
            raise RetryLater(str(error), reason=error.reason) from error

    async def updates(self, offset: int | None, limit: int, allowed: tuple[str, ...]) -> list[bytes]:
        """The JSON of each update from ``offset`` on, waiting up to :data:`POLL_SECONDS` for the first.

        All below ``offset`` are forgotten by Telegram. Raises as :meth:`ask` does.
        """
        found = await self.ask(
            "getUpdates", offset=offset, limit=limit, timeout=POLL_SECONDS, allowed_updates=list(allowed)
        )
        return [bytes(one) for one in found]

    async def file(self, file_id: str) -> AsyncIterator[bytes]:
        """The bytes of a file, in pieces. Raises as :meth:`call` does, at the first piece or later."""
        try:
            path = text(obj(await self.call("getFile", file_id=file_id)).get("file_path"))
        except Refused as error:
            if error.reason != "bad_request":
                raise
            # "wrong file_id or the file is temporarily unavailable": the id came from Telegram, so the latter.
            raise RetryLater("Telegram does not hand the file out now", reason="file_unavailable") from error
        if not path:
            raise RetryLater("Telegram tells no path of the file", reason="file_unavailable")
        size = 0
        try:
            async for piece in self._calls.stream(self._files + path):
                size += len(piece)
                if size > MAX_FILE:
                    raise Refused(f"the file is over {MAX_FILE} bytes", reason="too_big")
                yield piece
        except telegram.TelegramError as error:
            found = meaning(error)
            # Nothing is lost by asking twice for a file.
            raise RetryLater(str(found), reason="connection") if isinstance(found, Uncertain) else found from error

    async def close(self) -> None:
        """End the connections."""
        await self._calls.shutdown()
        await self._polls.shutdown()


def meaning(error: telegram.TelegramError) -> ChannelError:
    """What an error of the library's means for us; its own text, which may hold a token or an address, stays out."""
    said = error.message.lower()
    match error:
        case Status():
            return _of_status(error)
        case telegram.ChatMigrated():
            return Moved(error.new_chat_id)
        case telegram.InvalidToken():
            return Misconfigured("Telegram does not know this token, or api_url is wrong")
        case telegram.Forbidden():
            reason = _found(FORBIDDEN, said) or "forbidden"
            return Refused(f"Telegram forbids it: {reason}", reason=reason)
        case telegram.Conflict():
            return RetryLater("another program asks for this bot's updates, or a webhook is set", reason="conflict")
        case telegram.BadRequest():
            reason = _found(BAD_REQUEST, said) or "bad_request"
            return Refused(f"Telegram refuses the request: {reason}", reason=reason)
        case telegram.NetworkError():
            return _of_network(error)
        case _:
            return Uncertain("Telegram's answer cannot be read", reason="bad_answer")


def _of_status(error: Status) -> ChannelError:
    status = error.status
    if status == 429:
        # Telegram throttles chat by chat: the others go on.
        return RetryLater("Telegram asks us to slow down", reason="throttled", retry_after=error.retry_after)
    if 300 <= status < 400:
        return Misconfigured("api_url answers with a redirect", reason="redirect")
    return RetryLater(f"Telegram answered {status}", reason=f"http_{status}", retry_after=error.retry_after)


def _of_network(error: telegram.NetworkError) -> ChannelError:
    """What happened on the wire; httpx's error, by which we can tell, is the cause of the library's."""
    kind = type(error.__cause__).__name__
    match error.__cause__:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            return RetryLater(f"cannot connect to Telegram ({kind})", reason="connection")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return Misconfigured("api_url cannot be used", reason="bad_url")
        case None:
            return RetryLater("Telegram answered with an error", reason="bad_status")
        case _:
            return Uncertain(f"no answer from Telegram ({kind})")


def _found(table: Mapping[str, str], said: str) -> str:
    return next((reason for words, reason in table.items() if words in said), "")


class _Bot(ExtBot[None]):
    def __init__(self, token: str, base_url: str, file_url: str, calls: HTTPXRequest, polls: HTTPXRequest) -> None:
        super().__init__(token, base_url=base_url, base_file_url=file_url, request=calls, get_updates_request=polls)

    async def call(self, method: str, parameters: dict[str, Any]) -> Any:
        """Any method of the API; the public ``do_api_request`` warns where the library has one of its own."""
        result = await self._post(method, parameters)
        if result is None:
            raise telegram.TelegramError("an answer without a result")
        return result
