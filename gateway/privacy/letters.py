"""Dead letters and the relay's backlog: where what a citizen said lies outside the tables of their case."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.settings import Topics
from gateway.dispatcher import relay
from gateway.privacy.blank import NOBODY, blank_case_event, blank_letter, payload
from gateway.privacy.spelled import Spelled
from gateway.store.engine import Store
from gateway.store.operations import forgotten
from gateway.store.sql import among, clock
from gateway.store.tables import cases, dead_letters, leases, outbox, publications
from normalizer.event import ComplaintEvent, decode
from normalizer.messages import CaseEvent, DeadLetter, decode_case_update, encode

AT_ONCE = 200
RELAY_SECONDS = 20.0
ASK_SECONDS = 0.1
OUTCOME = "forgotten"


async def blank_letters(
    store: Store, *, numbers: Collection[str] = (), spelled: Spelled | None = None, before: float = 0.0
) -> int:
    """Blank the dead letters of citizens who were forgotten; returns how many.

    Whose they are is known by their event or reply, or their case, beside those with these ``numbers``; what could not
    be read at all is theirs where their address (``spelled``) stands in it. With ``before`` (Unix seconds) it is every
    letter up to then.
    """
    if before:
        async with store.write() as connection:
            return await _blank(connection, and_(dead_letters.c.at <= before, _full()))
    count = 0
    async for rows in _pages(store):
        ids = [row.id for row in rows if spelled and spelled.within(payload(row.raw, row.raw_type))]
        async with store.write() as connection:
            ids += await _theirs(connection, rows, numbers)
            if ids:
                count += await _blank(connection, among(dead_letters.c.id, ids))
    return count


async def blank_publications(
    store: Store, topics: Topics, numbers: Collection[str], *, spelled: Spelled | None = None
) -> tuple[int, list[int]]:
    """Blank what is still to be said on the log of these cases, and dead letters in which the address stands.

    Returns how many were blanked, and the ids of all that wait about them.
    """
    wanted = {number.encode() for number in numbers}
    count, after = 0, 0
    waiting: list[int] = []
    while True:
        query = select(publications).where(publications.c.id > after).order_by(publications.c.id).limit(AT_ONCE)
        async with store.write() as connection:
            rows = (await connection.execute(query)).all()
            for row in rows:
                blank = _blanked(row, topics, wanted, spelled)
                if blank is None:
                    continue
                waiting.append(row.id)
                if blank != row.value:
                    count += 1
                    here = publications.c.id == row.id
                    await connection.execute(update(publications).where(here).values(value=blank))
        if len(rows) < AT_ONCE:
            return count, waiting
        after = rows[-1].id


async def relayed(store: Store, ids: Collection[int]) -> None:
    """Wait until a relay that may have read these publications before they were blanked has carried them.

    Not for long: one that is cut off from its log reads them again, and finds them blank.
    """
    held = select(leases.c.name).where(leases.c.name == relay.LEASE, leases.c.until > clock())
    left = select(func.count()).where(publications.c.id.in_(ids))
    deadline = time.monotonic() + RELAY_SECONDS
    while ids and time.monotonic() < deadline:
        async with store.read() as connection:
            at_work = (await connection.execute(held)).first() is not None
            if not at_work or not (await connection.execute(left)).scalar():
                return
        await asyncio.sleep(ASK_SECONDS)


def _blanked(row: Any, topics: Topics, numbers: Collection[bytes], spelled: Spelled | None) -> bytes | None:
    if row.topic == topics.cases and row.key in numbers:
        return encode(blank_case_event(msgspec.json.decode(row.value, type=CaseEvent)))
    if row.topic == topics.dead_letters and spelled is not None:
        letter = msgspec.json.decode(row.value, type=DeadLetter)
        if spelled.within(payload(letter.raw, letter.raw_type)):
            return encode(blank_letter(letter))
    return None


async def _pages(store: Store) -> AsyncIterator[list[Any]]:
    after = ""
    while True:
        query = (
            select(dead_letters).where(dead_letters.c.id > after, _full()).order_by(dead_letters.c.id).limit(AT_ONCE)
        )
        async with store.read() as connection:
            rows = list((await connection.execute(query)).all())
        if rows:
            yield rows
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].id


async def _theirs(connection: AsyncConnection, rows: list[Any], theirs: Collection[str]) -> list[str]:
    """Of these letters, those of replies, cases and events that were erased."""
    replies = {row.reference: row.id for row in rows if row.stage == "deliver"}
    gone = select(outbox.c.id).where(among(outbox.c.id, replies), outbox.c.sender_key == NOBODY)
    found = [replies[one] for one in (await connection.execute(gone)).scalars()]
    numbers = {row.id: number for row in rows if row.stage == "case_update" and (number := _number(row.raw))}
    gone = select(cases.c.number).where(among(cases.c.number, numbers.values()), cases.c.sender_key == NOBODY)
    taken = {*theirs, *(await connection.execute(gone)).scalars()}
    found += [id_ for id_, number in numbers.items() if number in taken]
    events = {row.id: event for row in rows if (event := _event(row))}
    keys = {event.sender.key for event in events.values()}
    query = select(forgotten).where(among(forgotten.c.sender_key, keys))
    until = {row.sender_key: row.until for row in await connection.execute(query)}
    found += [id_ for id_, event in events.items() if event.received_at.timestamp() <= until.get(event.sender.key, 0.0)]
    return found


async def _blank(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    unsettled = and_(dead_letters.c.replayed_at.is_(None), dead_letters.c.discarded_at.is_(None))
    discard = update(dead_letters).where(which, unsettled).values(discarded_at=time.time(), outcome=OUTCOME)
    await connection.execute(discard)
    blank = update(dead_letters).where(which).values(raw=b"", detail="")
    return (await connection.execute(blank)).rowcount


def _full() -> ColumnElement[bool]:
    return func.length(dead_letters.c.raw) > 0


def _number(raw: bytes) -> str:
    try:
        return decode_case_update(raw).number
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _event(row: Any) -> ComplaintEvent | None:
    if row.stage not in ("dispatch", "decode"):
        return None
    try:
        return decode(row.raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
