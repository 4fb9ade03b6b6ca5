"""The Bot API's objects as the stand-in writes them; dictionaries, named as the documentation names the types."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_ENTITY = re.compile(r"(?P<bot_command>(?<!\S)/\w+(?:@\w+)?)|(?P<mention>(?<![\w@])@\w{2,})")


def units(text: str) -> int:
    """The length of a text as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def user_id(from_: str) -> int:
    """The user id that a citizen's address stands for: its digits, else a number made of it."""
    digits = from_.removeprefix("+")
    return int(digits) if digits.isascii() and digits.isdigit() else zlib.crc32(from_.encode()) + 1


def user(identifier: int, first_name: str = "Warga", **more: Any) -> Json:
    """A ``User`` who is a person."""
    return {"id": identifier, "is_bot": False, "first_name": first_name, "language_code": "id"} | more


def private(person: Json) -> Json:
    """The ``Chat`` of a person with the bot: its id is the person's."""
    return {"id": person["id"], "type": "private", "first_name": person["first_name"]}


def group(identifier: int, title: str = "Warga RT 05", *, forum: bool = False) -> Json:
    """A ``Chat`` of many; its id is negative, and that of a supergroup begins with -100."""
    kind = "supergroup" if identifier < -(10**12) else "group"
    return {"id": identifier, "type": kind, "title": title} | ({"is_forum": True} if forum else {})


def entities(text: str) -> list[Json]:
    """The ``MessageEntity`` list of a text: its mentions and commands."""
    return [
        {"type": found.lastgroup, "offset": units(text[: found.start()]), "length": units(found[0])}
        for found in _ENTITY.finditer(text)
    ]


def worded(field: str, text: str) -> Json:
    """A text or caption with its entities."""
    marks = entities(text)
    name = "entities" if field == "text" else "caption_entities"
    return {field: text} | ({name: marks} if marks else {})


def photo(file_id: str, size: int) -> list[Json]:
    """The sizes of one photo, the smallest first; ``file_id`` is that of the largest."""
    sizes = ((90, "s"), (320, "m"), (1280, ""))
    return [
        {
            "file_id": file_id + mark,
            "file_unique_id": f"u{file_id}{mark}",
            "width": width,
            "height": width * 3 // 4,
            "file_size": size if not mark else width,
        }
        for width, mark in sizes
    ]


def without_reply(message: Mapping[str, Any]) -> Json:
    """A message as it stands inside another one's ``reply_to_message``: without a further reply."""
    return {name: value for name, value in message.items() if name != "reply_to_message"}
