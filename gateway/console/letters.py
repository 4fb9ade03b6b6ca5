"""Dead letters as the console shows them: kinds with their counts, a page of a list, and one with its raw bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.console.trail import Secrets
from gateway.console.veil import Veil, plain
from gateway.evidence import MEDIA_TYPE, KeptRequest
from gateway.store.engine import Store
from gateway.store.tables import cases, dead_letters
from normalizer.event import decode

PAGE: Final = 50
AT_ONCE: Final = 200
"""Letters of a kind that one click replays."""

_WAITING = and_(dead_letters.c.replayed_at.is_(None), dead_letters.c.discarded_at.is_(None))
_SHOWN = [column for column in dead_letters.c if column.name != "raw"]
# Where the wish to be unnamed could not be read with the rest, its words are taken for it.
_WISHES = (b"anonim", b"rahasia")


class Kind(msgspec.Struct, frozen=True):
    """The waiting letters of one stage and reason; ``newest`` in Unix seconds."""

    stage: str
    reason: str
    count: int
    newest: float


class Letter(msgspec.Struct, frozen=True):
    """One letter, without its raw bytes. Times are Unix seconds; ``number`` is the case it speaks of, if known."""

    id: str
    stage: str
    channel: str
    reason: str
    detail: str
    at: float
    reference: str
    raw_type: str
    replayed_at: float | None
    discarded_at: float | None
    outcome: str

    @property
    def waits(self) -> bool:
        """Whether somebody still has to act on it."""
        return self.replayed_at is None and self.discarded_at is None


class Opened(msgspec.Struct, frozen=True):
    """A letter with its payload as the veil shows it."""

    letter: Letter
    raw: str
    size: int
    withheld: bool
    revealed: bool


async def kinds(store: Store) -> list[Kind]:
    """The waiting letters by stage and reason, the most frequent first."""
    count = func.count().label("letters")
    query = (
        select(dead_letters.c.stage, dead_letters.c.reason, count, func.max(dead_letters.c.at).label("newest"))
        .where(_WAITING)
        .group_by(dead_letters.c.stage, dead_letters.c.reason)
        .order_by(count.desc(), dead_letters.c.stage, dead_letters.c.reason)
    )
    async with store.read() as connection:
        return [Kind(r.stage, r.reason, r.letters, r.newest) for r in await connection.execute(query)]


async def page(
    store: Store, *, stage: str = "", reason: str = "", settled: bool = False, before: str = ""
) -> tuple[list[Letter], str]:
    """A page of letters, the newest first, and the id before which the next one begins (``""``: there is none).

    ``settled`` asks for the ones that were replayed or discarded instead of those that wait.
    """
    query = select(*_SHOWN).where(~_WAITING if settled else _WAITING, *_of_kind(stage, reason))
    query = query.order_by(dead_letters.c.at.desc(), dead_letters.c.id.desc()).limit(PAGE + 1)
    async with store.read() as connection:
        if before:
            at = (await connection.execute(select(dead_letters.c.at).where(dead_letters.c.id == before))).scalar()
            if at is None:
                return [], ""
            place = tuple_(dead_letters.c.at, dead_letters.c.id) < tuple_(at, before)
            query = query.where(dead_letters.c.at <= at, place)
        rows = (await connection.execute(query)).all()
    found = [_letter(row) for row in rows[:PAGE]]
    return found, found[-1].id if len(rows) > PAGE else ""


async def of_kind(store: Store, stage: str, reason: str) -> Sequence[Any]:
    """Whole rows of the waiting letters of a kind, the oldest first, at most :data:`AT_ONCE`."""
    query = select(dead_letters).where(_WAITING, *_of_kind(stage, reason)).order_by(dead_letters.c.at).limit(AT_ONCE)
    async with store.read() as connection:
        return (await connection.execute(query)).all()


async def row_of(store: Store, identifier: str) -> Any:
    """The whole row of one letter, ``None`` where no letter has the id."""
    async with store.read() as connection:
        return (await connection.execute(select(dead_letters).where(dead_letters.c.id == identifier))).first()


async def opened(store: Store, identifier: str, *, secrets: Secrets, revealed: bool = False) -> Opened | None:
    """One letter with its payload; ``None`` where no letter has the id."""
    async with store.read() as connection:
        query = select(dead_letters).where(dead_letters.c.id == identifier)
        row = (await connection.execute(query)).first()
        if row is None:
            return None
        readable = _readable(row)
        address, names, sensitive = await _person(connection, row, readable)
    veil = Veil("unknown", address, names, sensitive=sensitive, revealed=revealed, secrets=secrets(row.channel))
    letter = msgspec.structs.replace(_letter(row), detail=veil.line(row.detail))
    return Opened(letter, veil.payload(readable), len(row.raw), veil.withheld, revealed)


def _of_kind(stage: str, reason: str) -> list[ColumnElement[bool]]:
    wanted = ((dead_letters.c.stage, stage), (dead_letters.c.reason, reason))
    return [column == value for column, value in wanted if value]


def _letter(row: Any) -> Letter:
    return Letter(*(getattr(row, name) for name in Letter.__struct_fields__))


async def _person(connection: AsyncConnection, row: Any, readable: bytes) -> tuple[str, tuple[str, ...], bool]:
    """Whose letter it is, as far as it tells: address, names, and whether they asked to stay unnamed."""
    wished = any(word in readable.lower() for word in _WISHES)
    try:
        if row.stage in ("dispatch", "decode"):
            event = decode(row.raw)
            wishes = event.privacy
            return event.sender.address, (event.sender.display_name,), wished or wishes.anonymous or wishes.confidential
        if row.stage == "deliver":
            reply = msgspec.json.decode(row.raw, type=_Reply)
            flags = select(cases.c.anonymous, cases.c.confidential).where(cases.c.number == reply.number)
            case = (await connection.execute(flags)).first() if reply.number else None
            return reply.to, (), wished or (case is not None and (case.anonymous or case.confidential))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", (), wished
    return "", (), wished


class _Reply(msgspec.Struct):
    """Of the reply that a letter of delivery holds, whom it went to and about what."""

    to: str
    number: str = ""


def _readable(row: Any) -> bytes:
    """The payload as people read it: of a kept request its line and body, of anything else the bytes."""
    raw: bytes = row.raw
    if row.raw_type != MEDIA_TYPE:
        return raw
    try:
        kept = msgspec.json.decode(raw, type=KeptRequest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw
    query = f"?{plain(kept.query)}" if kept.query else ""
    return f"{kept.method} {kept.path}{query}\n{kept.content_type}\n\n{plain(kept.body)}".encode()
