"""A post of X becomes an inbound message. Pure; nothing here raises anything but :class:`Malformed`.

Shapes: the objects Post and Expansions of X's OpenAPI document. X's text has ``&``, ``<`` and ``>`` escaped as in
HTML, and links as t.co addresses; both are undone. ``entities`` tell what each t.co address stands for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from channels.base import InboundKind, InboundMessage, Location, Sender, Thread
from channels.errors import Malformed
from channels.twitter.media import attachments
from channels.twitter.settings import TwitterSettings
from channels.twitter.shapes import RAW_TYPE, Includes, Json, digits, either, encode, obj, objects, text, time_of

_MENTION = re.compile(r"\s*(@(\w{1,15}))(?!\w)")
_HASHTAG = re.compile(r"(?<![\w&])[#\uff03](\w+)")


class Account(msgspec.Struct, frozen=True):
    """Who we are, as far as reading a message needs it; ``answer_from`` is when messages begin to be answered."""

    handle: str
    user_id: str
    hashtag: str = ""
    answer_from: datetime | None = None

    @classmethod
    def of(cls, settings: TwitterSettings, answer_from: datetime | None = None) -> Account:
        """The account of a channel."""
        return cls(settings.handle, settings.user_id, settings.hashtag, answer_from)

    def automated(self, author: str, at: datetime | None) -> str:
        """Why a message by ``author`` is not to be answered, whatever it says; ``""`` where it is."""
        if author == self.user_id:
            return "own"
        if self.answer_from is not None and at is not None and at < self.answer_from:
            return "before_start"
        return ""


def post_message(post: Json, includes: Includes, account: Account) -> InboundMessage:
    """The message that a post is. Raises :class:`Malformed` for a post without an id or an author."""
    id_, author = digits(post.get("id")), digits(post.get("author_id"))
    if not id_ or not author:
        raise Malformed("the post has no id or no author", reason="no_id" if not id_ else "no_author")
    at = time_of(post.get("created_at"))
    references = {text(one.get("type")): digits(one.get("id")) for one in _references(post)}
    quoted = includes.posts.get(references.get("quoted", ""), {})
    keys = _media_keys(post)
    files = attachments(keys, includes)
    body = text_of(post, drop_media=bool(files), quoted=references.get("quoted", ""))
    history = [digits(one) for one in _list(either(post, "edit_history_post_ids", "edit_history_tweet_ids"))]
    first = history[0] if history and history[0] else id_
    kind: InboundKind = "message" if first == id_ else "edit"
    return InboundMessage(
        kind=kind,
        sender=sender_of(author, includes),
        recipient=account.handle,
        provider_id=first,
        sent_at=at,
        edited_at=at if kind == "edit" else None,
        text=without_handle(body, account.handle),
        quoted=_quotation(references.get("quoted", ""), quoted, includes),
        thread=Thread(
            digits(post.get("conversation_id")) or first,
            _chain(references.get("replied_to", ""), includes),
            public=True,
        ),
        location=_location(obj(post.get("geo")), includes),
        attachments=files,
        automated=account.automated(author, at) or _automated(post, references, account),
        raw=encode({"data": post, "includes": _needed(post, includes)}),
        raw_type=RAW_TYPE,
    )


def sender_of(author: str, includes: Includes) -> Sender:
    """Who wrote: the account's id, which outlives a change of handle; name and handle are for people to read."""
    user = includes.users.get(author, {})
    name, handle = text(user.get("name")), text(user.get("username"))
    shown = f"{name} (@{handle})" if name and handle else f"@{handle}" if handle else name
    return Sender(author, "user_id", shown)


def text_of(post: Json, *, drop_media: bool = False, quoted: str = "") -> str:
    """What a post or a direct message says, its links written out.

    A long post has its whole text in ``note_post``. The link that X puts at the end for a quoted post is left out,
    and with ``drop_media`` those for files: both are kept elsewhere.
    """
    note = obj(either(post, "note_post", "note_tweet"))
    source = note if text(note.get("text")) else post
    said = text(source.get("text"))
    for link in objects(obj(source.get("entities")).get("urls")):
        short, full = text(link.get("url")), text(link.get("expanded_url"))
        if not short:
            continue
        leave_out = (drop_media and _is_media(link)) or (quoted and full.endswith(f"/{quoted}"))
        written = "" if leave_out else full or short
        said = re.sub(re.escape(short) + r"(?![\w/])", lambda _, written=written: written, said)  # type: ignore[misc]
    return said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def without_handle(said: str, handle: str) -> str:
    """The text without our own handle among the mentions in front: X puts them there in every reply."""
    kept: list[str] = []
    at = 0
    while match := _MENTION.match(said, at):
        if match[2].casefold() != handle.casefold():
            kept.append(match[1])
        at = match.end()
    return " ".join([*kept, said[at:].lstrip(" \t:,")]).strip() if at else said


def _is_media(link: Json) -> bool:
    shown = text(link.get("display_url"))
    return bool(text(link.get("media_key"))) or shown.startswith(("pic.x.com/", "pic.twitter.com/"))


def _references(post: Json) -> Sequence[Json]:
    return objects(either(post, "referenced_posts", "referenced_tweets"))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _media_keys(post: Json) -> list[object]:
    return _list(obj(post.get("attachments")).get("media_keys"))


def _automated(post: Json, references: dict[str, str], account: Account) -> str:
    if "retweeted" in references:
        return "retweet"
    to_us = digits(post.get("in_reply_to_user_id")) == account.user_id
    if account.hashtag and not to_us and account.hashtag not in _hashtags(post):
        return "no_hashtag"
    return ""


def _hashtags(post: Json) -> set[str]:
    tagged = {text(one.get("tag")).casefold() for one in objects(obj(post.get("entities")).get("hashtags"))}
    return tagged | {tag.casefold() for tag in _HASHTAG.findall(text_of(post))}


def _chain(parent: str, includes: Includes) -> tuple[str, ...]:
    """The posts that a reply answers, nearest first, as far as X tells them."""
    chain: list[str] = []
    while parent and parent not in chain:
        chain.append(parent)
        above = _references(includes.posts.get(parent, {}))
        parent = next((digits(one.get("id")) for one in above if text(one.get("type")) == "replied_to"), "")
    return tuple(chain)


def _quotation(id_: str, quoted: Json, includes: Includes) -> str:
    """The quoted post's words and its address; the address alone where the post cannot be seen."""
    if not id_:
        return ""
    author = text(includes.users.get(text(quoted.get("author_id")), {}).get("username")) or "i"
    return f"{text_of(quoted)}\nhttps://x.com/{author}/status/{id_}".lstrip()


def _location(geo: Json, includes: Includes) -> Location | None:
    """The exact point that a phone gave, or the middle of the place that the citizen picked, with its name."""
    place = includes.places.get(text(geo.get("place_id")), {})
    name = text(place.get("full_name"))
    if len(point := _numbers(obj(geo.get("coordinates")).get("coordinates"))) == 2:
        return Location(point[1], point[0], name)
    if len(box := _numbers(obj(place.get("geo")).get("bbox"))) == 4:
        return Location((box[1] + box[3]) / 2, (box[0] + box[2]) / 2, name)
    return None


def _numbers(value: object) -> list[float]:
    found = [one for one in _list(value) if isinstance(one, int | float) and not isinstance(one, bool)]
    return [float(one) for one in found if abs(one) <= 180]


def _needed(post: Json, includes: Includes) -> dict[str, list[Json]]:
    """Of a page's ``includes`` what this one post speaks of."""
    posts = [includes.posts[id_] for one in _references(post) if (id_ := text(one.get("id"))) in includes.posts]
    authors = dict.fromkeys(text(one.get("author_id")) for one in (post, *posts))
    parts = {
        "users": [includes.users[id_] for id_ in authors if id_ in includes.users],
        "posts": posts,
        "media": [includes.media[text(key)] for key in _media_keys(post) if text(key) in includes.media],
        "places": [
            includes.places[id_] for id_ in [text(obj(post.get("geo")).get("place_id"))] if id_ in includes.places
        ],
    }
    return {name: part for name, part in parts.items() if part}
