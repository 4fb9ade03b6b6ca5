"""What X sends by itself: its check of us, its signature, and the events of the X Activity API.

The check is a GET with ``crc_token``, answered with its HMAC; the signature is the header
``x-twitter-webhooks-signature`` over the raw body; both are HMAC-SHA256 with the app's API secret, in base64 behind
``sha256=`` (X's docs, "Webhooks"). An event is ``{"data": {"event_type", "payload", "includes", …}}`` (the object
ActivityStreamResponse of X's OpenAPI document; X's docs, "X Activity API: event payloads").
"""

from __future__ import annotations

import hashlib
import json
import re

from channels.base import Answer, InboundMessage, Request, Sender
from channels.errors import Malformed, Unverified
from channels.signing import hmac_base64, same
from channels.twitter.direct import direct_message, older_message, older_messages
from channels.twitter.inbound import Account, post_message, sender_of
from channels.twitter.shapes import RAW_TYPE, Includes, Json, decode, digits, encode, obj, text

SIGNATURE = "x-twitter-webhooks-signature"
POSTS = frozenset(
    {"post.create", "post.mention.create", "post.reply.create", "post.quote.create", "post.repost.create"}
)
_CRC = re.compile(r"[\w+/=.~-]{1,200}", re.ASCII)


def challenge(request: Request, consumer_secret: str) -> Answer | None:
    """The answer to X's check of us; ``None`` for any other request. Raises :class:`Malformed`.

    The check itself is not signed, and its answer is the very signature that an event of the same bytes would bear. So
    nothing is signed that could be an event: a token of X's is letters, digits and the like, never JSON.
    """
    token = request.query.get("crc_token", "")
    if request.method != "GET" or not token:
        return None
    if not _CRC.fullmatch(token):
        raise Malformed("the crc_token is none that X would send", reason="crc_token")
    answer = {"response_token": _signed(consumer_secret, token.encode())}
    return Answer(200, json.dumps(answer).encode(), "application/json")


def verify(request: Request, consumer_secret: str) -> None:
    """Raise :class:`Unverified` unless X signed this body. Anyone can make X sign a GET: that proves nothing."""
    given = request.headers.get(SIGNATURE, "")
    if request.method != "POST" or not consumer_secret or not same(given, _signed(consumer_secret, request.body)):
        raise Unverified("X's signature is missing or wrong")


def _signed(consumer_secret: str, message: bytes) -> str:
    return f"sha256={hmac_base64(consumer_secret, message)}"


def parse(body: bytes, account: Account) -> list[InboundMessage]:
    """The messages of one call.

    Of what is no message (a follow, an encrypted chat, a kind that nobody knows) a record is kept. Raises
    :class:`Malformed` for a body that holds no event at all, or a post or message that cannot be read.
    """
    try:
        document = obj(decode(body))
    except ValueError as error:
        raise Malformed("the body is not JSON", reason="not_json") from error
    data = document.get("data")
    events = data if isinstance(data, list) else [data if isinstance(data, dict) else document]
    found = [message for event in events for message in _messages(obj(event), account)]
    if not found:
        raise Malformed("the body holds no event", reason="wrong_shape")
    return found


def _messages(event: Json, account: Account) -> list[InboundMessage]:
    kind, payload = text(event.get("event_type")), obj(event.get("payload"))
    includes = Includes(event.get("includes"))
    if kind in POSTS:
        return [post_message(payload, includes, account)]
    if kind == "post.delete":
        return [_deletion(payload, includes, account, event)]
    if kind in ("dm.received", "dm.sent"):
        if "direct_message_events" not in payload:
            return [direct_message(payload, includes, account)]
        if messages := older_messages(payload):
            users = obj(payload.get("users"))
            return [older_message(one, users, account) for one in messages]
    return [_unknown(event)] if event else []


def _deletion(post: Json, includes: Includes, account: Account, event: Json) -> InboundMessage:
    """A post was taken back. Its id and its author are all that X tells."""
    id_, author = digits(post.get("id")), digits(post.get("author_id"))
    if not id_ or not author:
        raise Malformed("the deletion names no post or no author", reason="no_id")
    return InboundMessage(
        kind="deletion",
        sender=sender_of(author, includes),
        recipient=account.handle,
        provider_id=id_,
        automated=account.automated(author, None),
        raw=encode({"data": event}),
        raw_type=RAW_TYPE,
    )


def _unknown(event: Json) -> InboundMessage:
    """A record of an event that is no message; it is never answered. X's id of it tells a redelivery."""
    raw = encode({"data": event})
    id_ = text(event.get("event_uuid")) or hashlib.sha256(raw).hexdigest()
    return InboundMessage(
        sender=Sender("", "unknown"),
        provider_id=f"activity:{id_[:100]}",
        automated="unknown_activity",
        raw=raw,
        raw_type=RAW_TYPE,
    )
