"""X in memory, for the stand-in: its users, posts and direct messages, and the shapes in which its API gives them.

Ids are made as X makes them: milliseconds since November 2010, then 22 bits that keep them apart.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

_EPOCH = 1_288_834_974_657
_MENTION = re.compile(r"(?<!\w)@(\w{1,15})")
_HASHTAG = re.compile(r"(?<!\w)#(\w+)")


class User(msgspec.Struct):
    """An account. ``called`` is how the citizen was named when they first wrote."""

    id: str
    handle: str
    name: str
    called: str


class Post(msgspec.Struct, kw_only=True):
    """A post, in its newest version; ``history`` are the ids of all its versions, its own last."""

    id: str
    author: str
    text: str
    at: datetime
    conversation: str
    history: list[str]
    replied_to: str = ""
    quoted: str = ""
    retweeted: str = ""
    media: tuple[str, ...] = ()
    deleted: bool = False


class Direct(msgspec.Struct, kw_only=True):
    """A direct message."""

    id: str
    sender: str
    recipient: str
    text: str
    at: datetime


class Platform:
    """All there is at X. ``handle`` and ``user_id`` are the gateway's account."""

    def __init__(self, handle: str, user_id: str) -> None:
        self.us = User(user_id, handle, "LAPOR!", handle)
        self.users: dict[str, User] = {user_id: self.us}
        self.posts: dict[str, Post] = {}
        self.messages: list[Direct] = []
        self.media: dict[str, bytes] = {}
        self.media_url = ""
        self._number = itertools.count()

    def new_id(self, at: datetime) -> str:
        """An id of that time."""
        return str(((int(at.timestamp() * 1000) - _EPOCH) << 22) | (next(self._number) & 0x3FFFFF))

    def user(self, name: str) -> User:
        """The account of that handle or id; a new one the first time."""
        bare = name.removeprefix("@")
        for user in self.users.values():
            if bare in (user.id, user.handle) or name == user.called:
                return user
        id_ = bare if bare.isdigit() else str(5_000_000_000 + len(self.users))
        handle = (f"u{bare}" if bare.isdigit() else re.sub(r"\W", "_", bare))[:15] or "u"
        self.users[id_] = User(id_, handle, handle.capitalize(), name)
        return self.users[id_]

    def post(
        self,
        author: User,
        text: str,
        *,
        at: datetime | None = None,
        replied_to: str = "",
        quoted: str = "",
        retweeted: str = "",
        media: Sequence[str] = (),
    ) -> Post:
        """A new post."""
        at = at or datetime.now(UTC)
        id_ = self.new_id(at)
        parent = self.posts.get(replied_to)
        made = Post(
            id=id_,
            author=author.id,
            text=text,
            at=at,
            conversation=parent.conversation if parent else id_,
            history=[id_],
            replied_to=replied_to,
            quoted=quoted,
            retweeted=retweeted,
            media=tuple(media),
        )
        self.posts[id_] = made
        return made

    def edit(self, id_: str, text: str, at: datetime | None = None) -> Post:
        """A new version of a post, with an id of its own; the earlier one is seen no more."""
        at = at or datetime.now(UTC)
        old = self.posts[id_]
        old.deleted = True
        new = msgspec.structs.replace(old, id=self.new_id(at), text=text, at=at, history=[*old.history], deleted=False)
        new.history.append(new.id)
        self.posts[new.id] = new
        return new

    def direct(self, sender: User, recipient: User, text: str, at: datetime | None = None) -> Direct:
        """A new direct message."""
        at = at or datetime.now(UTC)
        made = Direct(id=self.new_id(at), sender=sender.id, recipient=recipient.id, text=text, at=at)
        self.messages.append(made)
        return made

    def concerns_us(self, post: Post) -> bool:
        """Whether a post mentions our account, answers a post of ours or quotes one: only then may we reply."""
        ours = {id_ for id_ in (post.replied_to, post.quoted) if id_ and self.posts[id_].author == self.us.id}
        mentioned = {handle.casefold() for handle in _MENTION.findall(post.text)}
        return bool(ours) or self.us.handle.casefold() in mentioned

    def mentions(self) -> list[Post]:
        """The posts of our mentions timeline, newest first."""
        found = [post for post in self.posts.values() if not post.deleted and self.concerns_us(post)]
        return sorted(found, key=lambda post: int(post.id), reverse=True)

    def shown(self, post: Post) -> dict[str, Any]:
        """A post as the object Post of X's OpenAPI document."""
        parent = self.posts.get(post.replied_to)
        references = {"replied_to": post.replied_to, "quoted": post.quoted, "retweeted": post.retweeted}
        mentions = [(one.start(), one.end(), one[1]) for one in _MENTION.finditer(post.text)]
        hashtags = [(one.start(), one.end(), one[1]) for one in _HASHTAG.finditer(post.text)]
        shown: dict[str, Any] = {
            "id": post.id,
            "text": post.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
            "author_id": post.author,
            "created_at": _time(post.at),
            "conversation_id": post.conversation,
            "edit_history_post_ids": post.history,
            "lang": "in",
            "entities": {
                "mentions": [{"start": start, "end": end, "username": name} for start, end, name in mentions],
                "hashtags": [{"start": start, "end": end, "tag": tag} for start, end, tag in hashtags],
            },
        }
        if any(references.values()):
            shown["referenced_posts"] = [{"type": kind, "id": id_} for kind, id_ in references.items() if id_]
        if parent is not None:
            shown["in_reply_to_user_id"] = parent.author
        if post.media:
            shown["attachments"] = {"media_keys": [f"3_{name}" for name in post.media]}
        return shown

    def shown_direct(self, message: Direct) -> dict[str, Any]:
        """A direct message as the object DmEvent."""
        pair = sorted((message.sender, message.recipient), key=int)
        return {
            "id": message.id,
            "event_type": "MessageCreate",
            "text": message.text,
            "sender_id": message.sender,
            "participant_ids": pair,
            "dm_conversation_id": "-".join(pair),
            "created_at": _time(message.at),
        }

    def older_direct(self, direct: Direct) -> dict[str, Any]:
        """A direct message as webhooks bring it: in the shape of the older Account Activity API."""
        created = {
            "target": {"recipient_id": direct.recipient},
            "sender_id": direct.sender,
            "message_data": {"text": direct.text, "entities": {"urls": []}},
        }
        stamp = str(int(direct.at.timestamp() * 1000))
        event = {"type": "message_create", "id": direct.id, "created_timestamp": stamp, "message_create": created}
        return {
            "direct_message_events": [event],
            "users": {direct.sender: {"data": self.shown_user(self.users[direct.sender])}},
        }

    def shown_user(self, user: User) -> dict[str, Any]:
        """An account as the object User."""
        return {"id": user.id, "name": user.name, "username": user.handle, "protected": False}

    def includes(self, posts: Sequence[Post]) -> dict[str, list[Mapping[str, Any]]]:
        """The users, posts and files that these posts speak of."""
        ids = {id_ for post in posts for id_ in (post.replied_to, post.quoted, post.retweeted) if id_}
        others = [self.posts[id_] for id_ in sorted(ids) if not self.posts[id_].deleted]
        authors = dict.fromkeys(post.author for post in (*posts, *others))
        media = dict.fromkeys(name for post in posts for name in post.media)
        found: dict[str, list[Mapping[str, Any]]] = {
            "users": [self.shown_user(self.users[id_]) for id_ in authors],
            "posts": [self.shown(post) for post in others],
            "media": [{"media_key": f"3_{name}", "type": "photo", "url": f"{self.media_url}/{name}"} for name in media],
        }
        return {name: part for name, part in found.items() if part}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
