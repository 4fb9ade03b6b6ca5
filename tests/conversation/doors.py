"""Messages as the channels' own adapters read them from what a provider gives.

Each function builds the provider's payload of one message and hands it to the adapter, so that who wrote, what is
quoted, what is public and what a robot sent is decided by the code that decides it in the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from channels.base import InboundMessage, Part, Sender
from channels.email.identities import our_message_id
from channels.email.mail import Reading, read_mail
from channels.sms import inbound as sms
from channels.sms.numbers import canonical
from channels.telegram.inbound import Bot
from channels.telegram.inbound import read as read_update
from channels.twitter.direct import direct_message
from channels.twitter.inbound import Account, post_message
from channels.twitter.shapes import Includes
from tests.conversation.story import On, Says

BOT = Bot(id=1708, username="lapor1708bot")
ACCOUNT_ID = "1708"
HANDLE = "lapor1708"
MAILBOX = "lapor@gateway.example.go.id"
DOMAIN = "gateway.example.go.id"


@dataclass(frozen=True)
class Letter:
    """What a provider knows of a message beside its words.

    ``who`` is a number of the person's own, ``id`` one of the message's own, ``room`` the story's. ``answers`` are
    the provider's ids of what it replies to, nearest first; ``target`` that of the message which it edits.
    """

    said: Says
    on: On
    text: str
    subject: str
    who: int
    id: int
    room: int
    at: datetime
    answers: Sequence[str] = ()
    target: str = ""


def channel_of(on: On, carrier: str = "") -> tuple[str, str]:
    """The type and the instance that a message comes in on."""
    if on is On.SMS:
        return "sms", carrier or "sms-telkomsel"
    kind = "telegram" if on in (On.TELEGRAM, On.GROUP) else "twitter" if on in (On.MENTION, On.DM) else "email"
    return kind, kind


def read(letter: Letter) -> InboundMessage:
    """The message, as its channel's adapter reads it."""
    return _DOORS[letter.on](letter)


def reply_id(on: On, thread: Mapping[str, Any], delivery: str, id_: int) -> str:
    """The id that the provider gives to a reply of ours."""
    if on is On.EMAIL:
        return our_message_id(delivery, DOMAIN)
    if on in (On.TELEGRAM, On.GROUP):
        return f"{thread['conversation']}:{id_}"
    return f"dm:{id_}" if on is On.DM else str(id_)


def unknown_id(on: On, room: int) -> str:
    """The id of a message that the store has never seen."""
    if on is On.EMAIL:
        return f"<before-all-this-{room}@warga.example>"
    return f"{-room}:999000" if on in (On.TELEGRAM, On.GROUP) else str(999_000_000 + room)


def _sms(letter: Letter) -> InboundMessage:
    said = letter.said
    part = None if said.part is None else Part(f"{letter.room}-{said.part[0]}", said.part[1], said.part[2])
    return sms.message(
        (letter.text.encode(), "text/plain"),
        canonical(said.address or _phone(letter.who, said.carrier)),
        text=letter.text,
        recipient="1708",
        provider_id=f"sms-{letter.id}",
        sent_at=letter.at,
        part=part,
    )


def _phone(who: int, carrier: str) -> str:
    """One phone, as each carrier writes it."""
    return f"+62812{who:08}" if carrier else f"0812{who:08}"


def _telegram(letter: Letter) -> InboundMessage:
    said, public = letter.said, letter.on is On.GROUP
    user = {"id": letter.who, "is_bot": said.robot == "bot", "first_name": "Budi"}
    chat = {"id": -letter.room, "type": "supergroup"} if public else {"id": letter.who, "type": "private"}
    answers = letter.answers[0] if letter.answers else ""
    # In a group only what speaks to the bot is ours.
    mention = "" if not public or answers or letter.text.startswith("/") else f"@{BOT.username} "
    message: dict[str, Any] = {
        "message_id": int(letter.target.rpartition(":")[2]) if letter.target else letter.id,
        "from": {"id": 1087968824, "is_bot": True, "first_name": "Group"} if said.robot == "as the group" else user,
        "chat": chat,
        "date": int((letter.at - timedelta(seconds=60) if letter.target else letter.at).timestamp()),
        "caption" if said.photo or said.album else "text": mention + letter.text,
    }
    if letter.target:
        message["edit_date"] = int(letter.at.timestamp())
    if answers:
        ours = {"id": BOT.id, "is_bot": True, "first_name": "LAPOR"}
        message["reply_to_message"] = {
            "message_id": int(answers.rpartition(":")[2]),
            "chat": chat,
            "from": ours if public or said.answers[0].startswith("reply") else user,
        }
    if said.robot == "as the group":
        message["sender_chat"] = chat
    if said.album:
        message["media_group_id"] = f"{letter.room}{said.album}"
    if said.photo or said.album:
        sizes = {"file_id": f"f{letter.id}", "file_unique_id": f"u{letter.id}", "width": 90, "height": 90}
        message["photo"] = [sizes]
    if said.place:
        message["location"] = {"latitude": -6.2, "longitude": 106.8}
    if said.robot == "forwarded":
        message["forward_origin"] = {"type": "user", "sender_user": {"id": 5, "first_name": "Siti"}, "date": 1}
    kind = "edited_message" if letter.target else "channel_post" if said.robot == "channel" else "message"
    (found,) = read_update(json.dumps({"update_id": letter.id, kind: message}).encode(), BOT)
    return found


def _mention(letter: Letter) -> InboundMessage:
    said = letter.said
    if said.deletes:
        # X tells of a deletion no more than the post and its author.
        return InboundMessage(
            kind="deletion", sender=Sender(str(letter.who), "user_id"), recipient=HANDLE, provider_id=letter.target
        )
    author = ACCOUNT_ID if said.robot == "own" else str(letter.who)
    first = letter.target or str(letter.id)
    post: dict[str, Any] = {
        "id": str(letter.id),
        "author_id": author,
        "conversation_id": letter.answers[-1] if letter.answers else first,
        "created_at": letter.at.isoformat(),
        "text": f"@{HANDLE} {letter.text}",
        "edit_history_tweet_ids": [first, str(letter.id)] if letter.target else [first],
    }
    above = [{"id": id_} for id_ in letter.answers]
    chain: list[dict[str, Any]] = [post, *above]
    for lower, upper in zip(chain, above, strict=False):
        lower["referenced_tweets"] = [{"type": "replied_to", "id": upper["id"]}]
    if said.robot == "retweet":
        post["referenced_tweets"] = [{"type": "retweeted", "id": "999001"}]
    includes = Includes({"users": [{"id": author, "name": "Budi", "username": "budi"}], "tweets": above})
    # Posts from before the gateway's very first start are recorded, not answered.
    start = letter.at + timedelta(days=1) if said.robot == "before the start" else None
    return post_message(post, includes, Account(HANDLE, ACCOUNT_ID, answer_from=start))


def _direct(letter: Letter) -> InboundMessage:
    event = {
        "id": str(letter.id),
        "event_type": "MessageCreate",
        "sender_id": str(letter.who),
        "dm_conversation_id": f"{ACCOUNT_ID}-{letter.who}",
        "created_at": letter.at.isoformat(),
        "text": letter.text,
    }
    return direct_message(event, Includes({}), Account(HANDLE, ACCOUNT_ID))


def _email(letter: Letter) -> InboundMessage:
    said = letter.said
    mail = EmailMessage()
    mail["From"] = f"Budi <{said.address or f'warga{letter.who}@warga.example'}>"
    mail["To"] = MAILBOX
    mail["Date"] = format_datetime(letter.at)
    mail["Message-ID"] = f"<m{letter.id}@warga.example>"
    if letter.subject:
        mail["Subject"] = letter.subject
    if letter.answers:
        mail["In-Reply-To"] = letter.answers[0]
        mail["References"] = " ".join(reversed(letter.answers))
    for name, value in said.headers.items():
        mail[name] = value
    mail.set_content(letter.text, cte="8bit")
    return read_mail(mail.as_bytes(), Reading(own_addresses=frozenset({MAILBOX}), received_at=letter.at))


_DOORS = {
    On.SMS: _sms,
    On.TELEGRAM: _telegram,
    On.GROUP: _telegram,
    On.MENTION: _mention,
    On.DM: _direct,
    On.EMAIL: _email,
}
