"""Row 2: the parts of a long SMS or an album wait for the rest, until a deadline that the store keeps.

A gathering collects the parts of one message of one sender. It is joined when its last part comes, or when its
deadline passes with parts still missing; then the rules see one whole message. A part that comes after that goes
to the case of the earlier ones. A reference is reused by phones after a while (eight bits on SMS), so a part whose
place is taken already, or one a day later, begins another gathering.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql import among, numbers, texts
from gateway.store.tables import gatherings, messages
from normalizer.event import ComplaintEvent, decode

log = structlog.get_logger(__name__)

REMEMBERED = 24 * 3600.0
"""Seconds after its first part for which a late part still finds its gathering."""

_OF_SENDERS = (
    select(gatherings)
    .where(among(gatherings.c.sender_key, texts("keys")), gatherings.c.opened_at > bindparam("since"))
    .order_by(gatherings.c.opened_at)
)
_DUE = (
    select(gatherings)
    # As the index of those that wait has it: SQLite finds it by these words alone, not by "joined = 0".
    .where(text("NOT gatherings.joined"), gatherings.c.deadline <= bindparam("now"))
    .order_by(gatherings.c.deadline)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_HELD = select(messages.c.gathering, messages.c.document).where(
    among(messages.c.gathering, numbers("ids")), messages.c.kind == "part"
)
_SETTLE = (
    update(gatherings)
    .where(gatherings.c.id == bindparam("at_id"))
    .values(joined=True, case_number=bindparam("to_case"))
)


class Join(Protocol):
    """Makes one message of parts (:meth:`normalizer.normalize.Normalizer.joined`)."""

    def __call__(self, parts: Sequence[ComplaintEvent], *, incomplete: bool) -> ComplaintEvent:
        """The whole message."""
        ...


Whose = tuple[str, str, str, int]
"""Channel, sender key, reference and total: what parts of one message share."""


class Gathering(msgspec.Struct):
    """The parts of one message so far. ``deadline`` and ``opened_at`` are Unix seconds."""

    id: int
    whose: Whose
    opened_at: float
    deadline: float
    joined: bool = False
    case_number: str | None = None
    parts: dict[int, ComplaintEvent] = msgspec.field(default_factory=dict)

    @property
    def channel_type(self) -> str:
        """The type of the channel that the parts came in on."""
        return next(iter(self.parts.values())).channel.type

    def complete(self) -> bool:
        """Whether every part is here; never so where the provider does not tell the total."""
        total = self.whose[3]
        return total > 0 and len(self.parts) >= total

    def whole(self, join: Join) -> ComplaintEvent:
        """One message of the parts that are here, marked incomplete where some are missing."""
        self.joined = True
        total = self.whose[3]
        parts = [self.parts[index] for index in sorted(self.parts)]
        return join(parts, incomplete=total > 0 and len(parts) < total)


def whose(event: ComplaintEvent) -> Whose:
    """What the event shares with the other parts of its message; only for events of kind ``part``."""
    if event.part is None:
        raise ValueError("not a part")
    return (event.channel.instance, event.sender.key, event.part.ref, event.part.total)


class Gatherings:
    """The gatherings that bear on one transaction."""

    def __init__(self, *, window: float, album_window: float) -> None:
        self._window = window
        self._album_window = album_window
        self._found: dict[Whose, list[Gathering]] = defaultdict(list)
        self._new: list[Gathering] = []
        self._changed: dict[int, Gathering] = {}

    async def load(self, connection: AsyncConnection, parts: Sequence[ComplaintEvent], now: float) -> None:
        """Read the gatherings that these parts may belong to, with the parts they hold."""
        if not parts:
            return
        keys = {event.sender.key for event in parts}
        await self._take(connection, await connection.execute(_OF_SENDERS, {"keys": keys, "since": now - REMEMBERED}))

    async def load_due(self, connection: AsyncConnection, now: float, limit: int = 100) -> list[Gathering]:
        """Read the gatherings whose deadline has passed, locked against another dispatcher where the store can."""
        return await self._take(connection, await connection.execute(_DUE, {"now": now, "most": limit}))

    def add(self, event: ComplaintEvent, now: float) -> Gathering:
        """The gathering that this part belongs to, with the part in it, old or new."""
        if event.part is None:
            raise ValueError("not a part")
        found = self._found[whose(event)]
        index = event.part.index
        if found and index not in found[-1].parts:
            gathering = found[-1]
        else:
            # Nobody tells how many files an album has, so it always waits to the end: that end is near.
            window = self._window if event.part.total else self._album_window
            # Measured from now: after an outage a whole backlog of parts is older than any window.
            gathering = Gathering(secrets.randbits(62), whose(event), now, now + window)
            found.append(gathering)
            self._new.append(gathering)
        gathering.parts[index] = event
        return gathering

    def settle(self, gathering: Gathering, case_number: str | None) -> None:
        """The gathering's message was decided: remember that, and the case it is on."""
        gathering.joined = True
        gathering.case_number = case_number
        self._changed[gathering.id] = gathering

    async def write(self, connection: AsyncConnection) -> None:
        """Write what is new and what was settled."""
        new = {gathering.id for gathering in self._new}
        if self._new:
            rows = [
                {
                    "id": g.id,
                    "channel": g.whose[0],
                    "sender_key": g.whose[1],
                    "ref": g.whose[2],
                    "total": g.whose[3],
                    "opened_at": g.opened_at,
                    "deadline": g.deadline,
                    "joined": g.joined,
                    "case_number": g.case_number,
                }
                for g in self._new
            ]
            await connection.execute(gatherings.insert(), rows)
        changed = [g for g in self._changed.values() if g.id not in new]
        if changed:
            await connection.execute(_SETTLE, [{"at_id": g.id, "to_case": g.case_number} for g in changed])

    async def _take(self, connection: AsyncConnection, rows: Iterable[Any]) -> list[Gathering]:
        taken = {
            row.id: Gathering(
                row.id,
                (row.channel, row.sender_key, row.ref, row.total),
                row.opened_at,
                row.deadline,
                row.joined,
                row.case_number,
            )
            for row in rows
        }
        if taken:
            for row in await connection.execute(_HELD, {"ids": list(taken)}):
                event = decode(row.document.encode())
                if event.part is not None:
                    taken[row.gathering].parts[event.part.index] = event
        for gathering in taken.values():
            self._found[gathering.whose].append(gathering)
        return list(taken.values())
