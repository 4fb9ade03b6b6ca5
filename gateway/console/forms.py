"""Reading what a form or a query holds: bounded, of the right kind, or refused as a bad request."""

from __future__ import annotations

import re

from aiohttp import web

_NUMBER = re.compile(r"[0-9]{1,18}")
_KEY = re.compile(r"[0-9a-f]{32}")


async def field(request: web.Request, name: str, *, longest: int, needed: bool = True) -> str:
    """A form's field, without blanks around it. Raises :class:`aiohttp.web.HTTPBadRequest`."""
    value = (await request.post()).get(name, "")
    if not isinstance(value, str) or len(value) > longest or (needed and not value.strip()):
        raise web.HTTPBadRequest
    return value.strip()


async def choice(request: web.Request, name: str, *allowed: str) -> str:
    """A form's field that is one of a few. Raises :class:`aiohttp.web.HTTPBadRequest`."""
    value = await field(request, name, longest=64, needed="" not in allowed)
    if value not in allowed:
        raise web.HTTPBadRequest
    return value


async def key(request: web.Request) -> str:
    """The id that a form was given when it was shown. Raises :class:`aiohttp.web.HTTPBadRequest`."""
    value = await field(request, "key", longest=32)
    if not _KEY.fullmatch(value):
        raise web.HTTPBadRequest
    return value


def number(value: str | None) -> int | None:
    """A whole number of a query; ``None`` where there is none. Raises :class:`aiohttp.web.HTTPBadRequest`."""
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise web.HTTPBadRequest
    return int(value)
