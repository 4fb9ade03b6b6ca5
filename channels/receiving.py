"""Ways for messages to come in other than a webhook: sources that are read, and listeners that are written to.

Both promise what the intake promises: the provider hears yes (a cursor moved on, SMTP 250) only when the
messages are durable. A channel reads and parses; the running program makes durable and keeps the cursor.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from channels.base import InboundMessage


class Unreadable(msgspec.Struct, frozen=True):
    """One message that a source or a listener brought and the channel cannot read: kept as a dead letter.

    ``raw`` is what came, without secrets; ``reason`` a short machine word, ``detail`` for people.
    """

    raw: bytes
    raw_type: str
    reason: str
    detail: str = ""


Item = InboundMessage | Unreadable


class Fetched(msgspec.Struct, frozen=True):
    """What one reading brought, oldest first, and the cursor behind it.

    ``rest`` is how many seconds to wait before the next reading: 0 where there is more, or where the reading
    itself waits for news.
    """

    items: Sequence[Item]
    cursor: str
    rest: float = 0.0


class Source(abc.ABC):
    """One place that a channel reads: a mailbox's folder, a timeline, a bot's updates.

    One process reads it at a time, under a lease. ``name`` is short and stays the same: the cursor is kept by it.
    """

    name: str

    @abc.abstractmethod
    async def fetch(self, cursor: str) -> Fetched:
        """What came after ``cursor``, which is ours to write as we like and ``""`` at the very first reading.

        May wait for news, at most about 30 seconds, and may be cancelled at any await. Everything up to the cursor
        it was called with is durable, so it may be acknowledged to the provider. A reading is bounded (some hundred
        messages); what is left comes with the next. Raises :class:`~channels.errors.RetryLater` or
        :class:`~channels.errors.Misconfigured`.
        """

    async def close(self) -> None:
        """Let go of the connection; :meth:`fetch` may be called again and opens a new one."""
        return


Take = Callable[[Sequence[Item]], Awaitable[None]]
"""Makes what came durable. Raises :class:`~channels.errors.RetryLater` where it cannot be: the peer must hear so."""


class Listener(Protocol):
    """A port of the channel's own, beside the gateway's HTTP port, that peers write to."""

    async def start(self) -> None:
        """Open the port. Raises :class:`OSError`."""
        ...

    async def stop(self) -> None:
        """Take nothing more and finish what was begun."""
        ...


class Kept(Protocol):
    """What a channel keeps in the store: small texts by name, shared by all processes. Cursors are not kept here.

    Every method raises :class:`~channels.errors.RetryLater` while the store is away.
    """

    async def get(self, name: str) -> str:
        """The text of this name, ``""`` where there is none."""
        ...

    async def put(self, name: str, value: str) -> None:
        """Keep a text."""
        ...

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """Do something that one process may do at a time (rotating a token), for at most 30 seconds; waits its turn."""
        ...
