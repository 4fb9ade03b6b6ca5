"""What X still lets us do, as its answers tell: a bucket per endpoint that X itself fills.

The headers are ``x-rate-limit-limit``, ``-remaining`` and ``-reset`` (Unix seconds) for the window of 15 minutes, and
the same under ``x-app-limit-24hour`` and ``x-user-limit-24hour`` where a day's budget holds too (X's docs, "Rate
limits"). A whole window may go in one burst. Nothing here waits: it says how long to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from channels.base import Quota
from channels.errors import RetryLater

WINDOWS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")
UNKNOWN_RESET = 60.0
"""Seconds to wait after a 429 that does not say how long."""
LONGEST = 24 * 3600.0


class _Bucket(msgspec.Struct):
    left: int
    limit: int
    resets_at: float


class Quotas:
    """The buckets of one account. ``clock`` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, endpoint: str, *, whole_channel: bool) -> None:
        """Count one request; raises :class:`RetryLater` where X would refuse it, without asking X."""
        wait = self.wait(endpoint)
        if wait > 0:
            raise RetryLater(
                f"the quota of {endpoint} is used up", reason="quota", retry_after=wait, whole_channel=whole_channel
            )
        for bucket in self._of(endpoint):
            bucket.left -= 1

    def told(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer; ``headers`` in lower case. Requests in flight may answer out of order."""
        now = self._clock()
        for window in WINDOWS:
            limit, left, resets_at = (
                _number(headers.get(f"{window}-{part}")) for part in ("limit", "remaining", "reset")
            )
            if limit is None or left is None or resets_at is None:
                continue
            # A reset that X's clock and ours see years apart must not stop the channel for years.
            resets_at = min(resets_at, now + LONGEST)
            known = self._buckets.get((endpoint, window))
            if known is not None and known.resets_at == resets_at:
                left = min(left, known.left)
            self._buckets[endpoint, window] = _Bucket(int(left), int(limit), resets_at)
        if status == 429 and self.wait(endpoint) <= 0:
            self._buckets[endpoint, "429"] = _Bucket(0, 0, now + UNKNOWN_RESET)

    def wait(self, endpoint: str) -> float:
        """Seconds until the next request is allowed; 0 where it is now."""
        now = self._clock()
        return max((bucket.resets_at - now for bucket in self._of(endpoint) if bucket.left <= 0), default=0.0)

    def rest(self, endpoint: str, wanted: float, need: int) -> float:
        """Seconds to rest between readings of ``need`` requests each: ``wanted``, or more where few requests are left.

        What is left of the window is spread over its time.
        """
        now = self._clock()
        spread = [(bucket.resets_at - now) / max(bucket.left / need, 1.0) for bucket in self._of(endpoint)]
        return max([wanted, self.wait(endpoint), *spread])

    def list(self) -> Sequence[Quota]:
        """The tightest bucket of each endpoint that X told of and that has not been filled again."""
        found: dict[str, Quota] = {}
        for endpoint in dict.fromkeys(endpoint for endpoint, _ in self._buckets):
            for bucket in self._of(endpoint):
                left = max(bucket.left, 0)
                if endpoint not in found or left < found[endpoint].left:
                    found[endpoint] = Quota(endpoint, left, bucket.limit, bucket.resets_at)
        return tuple(found.values())

    def _of(self, endpoint: str) -> Sequence[_Bucket]:
        """The buckets of an endpoint that still hold; those whose time is over are full again, and forgotten."""
        now = self._clock()
        for key in [key for key, bucket in self._buckets.items() if key[0] == endpoint and bucket.resets_at <= now]:
            del self._buckets[key]
        return [bucket for (name, _), bucket in self._buckets.items() if name == endpoint]


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 16 else None
