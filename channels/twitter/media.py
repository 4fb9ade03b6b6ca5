"""The photos and videos of posts and direct messages: what there is, and fetching it.

A file's address comes with a citizen's message, so only X's own media hosts are asked, by HTTPS, and the API's own
origin; a redirect is not followed. Files of direct messages are behind the account's login: the address that X gives
for them is turned into the API's call "Download DM media".
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable

import aiohttp
import msgspec
from yarl import URL

from channels.base import Attachment
from channels.errors import Misconfigured, Refused, RetryLater
from channels.twitter.settings import TwitterSettings
from channels.twitter.shapes import Includes, Json, objects, text

MAX_FILE = 512 * 1024 * 1024
"""Bytes; X takes no larger video."""
_PIECE = 64 * 1024
_MEDIA_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
}
# https://ton.x.com/1.1/ton/data/dm/<message>/<media>/<file>
_PRIVATE = re.compile(r"https://ton\.(?:x|twitter)\.com/(?:[\w.]+/)*dm/(\w+)/(\w+)/([\w.-]+)")


class Place(msgspec.Struct, frozen=True):
    """Where a file is asked for; ``login`` tells that our token goes with it."""

    url: str
    login: bool


def attachments(keys: Iterable[object], includes: Includes) -> tuple[Attachment, ...]:
    """The files of a message, by its media keys; one that X does not describe is left out."""
    described = (includes.media.get(text(key)) for key in keys)
    return tuple(file for one in described if one is not None and (file := _attachment(one)) is not None)


def _attachment(media: Json) -> Attachment | None:
    """A photo is its picture; a video or an animated GIF is its best MP4, or its still where there is none."""
    variants = [one for one in objects(media.get("variants")) if text(one.get("content_type")) == "video/mp4"]
    best = max(variants, key=_bit_rate, default=None)
    url = text(best.get("url")) if best is not None else text(media.get("url")) or text(media.get("preview_image_url"))
    if not url:
        return None
    name = url.partition("?")[0].rpartition("/")[2]
    extension = name.rpartition(".")[2].lower()
    media_type = "video/mp4" if best is not None else _MEDIA_TYPES.get(extension, "application/octet-stream")
    return Attachment(name=name, media_type=media_type, reference=url)


def _bit_rate(variant: Json) -> int:
    rate = variant.get("bit_rate")
    return rate if isinstance(rate, int) else 0


def place_of(reference: str, settings: TwitterSettings) -> Place:
    """Where to ask for a file. Raises :class:`Refused` for an address that is none of X's."""
    if private := _PRIVATE.fullmatch(reference):
        return Place(f"{settings.api_url}/2/dm_conversations/media/{'/'.join(private.groups())}", login=True)
    try:
        url, api = URL(reference), URL(settings.api_url)
        own = url.origin() == api.origin()
        known = url.scheme == "https" and url.host in settings.media_hosts and url.port == 443
    except ValueError as error:
        raise Refused("the file's address cannot be used", reason="foreign_host") from error
    if url.user is not None or not (own or known):
        raise Refused("the file is on a host that is not asked", reason="foreign_host")
    return Place(reference, login=False)


async def fetch(place: Place, token: str, *, timeout: float = 300.0) -> AsyncIterator[bytes]:
    """The bytes of a file, in pieces; at most ``MAX_FILE``, in at most ``timeout`` seconds.

    Raises :class:`RetryLater`, :class:`Refused` or, where our login is refused, :class:`Misconfigured`.
    """
    limits = aiohttp.ClientTimeout(total=timeout, sock_connect=5.0, sock_read=30.0)
    headers = {"Authorization": f"Bearer {token}"} if place.login else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(place.url, allow_redirects=False, headers=headers) as response,
        ):
            _look_at(response.status, login=place.login)
            size = 0
            async for piece in response.content.iter_chunked(_PIECE):
                size += len(piece)
                if size > MAX_FILE:
                    raise Refused("the file is larger than X's own bound", reason="too_large")
                yield piece
    except aiohttp.InvalidURL as error:
        raise Refused("the file's address cannot be used", reason="foreign_host") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise RetryLater(f"the file did not come whole ({type(error).__name__})", reason="connection") from error


def _look_at(status: int, *, login: bool) -> None:
    said = f"the file's host answered {status}"
    if status == 200:
        return
    if status == 401 and login:
        raise Misconfigured(said, reason="revoked")
    if status in (408, 425, 429) or status >= 500:
        raise RetryLater(said, reason=f"http_{status}")
    raise Refused(said, reason="redirect" if 300 <= status < 400 else "gone")
