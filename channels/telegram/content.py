"""What a message holds: its words, its files, its place. Pure functions over the Bot API's ``Message``."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping

from channels.base import Attachment, Location
from channels.telegram.shapes import Object, array, number, obj, real, text

_SERVICE = """
    boost_added channel_chat_created chat_background_set chat_owner_changed chat_owner_left chat_shared
    checklist_tasks_added checklist_tasks_done connected_website delete_chat_photo direct_message_price_changed
    forum_topic_closed forum_topic_created forum_topic_edited forum_topic_reopened general_forum_topic_hidden
    general_forum_topic_unhidden gift gift_upgrade_sent giveaway_completed giveaway_created group_chat_created
    left_chat_member managed_bot_created message_auto_delete_timer_changed migrate_from_chat_id migrate_to_chat_id
    new_chat_members new_chat_photo new_chat_title paid_message_price_changed passport_data pinned_message
    poll_option_added poll_option_deleted proximity_alert_triggered refunded_payment successful_payment
    suggested_post_approval_failed suggested_post_approved suggested_post_declined suggested_post_paid
    suggested_post_refunded supergroup_chat_created unique_gift users_shared video_chat_ended
    video_chat_participants_invited video_chat_scheduled video_chat_started write_access_allowed
"""
SERVICE = frozenset(_SERVICE.split())
"""Fields of a message that tell of something done to the chat: nobody wrote it."""

# Field, and the media type where the file tells none. The first that is there counts: an animation repeats itself
# as a document and a live photo as a photo, for old clients.
_FILES: tuple[tuple[str, str], ...] = (
    ("animation", "video/mp4"),
    ("audio", "audio/mpeg"),
    ("document", "application/octet-stream"),
    ("live_photo", "video/mp4"),
    ("photo", "image/jpeg"),
    ("video", "video/mp4"),
    ("video_note", "video/mp4"),
    ("voice", "audio/ogg"),
)
_MEDIA_TYPES: Mapping[str, str] = dict(_FILES)
_EXTENSIONS = {"audio/ogg": ".oga", "audio/mpeg": ".mp3", "application/octet-stream": ".bin"}
_MAX_RICH = 50_000


def words(message: Object) -> str:
    """What a message says: its text or caption, else what stands for words in it; ``""`` for a dice or a poll.

    A sticker says its emoji, so that it is answered as an emoji is.
    """
    if typed := text(message.get("text")) or text(message.get("caption")):
        return typed
    if rich := obj(message.get("rich_message")):
        return _rich(rich)
    if contact := obj(message.get("contact")):
        return "Kontak: " + ", ".join(filter(None, (name(contact), text(contact.get("phone_number")))))
    if checklist := obj(message.get("checklist")):
        tasks = (text(obj(task).get("text")) for task in array(checklist.get("tasks")))
        return "\n".join(filter(None, (text(checklist.get("title")), *tasks)))
    return text(obj(message.get("sticker")).get("emoji"))


def name(person: Object) -> str:
    """The name of a user, a chat or a contact."""
    both = " ".join(filter(None, (text(person.get("first_name")), text(person.get("last_name")))))
    return both or text(person.get("title")) or text(person.get("username"))


def place(message: Object) -> Location | None:
    """The place that a message brings: a pin, or a venue with its name."""
    venue = obj(message.get("venue"))
    point = obj(venue.get("location")) or obj(message.get("location"))
    latitude, longitude = real(point.get("latitude")), real(point.get("longitude"))
    if latitude is None or longitude is None:
        return None
    named = ", ".join(filter(None, (text(venue.get("title")), text(venue.get("address")))))
    return Location(latitude, longitude, named)


def files(message: Object) -> tuple[Attachment, ...]:
    """The files of a message, not fetched yet: of a photo the largest size, no thumbnails."""
    found = [_file(message, field) for field, _ in _FILES if field in message]
    paid = array(obj(message.get("paid_media")).get("paid_media"))
    return tuple(filter(None, (*found[:1], *(_file(obj(media), text(obj(media).get("type"))) for media in paid))))


def _file(holder: Object, field: str) -> Attachment | None:
    """The file in a field; ``reference`` is its file id, by which the Bot API hands it out."""
    file = _largest(array(holder.get(field))) if field == "photo" else obj(holder.get(field))
    file_id = text(file.get("file_id"))
    if not file_id:
        return None
    media_type = text(file.get("mime_type")) or _MEDIA_TYPES.get(field, "application/octet-stream")
    unique = text(file.get("file_unique_id")) or "file"
    extension = _EXTENSIONS.get(media_type) or mimetypes.guess_extension(media_type) or ""
    return Attachment(
        name=text(file.get("file_name")) or f"{field}-{unique}{extension}",
        media_type=media_type,
        size=max(0, number(file.get("file_size"))),
        reference=file_id,
    )


def _largest(sizes: Iterable[object]) -> Object:
    def area(size: Object) -> tuple[int, int]:
        return number(size.get("width")) * number(size.get("height")), number(size.get("file_size"))

    return max(map(obj, sizes), key=area, default=obj(None))


def _rich(rich: Object) -> str:
    """The words of a rich message, a line a block. Its texts are strings, lists and objects, nested at will."""
    lines: list[str] = []
    length = 0
    todo: list[tuple[object, bool]] = [(block, True) for block in reversed(array(rich.get("blocks")))]
    while todo and length < _MAX_RICH:
        value, new_line = todo.pop()
        if isinstance(value, str):
            if new_line or not lines:
                lines.append("")
            lines[-1] += text(value)
            length += len(value)
        elif isinstance(value, list):
            # Of a list of texts only the first begins a line.
            todo += [(one, new_line and at == 0) for at, one in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            for field in ("caption", "cells", "items", "blocks", "summary", "text"):
                inner = value.get(field)
                whole = field in ("cells", "items", "blocks") and isinstance(inner, list)
                todo += [(one, True) for one in reversed(array(inner))] if whole else [(inner, new_line)]
    return "\n".join(lines)
