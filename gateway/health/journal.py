"""The journal: the latest calls between each channel and its provider, for an operator to look at.

Nothing of what citizens wrote and no secret stands in it: of a request it has the names of the fields and how much was
in each. On the hot path a call costs one look at a counter once enough of the current heartbeat's calls are noted.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any

import msgspec

from channels.base import Request
from channels.errors import Malformed
from channels.redaction import scrub
from gateway.health.pauses import Direction
from normalizer.text import storable

WELL_PER_BEAT = 20
"""Calls without a fault noted for each channel and direction between two heartbeats; further ones are passed over."""
LONGEST = 500
LARGEST_READ = 16 * 1024


class Interaction(msgspec.Struct, frozen=True):
    """One call: ``at`` in Unix seconds, ``direction`` "in" (the provider called us) or "out" (we called it).

    ``status`` is the HTTP status of the answer, 0 where there is none.
    """

    channel: str
    at: float
    direction: Direction
    call: str
    status: int
    seconds: float
    request: str = ""
    answer: str = ""


class Journal:
    """The calls since the last heartbeat. ``limit`` bounds the faulty ones of each channel and direction."""

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._well: dict[tuple[str, str], int] = {}
        self._noted: dict[tuple[str, str], deque[Interaction]] = {}

    def wants(self, channel: str, direction: Direction) -> bool:
        """Whether one more call that went well is to be noted before the next heartbeat."""
        return self._well.get((channel, direction), 0) < WELL_PER_BEAT

    def note(
        self,
        channel: str,
        direction: Direction,
        call: str,
        status: int,
        seconds: float,
        request: str = "",
        answer: str = "",
    ) -> None:
        """Note one call; the texts are free of secrets and of what citizens wrote (:func:`outline`)."""
        key = (channel, direction)
        if 200 <= status < 300 or status == 401:
            # Nor must somebody who only knocks drive out what matters.
            if not self.wants(channel, direction):
                return
            self._well[key] = self._well.get(key, 0) + 1
        noted = self._noted.get(key)
        if noted is None:
            noted = self._noted[key] = deque(maxlen=self._limit)
        # Whoever calls chooses the path and the names of the fields, and no store takes half a surrogate pair or a NUL.
        call, request, answer = (storable(said[:LONGEST]) for said in (call, request, answer))
        noted.append(Interaction(channel, time.time(), direction, call, status, seconds, request, answer))

    def drain(self) -> list[Interaction]:
        """Take what was noted, in order."""
        noted, self._noted = self._noted, {}
        self._well.clear()
        return sorted((one for each in noted.values() for one in each), key=lambda one: one.at)


def outline(request: Request) -> str:
    """The shape of a request: its fields and how long each is; of one that proved nothing, only its size."""
    size = f"{len(request.body)} bytes" if request.body else ""
    if not request.verified:
        return size
    said = [", ".join(f"{name} ({len(value)})" for name, value in request.query.items())]
    if request.content_type == "application/x-www-form-urlencoded":
        try:
            said.append(", ".join(f"{name} ({len(value)})" for name, value in request.form().items()))
        except Malformed:
            said.append("not a form")
    elif request.content_type.endswith("json") and len(request.body) <= LARGEST_READ:
        try:
            said.append(_shape(json.loads(request.body), 3))
        except (ValueError, RecursionError):
            said.append("not JSON")
    return scrub("; ".join(part for part in (*said, size) if part))[:LONGEST]


def _shape(value: Any, depth: int) -> str:
    """Names and kinds of a JSON value, ``depth`` levels of it."""
    match value:
        case dict() if depth:
            return "{" + ", ".join(f"{name}: {_shape(one, depth - 1)}" for name, one in list(value.items())[:20]) + "}"
        case list() if depth and value:
            more = f", … {len(value)}" if len(value) > 1 else ""
            return f"[{_shape(value[0], depth - 1)}{more}]"
        case dict() | list():
            return "…"
        case str():
            return f"text ({len(value)})"
        case bool() | None:
            return str(value).lower()
        case _:
            return "number"
