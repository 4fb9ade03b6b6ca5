"""How often one chat may be written to: "My bot is hitting limits" of the Bot FAQ.

One message a second in any chat, 20 a minute in a group. These are bounds of one chat: one that has to wait leaves
the others alone. What other processes of the gateway send is not counted here; Telegram's 429 tells of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import msgspec

from channels.errors import RetryLater

EVERY = 1.0
GROUP_TURNS, GROUP_WINDOW = 20, 60.0
LONGEST_WAIT = 3.0
"""Seconds that a reply waits for its turn by itself; for more it goes back to the outbox."""
REMEMBERED = 10_000


class _Chat(msgspec.Struct):
    turns: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=GROUP_TURNS))
    held_until: float = 0.0


class Pacer:
    """Gives turns; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._chats: dict[int, _Chat] = {}

    def turn(self, chat: int) -> float:
        """Take the next turn in a chat; returns the seconds until it comes.

        Raises :class:`RetryLater`, for this chat alone, where that is longer than :data:`LONGEST_WAIT`.
        """
        now = self._clock()
        known = self._chat(chat, now)
        at = max(now, known.held_until)
        if known.turns:
            at = max(at, known.turns[-1] + EVERY)
        if chat < 0 and len(known.turns) == GROUP_TURNS:
            at = max(at, known.turns[0] + GROUP_WINDOW)
        if at - now > LONGEST_WAIT:
            raise RetryLater("this chat has been written to too often", reason="throttled", retry_after=at - now)
        known.turns.append(at)
        return at - now

    def hold(self, chat: int, seconds: float) -> None:
        """Nobody writes to this chat for so long: Telegram said so."""
        now = self._clock()
        self._chat(chat, now).held_until = now + seconds

    def _chat(self, chat: int, now: float) -> _Chat:
        if len(self._chats) > REMEMBERED:
            self._chats = {
                one: known
                for one, known in self._chats.items()
                if known.held_until > now or (known.turns and known.turns[-1] > now - GROUP_WINDOW)
            }
        return self._chats.setdefault(chat, _Chat())
