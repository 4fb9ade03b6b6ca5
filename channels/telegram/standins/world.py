"""What the stand-in knows: one bot's chats, messages, files, and who wants to hear nothing of it."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from channels.telegram.standins.methods import MAX_FILE, Refusal
from channels.telegram.standins.queue import Queue
from channels.telegram.standins.shapes import Json, group, private, user, without_reply, worded


class World:
    """Telegram as one bot sees it. ``username`` and ``bot_id`` are the bot's."""

    def __init__(self, username: str, bot_id: int) -> None:
        self.me: Json = {
            "id": bot_id,
            "is_bot": True,
            "first_name": "LAPOR!",
            "username": username,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        self.queue = Queue()
        self.webhook: Json = {}
        self.chats: dict[int, Json] = {}
        self.messages: dict[tuple[int, int], Json] = {}
        self.files: dict[str, bytes] = {}
        self.blocked: set[int] = set()
        self.missing: set[int] = set()
        self.moved: dict[int, int] = {}
        self.throttled: dict[int, float] = {}
        self.answered: list[Json] = []
        self._counters: defaultdict[int, int] = defaultdict(int)

    def chat(self, identifier: int) -> Json:
        """The ``Chat`` of an id, made where there is none."""
        if identifier not in self.chats:
            self.chats[identifier] = private(user(identifier)) if identifier > 0 else group(identifier)
        return self.chats[identifier]

    def message(self, chat: Json, author: Json, *, reply_to: int = 0, topic: int = 0, **fields: Any) -> Json:
        """A new ``Message`` in a chat, remembered."""
        chat_id = chat["id"]
        self.chats[chat_id] = chat
        self._counters[chat_id] += 1
        message = {
            "message_id": self._counters[chat_id],
            "from": author,
            "chat": chat,
            "date": int(time.time()),
            **({"message_thread_id": topic, "is_topic_message": True} if topic else {}),
            **fields,
        }
        if answered := self.messages.get((chat_id, reply_to)):
            message["reply_to_message"] = without_reply(answered)
        self.messages[chat_id, message["message_id"]] = message
        return message

    def take(self, call: Json) -> Json:
        """The message that a sendMessage makes. Raises :class:`Refusal`."""
        chat_id = call["chat_id"]
        self._check_chat(chat_id)
        reply = call.get("reply_parameters", {})
        reply_to, topic = reply.get("message_id", 0), call.get("message_thread_id", 0)
        if reply_to and (chat_id, reply_to) not in self.messages and not reply["allow_sending_without_reply"]:
            raise Refusal(400, "Bad Request: message to be replied not found")
        if topic and not any(
            at == chat_id and message.get("message_thread_id") == topic for (at, _), message in self.messages.items()
        ):
            raise Refusal(400, "Bad Request: message thread not found")
        markup = {"reply_markup": call["reply_markup"]} if "reply_markup" in call else {}
        fields = worded("text", call["text"]) | markup
        return self.message(self.chat(chat_id), self.me, reply_to=reply_to, topic=topic, **fields)

    def file(self, file_id: str) -> Json:
        """The ``File`` of an id. Raises :class:`Refusal`."""
        data = self.files.get(file_id)
        if data is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(data) > MAX_FILE:
            raise Refusal(400, "Bad Request: file is too big")
        return {
            "file_id": file_id,
            "file_unique_id": f"u{file_id}",
            "file_size": len(data),
            "file_path": f"photos/{file_id}.jpg",
        }

    def _check_chat(self, chat_id: int) -> None:
        if chat_id in self.missing:
            raise Refusal(400, "Bad Request: chat not found")
        if chat_id in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if new := self.moved.get(chat_id):
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, description, migrate_to_chat_id=new)
        if (wait := self.throttled.get(chat_id, 0.0) - time.monotonic()) > 0:
            seconds = int(wait) + 1
            raise Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
