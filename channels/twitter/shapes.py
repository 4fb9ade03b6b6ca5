"""Looking into X's JSON without trusting its shape: whatever is not there, or is something else, is empty.

X calls some fields by two names: its OpenAPI document (2.167) says ``referenced_posts``, its servers still say
``referenced_tweets`` at times. :func:`either` takes the first of the two that is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

Json = Mapping[str, Any]

RAW_TYPE = "application/json"
NOTHING: Json = {}
MAX_DEPTH = 100


def decode(body: bytes) -> Any:
    """The document of a body; broken UTF-8 in it is no error.

    Raises :class:`ValueError` for what is not JSON, or is nested deeper than anything that X sends.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Lone surrogates and the like, which the standard library reads.
        try:
            document = json.loads(body.decode("utf-8", "replace"))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
        if not level:
            return document
    raise ValueError("nested too deeply")


def encode(document: Any) -> bytes:
    """JSON in ASCII: so that even a lone surrogate can stand in it."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def obj(value: object) -> Json:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else NOTHING


def objects(value: object) -> Sequence[Json]:
    """The objects of an array; anything else in it is passed over."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A string as valid Unicode (a lone surrogate becomes U+FFFD), or a whole number as one; else ``""``."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    return ""


def digits(value: object) -> str:
    """An id of X: up to 19 digits; else ``""``."""
    found = text(value)
    return found if found.isascii() and found.isdigit() and len(found) <= 19 else ""


def either(one: Json, *names: str) -> Any:
    """The first of these fields that is there and not null."""
    return next((one[name] for name in names if one.get(name) is not None), None)


def time_of(value: object) -> datetime | None:
    """An instant: RFC 3339, or milliseconds since 1970 as the older payloads have it; ``None`` where it is neither."""
    said = text(value)
    try:
        if said.isascii() and said.isdigit():
            return datetime.fromtimestamp(int(said[:15]) / 1000, UTC)
        at = datetime.fromisoformat(said)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


class Includes:
    """The objects that a page's posts speak of: users, posts, media and places, by id."""

    def __init__(self, includes: object) -> None:
        found = obj(includes)
        self.users = _by(found.get("users"), "id")
        self.posts = _by(either(found, "posts", "tweets"), "id")
        self.media = _by(found.get("media"), "media_key")
        self.places = _by(found.get("places"), "id")


def _by(value: object, key: str) -> dict[str, Json]:
    # A deletion's users stand one level deeper, under "data".
    ones = (one if key in one else obj(one.get("data")) for one in objects(value))
    return {name: one for one in ones if (name := text(one.get(key)))}
