"""What an update does to its case and who hears of it: pure functions of the update and of what the store knows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from gateway.dispatcher.facts import CaseState
from gateway.dispatcher.rules import Template
from normalizer.event import ComplaintEvent
from normalizer.messages import CaseUpdate
from normalizer.text import clean, line


class Outcome(StrEnum):
    """What the citizen hears of an update."""

    TOLD = "told"
    """The agency's words: in their thread, or privately where their thread is public."""
    TOLD_IN_PUBLIC = "told_in_public"
    """One general sentence below their post; their private thread is not known."""
    STOPPED = "stopped"
    """Nothing: they said stop and have not written since."""
    UNREACHABLE = "unreachable"
    """Nothing: no message of theirs is left to answer."""
    SILENT = "silent"
    """Nothing: the update has no text."""


class UpdateInvalid(ValueError):
    """The update cannot be taken as it is; the message says what is wrong and holds nothing of its text."""


class Standing(msgspec.Struct, frozen=True):
    """The state of a case, and when the update that it comes from was written (Unix seconds; ``None``: no update)."""

    state: CaseState
    since: float | None = None


class Heard(msgspec.Struct, frozen=True):
    """How a text reaches the citizen: ``template`` to the sender of ``event``; ``below`` it, or only where it was."""

    outcome: Outcome
    template: Template | None = None
    event: ComplaintEvent | None = None
    below: bool = True


def cleaned(update: CaseUpdate) -> CaseUpdate:
    """The update with its words as citizens may read them. Raises :class:`UpdateInvalid`."""
    if not update.id.isprintable() or update.id != update.id.strip():
        raise UpdateInvalid("id: must have no control characters and no blanks around it")
    text, agency = clean(update.text), line(clean(update.agency))
    if not text and update.status is None:
        raise UpdateInvalid("an update needs a status, a text, or both")
    return msgspec.structs.replace(update, text=text, agency=agency)


def moved(standing: Standing, update: CaseUpdate, now: float) -> Standing:
    """Where the case stands after the update.

    The newest word counts, by the agencies' clocks; of two of one time the one that came last. A clock that is ahead
    of ours counts as ours, so that it cannot hold back the updates after it.
    """
    if update.status is None:
        return standing
    at = min(update.at.timestamp(), now)
    if standing.since is not None and at < standing.since:
        return standing
    return Standing(update.status, at)


def heard(
    update: CaseUpdate, *, stopped: bool, messages: Sequence[ComplaintEvent], private: ComplaintEvent | None
) -> Heard:
    """How the text of an update reaches the citizen.

    ``messages`` are the sender's own on the case, the newest first, with their deletions. ``private`` is their
    newest private message on the same type of channel, on whichever case.
    """
    if not update.text:
        return Heard(Outcome.SILENT)
    if stopped:
        return Heard(Outcome.STOPPED)
    latest = _latest(messages)
    if latest is None:
        return Heard(Outcome.UNREACHABLE)
    if not latest.channel.thread.public:
        return Heard(Outcome.TOLD, Template.NEWS, latest)
    if private is not None:
        return Heard(Outcome.TOLD, Template.NEWS, private, below=False)
    return Heard(Outcome.TOLD_IN_PUBLIC, Template.NEWS_PUBLIC, latest)


def _latest(messages: Sequence[ComplaintEvent]) -> ComplaintEvent | None:
    """The newest message that can be answered: below a post that was deleted nothing can be written any more."""
    gone = {(e.channel.instance, e.channel.message_id) for e in messages if e.kind == "deletion"}
    for event in messages:
        deleted = (event.channel.instance, event.channel.message_id) in gone
        if event.kind == "message" and not (deleted and event.channel.thread.public):
            return event
    return None
