"""Reading a case back: its messages, replies and updates in the order in which they happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.store.engine import Store
from gateway.store.tables import cases, deliveries, messages, outbox, updates
from normalizer.event import decode


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened on a case. ``what`` is received, replied, attempt, receipt or updated.

    ``channel`` is absent where an agency updated the case: ``detail`` then holds the status it gave, if any, what the
    citizen heard (``told``, ``told_in_public``, ``stopped``, ``unreachable``, ``silent``), and its name.
    """

    at: datetime
    what: str
    channel: str = ""
    detail: str = ""
    text: str = ""


class CaseStory(msgspec.Struct, frozen=True):
    """A case and its way so far, oldest step first."""

    number: str
    state: str
    channel: str
    opened_at: datetime
    updated_at: datetime
    anonymous: bool
    confidential: bool
    region: str
    steps: tuple[Step, ...]


async def story(store: Store, number: str) -> CaseStory | None:
    """The story of the case that bears the number; ``None`` where no case does."""
    async with store.read() as connection:
        case = (await connection.execute(select(cases).where(cases.c.number == number))).first()
        if case is None:
            return None
        steps = [
            Step(_time(row.received_at), "received", row.channel, row.disposition, decode(row.document.encode()).text)
            for row in await connection.execute(select(messages).where(messages.c.case_number == number))
        ]
        replies = (await connection.execute(select(outbox).where(outbox.c.case_number == number))).all()
        steps += [Step(_time(r.created_at), "replied", r.channel, f"{r.template}, {r.state}", r.text) for r in replies]
        tries = select(deliveries).where(deliveries.c.outbox_id.in_([r.id for r in replies]))
        steps += [
            Step(_time(row.at), row.step, row.channel, f"{row.outcome} {row.detail}".strip())
            for row in await connection.execute(tries)
        ]
        said = select(updates).where(updates.c.number == number)
        steps += [
            Step(_time(row.received_at), "updated", detail=_said(row), text=row.text)
            for row in await connection.execute(said)
        ]
    steps.sort(key=lambda step: step.at)
    return CaseStory(
        case.number,
        case.state,
        case.channel,
        _time(case.opened_at),
        _time(case.updated_at),
        case.anonymous,
        case.confidential,
        case.region,
        tuple(steps),
    )


def _said(row: Any) -> str:
    """What came of an agency's update, in a few words."""
    late = row.status is not None and not row.state_changed
    status = f"{row.status} (unchanged)" if late else row.status
    return ", ".join(filter(None, [status, row.outcome, row.agency]))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
