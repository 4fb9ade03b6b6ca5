"""A letter as its provider hands it over: the bytes of a webhook call, or of a mail for LMTP.

Kannel's ``get-url`` (User's Guide 1.4.5, "SMS services"), an Update of the Bot API ("Getting updates"), an event of the
X Activity API with its signature (X's docs, "Webhooks"), and a mail (RFC 5322) as a common program writes it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from benchmarks.world.letters import Letter
from channels.signing import hmac_base64

TOKEN = "benchmark"
SECRET = "benchmark-secret"
BOT = "lapor_bot"
BOT_TOKEN = f"1708:{TOKEN}"
HANDLE = "lapor1708"
US = "1708170817081708"
MAILBOX = "lapor@example.go.id"
_FIRST_POST = 1_900_000_000_000_000_000
_encode = msgspec.json.Encoder().encode


def post_id(letter: Letter) -> str:
    """The id of a letter that is a post."""
    return str(_FIRST_POST + 2 * letter.n)


def call(letter: Letter, host: str) -> bytes:
    """The webhook call that brings a text, a chat message or a post to the gateway at ``host`` (``host:port``)."""
    if letter.way == "sms":
        return _get("/webhooks/sms", _text(letter), host)
    if letter.way == "telegram":
        body = _encode(_update(letter))
        return _post("/webhooks/telegram", body, host, {"X-Telegram-Bot-Api-Secret-Token": SECRET})
    body = _encode(_event(letter))
    return _post("/webhooks/twitter", body, host, {"x-twitter-webhooks-signature": _signed(body)})


def mail(letter: Letter) -> bytes:
    """The mail that a letter is, with CRLF line ends."""
    lines = [
        f"From: Warga {letter.n} <{letter.who}>",
        f"To: LAPOR <{MAILBOX}>",
        f"Subject: {'Re: ' if letter.below else ''}{letter.subject}",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"Message-ID: <letter-{letter.n}@mail.example.id>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
    ]
    if letter.below:
        lines += [f"In-Reply-To: {letter.below}", f"References: {letter.below}"]
    if letter.kind == "robot":
        lines.append("Auto-Submitted: auto-replied")
    lines += ["", letter.text, "", "--", "Warga", ""]
    return "\r\n".join(lines).encode()


def _text(letter: Letter) -> Mapping[str, str]:
    return {
        "token": TOKEN,
        "from": letter.who,
        "to": "1708",
        "text": letter.text,
        "id": f"sms-{letter.n}",
        "ts": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "charset": "UTF-8",
    }


def _update(letter: Letter) -> Mapping[str, Any]:
    person = {"id": int(letter.who), "is_bot": False, "first_name": "Warga", "language_code": "id"}
    chat = {"id": int(letter.who), "type": "private", "first_name": "Warga"}
    now = int(time.time())
    message: dict[str, Any] = {"message_id": 2 * letter.n + 1, "from": person, "chat": chat, "date": now}
    if letter.below:
        us = {"id": 1708, "is_bot": True, "first_name": "LAPOR!", "username": BOT}
        message["reply_to_message"] = {"message_id": int(letter.below), "from": us, "chat": chat, "date": now}
    return {"update_id": letter.n + 1, "message": message | {"text": letter.text}}


def _event(letter: Letter) -> Mapping[str, Any]:
    id_, handle = post_id(letter), f"warga_{letter.n}"
    text = f"@{HANDLE} {letter.text}"
    post: dict[str, Any] = {
        "id": id_,
        "text": text,
        "author_id": letter.who,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "conversation_id": letter.below or id_,
        "edit_history_post_ids": [id_],
        "lang": "in",
        "entities": {"mentions": [{"start": 0, "end": len(HANDLE) + 1, "username": HANDLE}]},
    }
    includes: dict[str, Any] = {
        "users": [{"id": letter.who, "name": "Warga", "username": handle, "protected": False}],
    }
    if letter.below:
        post |= {"referenced_posts": [{"type": "replied_to", "id": letter.below}], "in_reply_to_user_id": US}
        includes["posts"] = [{"id": letter.below, "author_id": US, "text": "…", "conversation_id": letter.below}]
    event = {"event_type": "post.mention.create", "event_uuid": f"event-{letter.n}"}
    return {"data": {**event, "payload": post, "includes": includes}}


def _signed(body: bytes) -> str:
    return f"sha256={hmac_base64(SECRET, body)}"


def _get(path: str, query: Mapping[str, str], host: str) -> bytes:
    return f"GET {path}?{urlencode(query)} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Kannel/1.4.5\r\n\r\n".encode()


def _post(path: str, body: bytes, host: str, headers: Mapping[str, str]) -> bytes:
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body
