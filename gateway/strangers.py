"""Who calls again and again without a proof is told to wait, before anything of theirs is read.

An address that has proven itself since the start is never slowed down: behind a proxy that the settings do not know,
a provider and a stranger are one address, and the provider's messages must come in. A provider that has not proven
itself yet hears 429 with Retry-After, as any other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import structlog
from aiohttp import web

from channels.peers import Networks, parsed, shown, source
from gateway.answers import problem
from gateway.lane import Call

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST = 10_000
"""Addresses that are remembered, of each kind; the oldest are forgotten first."""


class Strangers:
    """Refused calls by address: each may have ``per_minute`` at once, and as many a minute from then on; 0: any number.

    ``proxies`` are the networks of our own proxies, see :mod:`channels.peers`. ``now`` gives monotonic seconds.
    """

    def __init__(
        self, per_minute: int, proxies: Networks = (), *, now: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        self._limit = per_minute
        self._proxies = tuple(proxies)
        self._now = now
        self._most = most
        self._refused: dict[str, tuple[float, float]] = {}
        self._proven: dict[str, None] = {}

    def source(self, request: web.Request | Call) -> str:
        """The address that a call counts for; with IPv6 its /64, as one household has them all."""
        if not self._proxies:
            return _plain_source(request.remote or "")
        return source(request.remote or "", request.headers.getall("X-Forwarded-For", ()), self._proxies)

    def slowed(self, source: str) -> web.Response | None:
        """The answer to who has been refused too often; ``None`` lets the call in."""
        if source not in self._refused or source in self._proven:
            return None
        over = self._level(source) - self._limit
        if over <= 0:
            return None
        wait = {"Retry-After": str(math.ceil(over * 60 / self._limit))}
        return problem(429, "too_many_refusals", "too many calls without a proof came from this address", headers=wait)

    def refused(self, source: str) -> None:
        """A call was refused that proved nothing."""
        if not self._limit:
            return
        level = self._level(source) + 1
        if level > self._limit >= level - 1 and source not in self._proven:
            log.warning("intake.stranger_slowed", network=shown(parsed(source.partition("/")[0])))
        _keep(self._refused, source, (min(level, self._limit + 1.0), self._now()), self._most)

    def proved(self, source: str) -> None:
        """A call from there was one of a provider's, or of an agency's."""
        if source not in self._proven:
            _keep(self._proven, source, None, self._most)

    def _level(self, source: str) -> float:
        level, at = self._refused.get(source, (0.0, 0.0))
        return max(0.0, level - (self._now() - at) * self._limit / 60)


def _keep(known: dict[str, T], source: str, value: T, most: int) -> None:
    known.pop(source, None)
    if len(known) >= most:
        del known[next(iter(known))]
    known[source] = value


@lru_cache(maxsize=MOST)
def _plain_source(peer: str) -> str:
    return source(peer, (), ())
