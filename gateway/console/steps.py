"""The steps of a case's or a message's way, made of rows as the veil shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from gateway.console.veil import Veil
from normalizer.event import ComplaintEvent

OPERATOR = "operator-"
"""How the id of an update begins that an operator wrote on the case's page."""

What = Literal[
    "payload", "event", "decision", "opened", "attachment", "reply", "attempt", "receipt", "updated", "forgotten"
]
_ORDER: dict[str, int] = {
    what: place
    for place, what in enumerate(
        ("payload", "event", "forgotten", "decision", "opened", "attachment", "updated", "reply", "attempt", "receipt")
    )
}
_OPENING = ("new_case", "complaint")
_CITIZENS = ("news", "news_public", "test")
"""Templates that carry more than our own general sentences."""


class Step(msgspec.Struct, frozen=True):
    """One thing that happened. ``key`` says what came of it: a row of the table, a template, a state, an outcome.

    ``facts`` are further labelled values, in order. ``text`` is what was written, ``""`` with ``withheld`` set where
    the citizen's wish keeps it back. ``event_id`` is the message that the step belongs to, if any.
    """

    at: float
    what: What
    channel: str = ""
    key: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    text: str = ""
    withheld: bool = False
    event_id: str = ""


def ordered(steps: Sequence[Step]) -> tuple[Step, ...]:
    """In time; what happened at once in the order in which it is done."""
    return tuple(sorted(steps, key=lambda step: (step.at, _ORDER[step.what])))


def message_steps(row: Any, event: ComplaintEvent | None, veil: Veil, raw: bytes | None = None) -> list[Step]:
    """A message's first steps: what the provider gave, what was made of it, and which row of the table fitted."""
    at, channel, key = row.received_at, row.channel, row.event_id
    decision = Step(at, "decision", channel, row.disposition, event_id=key)
    if event is None:
        return [Step(at, "forgotten", channel, event_id=key), decision]
    steps = []
    if event.raw is not None:
        data = raw if raw is not None else event.raw.data
        facts = _facts(type=event.raw.media_type, bytes=str(event.raw.size), stored=event.raw.stored)
        shown = veil.payload(data)
        steps.append(Step(at, "payload", channel, "", facts, shown, veil.withheld, key))
    facts = _facts(
        id=event.id,
        provider_id=veil.line(event.channel.message_id),
        intent=event.intent,
        language=event.language,
        region=event.region,
        numbers=", ".join(event.numbers),
        wishes=", ".join(name for name in ("anonymous", "confidential") if getattr(event.privacy, name)),
        public="yes" if event.channel.thread.public else "",
        automated=veil.line(event.automated),
        incomplete="yes" if event.incomplete else "",
        authentication=", ".join(f"{method} {result}" for method, result in event.authentication.items()),
        location="" if veil.withheld or event.location is None else _place(event),
        subject=veil.text(event.subject),
    )
    steps.append(Step(at, "event", channel, event.kind, facts, veil.text(event.text), veil.withheld, key))
    return [*steps, decision]


def opening_steps(case: Any, rows: Sequence[Any]) -> list[Step]:
    """That the case was opened, where the message that did it is on this page."""
    opener = next((r for r in rows if r.received_at == case.opened_at and r.disposition in _OPENING), None)
    if opener is None:
        return []
    return [Step(case.opened_at, "opened", case.channel, case.number, event_id=opener.event_id)]


def file_step(row: Any, veil: Veil) -> Step:
    """A file that came with a message, and how far it is fetched."""
    facts = _facts(
        name="" if veil.withheld else veil.line(row.name),
        type=row.media_type,
        bytes=str(row.size),
        attempts=str(row.attempts),
        detail=veil.line(row.detail),
    )
    return Step(row.created_at, "attachment", row.channel, row.state, facts, "", veil.withheld, row.event_id)


def reply_steps(replies: Sequence[Any], tries: Sequence[Any], veil: Veil) -> list[Step]:
    """Replies (rows of ``outbox``) and what became of them: attempts and receipts (rows of ``deliveries``)."""
    steps = []
    for row in replies:
        ours = row.template not in _CITIZENS
        text = veil.line(row.text) if ours else veil.text(row.text)
        facts = _facts(state=row.state, attempts=str(row.attempts), id=row.id)
        withheld = veil.withheld and not ours
        steps.append(Step(row.created_at, "reply", row.channel, row.template, facts, text, withheld, row.event_id))
    for row in tries:
        what: What = "receipt" if row.step == "receipt" else "attempt"
        facts = _facts(answer=veil.line(row.detail), provider_id=veil.line(row.provider_id), id=row.outbox_id)
        steps.append(Step(row.at, what, row.channel, row.outcome, facts))
    return steps


def update_step(row: Any, veil: Veil) -> Step:
    """What an agency, or an operator, said of the case."""
    facts = _facts(
        status=row.status or "",
        unchanged="yes" if row.status and not row.state_changed else "",
        agency=row.agency,
        id=row.id,
    )
    by = "operator" if row.id.startswith(OPERATOR) else "agency"
    key = row.outcome
    text = veil.text(row.text)
    return Step(row.received_at, "updated", "", key, (("by", by), *facts), text, veil.withheld and bool(row.text))


def _place(event: ComplaintEvent) -> str:
    place = event.location
    return f"{place.latitude:.5f}, {place.longitude:.5f} {place.name}".strip() if place else ""


def _facts(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in values.items() if value)
