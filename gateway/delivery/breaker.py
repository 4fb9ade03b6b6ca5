"""The circuit breaker of one channel's sending. Its state *is* the sending health (DESIGN section 9)."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum


class State(StrEnum):
    """Closed: sending. Open: nothing is tried. Half open: one reply is tried to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after ``failures`` failures in a row, or at once when told; lets one try through every ``probe`` seconds.

    A provider that names a time (Retry-After) is left alone until then.
    """

    def __init__(self, *, failures: int, probe: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._probe = probe
        self._clock = clock
        self._in_a_row = 0
        self._closed_until = 0.0
        self._tripped = False
        self.reason = ""

    @property
    def state(self) -> State:
        """The state at this moment."""
        if self._clock() < self._closed_until:
            return State.OPEN
        return State.HALF_OPEN if self._tripped else State.CLOSED

    @property
    def failing(self) -> bool:
        """Whether the last tries failed, tripped or not."""
        return self._tripped or self._in_a_row > 0

    def wait(self) -> float:
        """Seconds until something may be tried."""
        return max(0.0, self._closed_until - self._clock())

    def succeeded(self) -> None:
        """The provider took a reply: all is well again."""
        self._in_a_row = 0
        self._tripped = False
        self._closed_until = 0.0
        self.reason = ""

    def failed(self, reason: str, *, at_once: bool = False, retry_after: float | None = None) -> None:
        """The provider did not take a reply, for a cause that holds for the whole channel."""
        self._in_a_row += 1
        self.reason = reason
        if at_once or self._in_a_row >= self._limit or self._tripped:
            self._tripped = True
            self._closed_until = max(self._closed_until, self._clock() + self._probe)
        if retry_after:
            self._closed_until = max(self._closed_until, self._clock() + retry_after)
