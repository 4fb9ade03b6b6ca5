"""When to hand over what has gathered: as soon as the loop brings no more, and not a moment later.

A commit costs the same whether it holds one record or a hundred. Under load the next requests are read and handled
in the very next turns of the loop; a commit that waits for those turns holds them all. A turn that brings nothing
new ends the wait: a lone request is not delayed by more than two empty turns (some microseconds).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LONGEST_WAIT = 0.004
"""Seconds after which a gathering is handed over although more keeps coming."""


class Gather:
    """Calls ``hand_over`` once things have stopped coming. Tell it of each with :meth:`came`."""

    def __init__(self, hand_over: Callable[[], None], *, longest_wait: float = LONGEST_WAIT) -> None:
        self._hand_over = hand_over
        self._longest_wait = longest_wait
        self._count = 0
        self._seen = 0
        self._until = 0.0

    def came(self) -> None:
        """One more waits to be handed over."""
        self._count += 1
        if self._count == 1:
            loop = asyncio.get_running_loop()
            self._until = loop.time() + self._longest_wait
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._count > self._seen and loop.time() < self._until:
            self._seen = self._count
            loop.call_soon(self._turn, loop)
            return
        self._count = self._seen = 0
        self._hand_over()
