"""A direct message of X becomes an inbound message. Pure; nothing here raises anything but :class:`Malformed`.

Two shapes: the object DmEvent of X's OpenAPI document, and the ``message_create`` of the older Account Activity API,
in which the webhooks of the X Activity API still bring direct messages.
"""

from __future__ import annotations

from datetime import datetime

from channels.base import Attachment, InboundMessage, Thread
from channels.errors import Malformed
from channels.twitter.inbound import Account, sender_of, text_of
from channels.twitter.media import attachments
from channels.twitter.shapes import RAW_TYPE, Includes, Json, digits, encode, obj, objects, text, time_of


def provider_id(id_: str) -> str:
    """A direct message's id among the ids of posts, which are numbers too."""
    return f"dm:{id_}"


def direct_message(event: Json, includes: Includes, account: Account) -> InboundMessage:
    """The message that a DmEvent is. Raises :class:`Malformed` for one without an id or a sender."""
    keys = obj(event.get("attachments")).get("media_keys")
    files = attachments(keys if isinstance(keys, list) else [], includes)
    sender = digits(event.get("sender_id"))
    users = [one for id_, one in includes.users.items() if id_ == sender]
    media = [includes.media[text(key)] for key in keys if text(key) in includes.media] if isinstance(keys, list) else []
    parts = {name: part for name, part in (("users", users), ("media", media)) if part}
    return _message(
        event.get("id"),
        sender,
        conversation=text(event.get("dm_conversation_id")),
        at=time_of(event.get("created_at")),
        said=text_of(event, drop_media=bool(files)),
        files=files,
        includes=includes,
        account=account,
        raw=encode({"data": event, "includes": parts}),
    )


def older_message(event: Json, users: Json, account: Account) -> InboundMessage:
    """The message that a ``message_create`` is; ``users`` are by id. Raises :class:`Malformed` like the other."""
    created = obj(event.get("message_create"))
    data = obj(created.get("message_data"))
    sender, target = digits(created.get("sender_id")), digits(obj(created.get("target")).get("recipient_id"))
    includes = Includes({"users": [_user(id_, users) for id_ in (sender,) if id_ in users]})
    media = obj(obj(data.get("attachment")).get("media"))
    url = text(media.get("media_url_https"))
    files = (Attachment(url.rpartition("/")[2], _media_type(url), reference=url),) if url else ()
    pair = sorted((sender, target), key=int) if sender and target else []
    return _message(
        event.get("id"),
        sender,
        conversation="-".join(pair),
        at=time_of(event.get("created_timestamp")),
        said=text_of(data, drop_media=bool(files)),
        files=files,
        includes=includes,
        account=account,
        raw=encode({"direct_message_events": [event], "users": {sender: users[sender]} if sender in users else {}}),
    )


def _message(
    id_: object,
    sender: str,
    *,
    conversation: str,
    at: datetime | None,
    said: str,
    files: tuple[Attachment, ...],
    includes: Includes,
    account: Account,
    raw: bytes,
) -> InboundMessage:
    number = digits(id_)
    if not number or not sender:
        raise Malformed("the message has no id or no sender", reason="no_id" if not number else "no_author")
    return InboundMessage(
        sender=sender_of(sender, includes),
        recipient=account.handle,
        provider_id=provider_id(number),
        sent_at=at,
        text=said,
        thread=Thread(conversation),
        attachments=files,
        automated=account.automated(sender, at),
        raw=raw,
        raw_type=RAW_TYPE,
    )


def _user(id_: str, users: Json) -> Json:
    """The older payloads hold a user as such or under ``data``, and its handle as ``screen_name`` at times."""
    user = obj(users.get(id_))
    user = obj(user.get("data")) or user
    return {**user, "id": id_, "username": user.get("username") or user.get("screen_name")}


def _media_type(url: str) -> str:
    return "video/mp4" if url.endswith(".mp4") else "image/jpeg"


def is_message(event: Json) -> bool:
    """Whether a DmEvent is a message, not someone's coming or going."""
    return text(event.get("event_type")) in ("MessageCreate", "")


def older_messages(payload: Json) -> list[Json]:
    """The messages of an older payload."""
    return [one for one in objects(payload.get("direct_message_events")) if "message_create" in one]
