"""A case's whole way, from the provider's raw payload to the receipt, as the console shows it.

Everything is read in one transaction, a statement a table, each by an index; a page of a case is a window of its
messages, so that a case of ten thousand messages is read as quickly as one of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.blobs.base import BlobMissing, Blobs, BlobsUnavailable
from gateway.blobs.raw import raw_of
from gateway.console.steps import (
    Step,
    file_step,
    message_steps,
    opening_steps,
    ordered,
    reply_steps,
    update_step,
)
from gateway.console.veil import Veil
from gateway.privacy.blank import NOBODY
from gateway.store.engine import Store
from gateway.store.sql import among
from gateway.store.tables import attachments, cases, deliveries, messages, outbox, senders, updates
from normalizer.event import ComplaintEvent, decode

PAGE = 100
"""Messages of a case on one page."""
Secrets = Callable[[str], Sequence[bytes]]
"""The secret values in a channel's settings, by the channel's name."""


class Trail(msgspec.Struct, frozen=True):
    """A case, or a message without one (``number`` is ``""``), with its steps, oldest first.

    ``older`` is the id of the message that the page of earlier ones begins before, ``""`` at the first message.
    ``forgotten`` says that what told of the citizen is erased. ``address`` and ``name`` are as the veil shows them.
    """

    number: str
    state: str
    channel: str
    channel_type: str
    opened_at: float
    updated_at: float
    anonymous: bool
    confidential: bool
    language: str
    region: str
    address: str
    name: str
    forgotten: bool
    revealed: bool
    steps: tuple[Step, ...]
    older: str = ""
    event_id: str = ""

    @property
    def sensitive(self) -> bool:
        """Whether the citizen asked to be unnamed or unpublished."""
        return self.anonymous or self.confidential


async def case_trail(
    store: Store, number: str, *, secrets: Secrets, revealed: bool = False, before: str = ""
) -> Trail | None:
    """The way of the case that bears the number; ``None`` where no case does.

    ``before``, the id of a message, asks for the page of what happened before it; ``None`` also where there is none.
    """
    async with store.read() as connection:
        case = (await connection.execute(select(cases).where(cases.c.number == number))).first()
        if case is None:
            return None
        sender = await _sender(connection, case.sender_key)
        until = await _moment(connection, before)
        if before and until is None:
            return None
        rows = (await connection.execute(_window(number, until, before).limit(PAGE + 1))).all()
        older = rows[PAGE - 1] if len(rows) > PAGE else None
        rows, since = rows[:PAGE], older.received_at if older is not None else None
        replies = await _between(connection, outbox, outbox.c.case_number, outbox.c.created_at, number, since, until)
        tries = await _deliveries(connection, [row.id for row in replies])
        said = await _between(connection, updates, updates.c.number, updates.c.received_at, number, since, until)
        files = await _between(
            connection, attachments, attachments.c.case_number, attachments.c.created_at, number, since, until
        )
    events = [(row, _event(row)) for row in rows]
    sensitive = case.anonymous or case.confidential
    veil = _veil(sender, [e for _, e in events], sensitive=sensitive, revealed=revealed, secrets=secrets(case.channel))
    steps = [step for row, event in events for step in message_steps(row, event, veil)]
    steps += opening_steps(case, rows)
    steps += [file_step(row, veil) for row in files]
    steps += reply_steps(replies, tries, veil)
    steps += [update_step(row, veil) for row in said]
    return Trail(
        number=case.number,
        state=case.state,
        channel=case.channel,
        channel_type=case.channel_type,
        opened_at=case.opened_at,
        updated_at=case.updated_at,
        anonymous=case.anonymous,
        confidential=case.confidential,
        language=case.language,
        region=case.region,
        address=veil.address(),
        name=veil.name(_name([event for _, event in events])),
        forgotten=case.sender_key == NOBODY,
        revealed=revealed,
        steps=ordered(steps),
        older=older.event_id if older is not None else "",
    )


async def message_trail(
    store: Store, event_id: str, *, secrets: Secrets, blobs: Blobs, revealed: bool = False
) -> Trail | None:
    """The way of one message, with or without a case; ``None`` where no message has the id.

    Unlike a case's page it also shows the beginning of a payload that lies in the blob store.
    """
    async with store.read() as connection:
        row = (await connection.execute(select(messages).where(messages.c.event_id == event_id))).first()
        if row is None:
            return None
        sender = await _sender(connection, row.sender_key)
        case = None
        if row.case_number:
            case = (await connection.execute(select(cases).where(cases.c.number == row.case_number))).first()
        replies = (await connection.execute(select(outbox).where(outbox.c.event_id == event_id))).all()
        tries = await _deliveries(connection, [reply.id for reply in replies])
        files = (await connection.execute(select(attachments).where(attachments.c.event_id == event_id))).all()
    event = _event(row)
    wishes = case if case is not None else event.privacy if event is not None else None
    anonymous, confidential = (wishes.anonymous, wishes.confidential) if wishes is not None else (False, False)
    known = [event] if event is not None else []
    veil = _veil(sender, known, sensitive=anonymous or confidential, revealed=revealed, secrets=secrets(row.channel))
    raw = None if veil.withheld or event is None else await _stored(event, blobs)
    steps = [*message_steps(row, event, veil, raw), *(file_step(file, veil) for file in files)]
    if case is not None:
        steps += opening_steps(case, [row])
    steps += reply_steps(replies, tries, veil)
    return Trail(
        number=row.case_number or "",
        state=case.state if case is not None else "",
        channel=row.channel,
        channel_type=row.channel_type,
        opened_at=row.received_at,
        updated_at=row.received_at,
        anonymous=anonymous,
        confidential=confidential,
        language=event.language if event is not None else "",
        region=event.region if event is not None else "",
        address=veil.address(),
        name=veil.name(_name(known)),
        forgotten=row.sender_key == NOBODY,
        revealed=revealed,
        steps=ordered(steps),
        event_id=event_id,
    )


async def _moment(connection: AsyncConnection, event_id: str) -> float | None:
    """When the message came in; ``None`` where there is none with this id."""
    query = select(messages.c.received_at).where(messages.c.event_id == event_id)
    return (await connection.execute(query)).scalar() if event_id else None


def _window(number: str, until: float | None, before: str) -> Select[Any]:
    """A case's messages, the newest first, from before the one with the id ``before``: several may share a moment."""
    at, id_ = messages.c.received_at, messages.c.event_id
    query = select(messages).where(messages.c.case_number == number).order_by(at.desc(), id_.desc())
    return query if until is None else query.where(at <= until, tuple_(at, id_) < tuple_(until, before))


async def _between(
    connection: AsyncConnection,
    table: Table,
    bears: ColumnElement[Any],
    at: ColumnElement[float],
    number: str,
    since: float | None,
    until: float | None,
) -> Sequence[Any]:
    """Rows of a case from ``since`` to before ``until``, so that each stands on one page."""
    query = select(table).where(bears == number)
    if since is not None:
        query = query.where(at >= since)
    if until is not None:
        query = query.where(at < until)
    return (await connection.execute(query)).all()


async def _sender(connection: AsyncConnection, key: str) -> Any:
    return (await connection.execute(select(senders).where(senders.c.key == key))).first()


async def _deliveries(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[Any]:
    if not ids:
        return ()
    return (await connection.execute(select(deliveries).where(among(deliveries.c.outbox_id, ids)))).all()


async def _stored(event: ComplaintEvent, blobs: Blobs) -> bytes | None:
    """The payload where it does not travel in the event; ``None`` where it does, or cannot be had."""
    if event.raw is None or not event.raw.stored:
        return None
    try:
        return await raw_of(event, blobs)
    except (BlobMissing, BlobsUnavailable):
        return None


def _event(row: Any) -> ComplaintEvent | None:
    """The event of a message; ``None`` where it was erased."""
    return decode(row.document.encode()) if row.sender_key != NOBODY else None


def _name(events: Sequence[ComplaintEvent | None]) -> str:
    return next((e.sender.display_name for e in events if e is not None and e.sender.display_name), "")


def _veil(
    sender: Any, events: Sequence[ComplaintEvent | None], *, sensitive: bool, revealed: bool, secrets: Sequence[bytes]
) -> Veil:
    names = {event.sender.display_name for event in events if event is not None}
    kind, address = (sender.kind, sender.address) if sender is not None else ("unknown", "")
    return Veil(kind, address, names, sensitive=sensitive, revealed=revealed, secrets=secrets)
