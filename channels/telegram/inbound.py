"""From an update of the Bot API to messages: pure, and without a complaint about what it does not know.

Reads "Getting updates" and "Available types" of the Bot API's documentation. In groups only what speaks to the bot
is read: what people say to each other is not ours to keep.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from channels.base import InboundKind, InboundMessage, Part, Sender, Thread
from channels.errors import Malformed
from channels.telegram import content
from channels.telegram.buttons import BY_DATA
from channels.telegram.shapes import Object, array, decode, moment, number, obj, text

JSON = "application/json"
ALLOWED = ("message", "edited_message", "callback_query", "my_chat_member")
"""The kinds of update that we ask for."""

_MESSAGES: dict[str, InboundKind] = {
    "message": "message",
    "edited_message": "edit",
    "channel_post": "message",
    "edited_channel_post": "edit",
}
_MAX_ID = 200


class Bot(msgspec.Struct, frozen=True):
    """Who we are: ``id`` (0 while unknown) and ``username`` without its at sign (``""`` while unknown)."""

    id: int = 0
    username: str = ""


def read(raw: bytes, bot: Bot) -> list[InboundMessage]:
    """The message of one update, if it is for us: none for groups' own talk, and for a bot being let in.

    An update of a kind that nobody has seen is kept, as ``automated``. Raises :class:`Malformed`.
    """
    update = decode(raw)
    if not isinstance(update, dict):
        raise Malformed("a JSON object is due here", reason="wrong_shape")
    update_id = number(update.get("update_id"))
    if not update_id:
        raise Malformed("the update has no id", reason="no_update_id")
    for field, kind in _MESSAGES.items():
        if field in update:
            return _message(_inside(update, field), kind, bot, raw, post="channel_post" in field)
    if "callback_query" in update:
        return _press(_inside(update, "callback_query"), bot, raw)
    if "my_chat_member" in update:
        return _membership(_inside(update, "my_chat_member"), update_id, bot, raw)
    return [_unknown(update, update_id, bot, raw)]


def migration(raw: bytes) -> tuple[int, int] | None:
    """The old and the new id of a group that became a supergroup, where this update tells of it."""
    try:
        message = obj(obj(decode(raw)).get("message"))
    except Malformed:
        return None
    here = number(obj(message.get("chat")).get("id"))
    if there := number(message.get("migrate_to_chat_id")):
        return (here, there) if here else None
    before = number(message.get("migrate_from_chat_id"))
    return (before, here) if before and here else None


def press(raw: bytes) -> tuple[str, str] | None:
    """The id of a button's press and its data, where this update is one."""
    try:
        query = obj(obj(decode(raw)).get("callback_query"))
    except Malformed:
        return None
    identifier = text(query.get("id"))
    return (identifier, text(query.get("data"))) if identifier else None


def _inside(update: Object, field: str) -> Object:
    found = update[field]
    if not isinstance(found, dict):
        raise Malformed(f"the update's {field} is not an object", reason="wrong_shape")
    return found


def _message(message: Object, kind: InboundKind, bot: Bot, raw: bytes, *, post: bool) -> list[InboundMessage]:
    chat = obj(message.get("chat"))
    chat_id, message_id = number(chat.get("id")), number(message.get("message_id"))
    if not chat_id or not message_id:
        raise Malformed("the message names no chat or has no id", reason="no_message_id")
    public = _is_public(chat)
    said = content.words(message)
    if public:
        if not _speaks_to(bot, message, said):
            return []
        said = _mention(bot.username).sub(lambda found: found["command"] or "", said).strip()
    album = text(message.get("media_group_id"))[:_MAX_ID] if kind == "message" else ""
    answered = _answered(message)
    topic = number(message.get("message_thread_id")) if message.get("is_topic_message") is True else 0
    return [
        InboundMessage(
            kind="part" if album else kind,
            sender=_sender(message, chat),
            recipient=bot.username,
            provider_id=f"{chat_id}:{message_id}",
            sent_at=moment(message.get("date")),
            edited_at=moment(message.get("edit_date")) if kind == "edit" else None,
            text=said,
            quoted=text(obj(message.get("quote")).get("text")),
            thread=Thread(
                conversation=str(chat_id),
                replies_to=(f"{chat_id}:{answered}",) if answered else (),
                topic=str(topic) if topic else "",
                public=public,
            ),
            # An album's messages are numbered in its order; how many there are, nobody tells.
            part=Part(f"{chat_id}:{album}", message_id) if album else None,
            location=content.place(message),
            attachments=content.files(message),
            automated=_automated(message, post=post),
            raw=raw,
            raw_type=JSON,
        )
    ]


def _press(query: Object, bot: Bot, raw: bytes) -> list[InboundMessage]:
    """A pressed button says what it stands for, in the thread of the message that it hangs under."""
    user, identifier = obj(query.get("from")), text(query.get("id"))[:_MAX_ID]
    user_id = number(user.get("id"))
    if not identifier or not user_id:
        raise Malformed("the press names no user or has no id", reason="no_press_id")
    under = obj(query.get("message"))
    chat = obj(under.get("chat"))
    chat_id, message_id = number(chat.get("id")) or user_id, number(under.get("message_id"))
    button = BY_DATA.get(text(query.get("data")))
    return [
        InboundMessage(
            sender=Sender(str(user_id), "user_id", content.name(user)),
            recipient=bot.username,
            provider_id=f"{chat_id}:press:{identifier}",
            text=button.says if button else "",
            thread=Thread(
                conversation=str(chat_id),
                replies_to=(f"{chat_id}:{message_id}",) if message_id else (),
                public=_is_public(chat) if chat else False,
            ),
            automated="bot" if user.get("is_bot") is True else "" if button else "unknown_button",
            raw=raw,
            raw_type=JSON,
        )
    ]


def _membership(change: Object, update_id: int, bot: Bot, raw: bytes) -> list[InboundMessage]:
    """A citizen who blocked the bot is out of reach: recorded. Anything else of the kind is no message."""
    chat = obj(change.get("chat"))
    status = text(obj(change.get("new_chat_member")).get("status"))
    if status != "kicked" or _is_public(chat):
        return []
    event = _note("blocked", obj(change.get("from")), update_id, bot, raw)
    return [msgspec.structs.replace(event, sent_at=moment(change.get("date")))]


def _unknown(update: Object, update_id: int, bot: Bot, raw: bytes) -> InboundMessage:
    inside = next((value for value in update.values() if isinstance(value, dict)), {})
    return _note("unknown_update", obj(inside.get("from")) or obj(inside.get("user")), update_id, bot, raw)


def _note(why: str, user: Object, update_id: int, bot: Bot, raw: bytes) -> InboundMessage:
    """Something that is no message of a person's, kept by the update's id."""
    user_id = number(user.get("id"))
    return InboundMessage(
        sender=Sender(str(user_id), "user_id", content.name(user)) if user_id else Sender("", "unknown"),
        recipient=bot.username,
        provider_id=f"update:{update_id}",
        automated=why,
        raw=raw,
        raw_type=JSON,
    )


def _sender(message: Object, chat: Object) -> Sender:
    """Who wrote. A group's anonymous administrator and a channel write as a chat, in place of a person."""
    for who in (message.get("sender_chat"), message.get("from"), chat):
        if address := number(obj(who).get("id")):
            return Sender(str(address), "user_id", content.name(obj(who)))
    return Sender("", "unknown")


def _automated(message: Object, *, post: bool) -> str:
    if post or message.get("is_automatic_forward") is True:
        return "channel_post"
    # Telegram puts a bot in place of whoever writes as a chat; a message *via* a bot is a person's.
    if obj(message.get("from")).get("is_bot") is True and not obj(message.get("sender_chat")):
        return "bot"
    return "" if content.SERVICE.isdisjoint(message) else "service"


def _is_public(chat: Object) -> bool:
    kind = text(chat.get("type"))
    return kind != "private" if kind else number(chat.get("id")) < 0


def _answered(message: Object) -> int:
    """The id of the message that this one replies to; 0 for none.

    In a forum every message that replies to nothing "replies" to the message that opened its topic.
    """
    to = obj(message.get("reply_to_message"))
    return 0 if "forum_topic_created" in to else number(to.get("message_id"))


def _speaks_to(bot: Bot, message: Object, said: str) -> bool:
    """Whether a group's message mentions the bot, is a command to it by name, or replies to what it wrote."""
    if _mention(bot.username).search(said):
        return True
    if not bot.id:
        return False
    author = number(obj(obj(message.get("reply_to_message")).get("from")).get("id"))
    if author == bot.id and _answered(message):
        return True
    entities = (*array(message.get("entities")), *array(message.get("caption_entities")))
    return any(number(obj(obj(entity).get("user")).get("id")) == bot.id for entity in entities)


@lru_cache(maxsize=64)
def _mention(username: str) -> re.Pattern[str]:
    """``@username`` with the blanks behind it, or behind a command (``/status@username``).

    While the name is not known yet, any bot's will do (they end in "bot"): better one message too many than a
    complaint lost.
    """
    name = re.escape(username) if username else r"\w{2,60}bot"
    return re.compile(rf"(?P<command>(?<!\S)/\w{{1,64}})@{name}(?!\w)|(?<![\w@])@{name}(?!\w)[ \t]*", re.IGNORECASE)
