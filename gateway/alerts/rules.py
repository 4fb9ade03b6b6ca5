"""Which changes of health are told, as pure functions: changes go into a sink's ledger, and notices come out.

Down and silent are told at once, degraded once it has lasted for a while, and each once more when it is over. Where
one bad state follows another, that is one trouble: its next notice takes the place of the one before. What has begun
and ended before a sink was told of it is one notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from config.durations import DAY

AT_ONCE: Final = ("down", "silent")
PATIENT: Final = "degraded"
NOT_KNOWN: Final = "unknown"
"""A channel that nobody looks at has not recovered: its trouble is neither told nor over."""
TEST: Final = "test"
"""The state in a notice that only tries whether the sinks work."""
OLD: Final = DAY
MANY: Final = 5
"""More notices than this that wait at one time are told in one message."""

GONE: Final = "gone"
"""What follows the trouble of a channel that is not configured any more."""


class Stand(msgspec.Struct, frozen=True):
    """How something stands now, and since when (Unix seconds): a row of ``health``."""

    state: str
    since: float


Standing = Mapping[str, Stand]
"""How each subject (:func:`subject`) stands now."""


class Change(msgspec.Struct, frozen=True):
    """A row of ``health_changes`` about a channel as a whole, or, where ``channel`` is ``""``, about the gateway.

    ``part`` is ``""`` for a channel; of the gateway it is the role that is spoken of. ``at`` is in Unix seconds.
    """

    id: int
    at: float
    channel: str
    part: str
    state: str
    reason: str = ""


class Notice(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a sink is to be told of one trouble.

    It holds from ``since`` to ``until`` (Unix seconds), or still where that is ``None``; ``then`` is the state that
    followed. ``was`` is the bad state that the sink knows the trouble by so far. ``changes`` are the ids of the
    changes that it tells, ``began`` that of the trouble's first one.
    """

    channel: str
    part: str = ""
    state: str
    reason: str = ""
    since: float
    until: float | None = None
    then: str = ""
    was: str = ""
    was_since: float = 0.0
    began: int = 0
    changes: list[int] = msgspec.field(default_factory=list)

    @property
    def firing(self) -> bool:
        """Whether the trouble goes on."""
        return self.until is None


class Trouble(msgspec.Struct):
    """What a sink knows to be wrong, once its queue is told; ``began`` is the id of the trouble's first change."""

    state: str
    since: float
    began: int


class Ledger(msgspec.Struct):
    """How far one sink has come.

    Changes up to the id ``upto`` are taken in. ``queue`` waits to be told, ``held`` waits to have lasted, ``open`` is
    not over; the last two are by subject. After ``failures`` in a row the sink is left alone until ``rest_until``.
    """

    upto: int = 0
    queue: list[Notice] = msgspec.field(default_factory=list)
    held: dict[str, Change] = msgspec.field(default_factory=dict)
    open: dict[str, Trouble] = msgspec.field(default_factory=dict)
    failures: int = 0
    rest_until: float = 0.0

    def waiting(self) -> set[int]:
        """The ids of changes that are taken in but not told."""
        return {c.id for c in self.held.values()} | {i for notice in self.queue for i in notice.changes}


def subject(channel: str, part: str) -> str:
    """The name of what a change speaks of, in a ledger."""
    return f"{channel}/{part if not channel else ''}"


def take(ledger: Ledger, changes: Sequence[Change], *, now: float, patience: float, standing: Standing) -> None:
    """Take changes in, in the order of their ids, and queue what is to be told of them at ``now``.

    ``patience`` is how long, in seconds, a channel is degraded before that is told. A change of more than a day ago is
    not news: it is told only where it still holds by ``standing``.
    """
    for change in changes:
        name = subject(change.channel, change.part)
        ledger.upto = max(ledger.upto, change.id)
        ledger.held.pop(name, None)
        if change.state == NOT_KNOWN:
            continue
        bad = change.state in AT_ONCE or change.state == PATIENT
        if bad and now - change.at > OLD and not _stands(name, change.state, standing):
            continue
        if change.state in AT_ONCE:
            _begin(ledger, name, change)
        elif change.state == PATIENT:
            ledger.held[name] = change
        else:
            _end(ledger, name, change.at, change.state, change.id)
    ripe = [name for name, change in ledger.held.items() if change.at + patience <= now]
    for name in ripe:
        _begin(ledger, name, ledger.held.pop(name))


def over(ledger: Ledger, standing: Standing) -> list[str]:
    """The subjects that wait, or whose trouble is open, although they stand well by ``standing``, or not at all.

    The watch writes no change for what was unknown and is well again, nor for a channel that was taken away.
    ``standing`` must have been read after every change that the ledger took in.
    """
    return [
        name
        for name in dict.fromkeys((*ledger.open, *ledger.held))
        if name not in standing or standing[name].state not in (*AT_ONCE, PATIENT, NOT_KNOWN)
    ]


def end(ledger: Ledger, names: Sequence[str], *, now: float, standing: Standing) -> None:
    """End the troubles of these subjects, as found by :func:`over` at ``now``."""
    for name in names:
        ledger.held.pop(name, None)
        stand = standing.get(name, Stand(GONE, now))
        _end(ledger, name, stand.since, stand.state)


def forget_old(ledger: Ledger, *, now: float, standing: Standing) -> list[Notice]:
    """Take from the queue what a sink could not be told within a day, but for what still holds; returns it."""
    gone = [n for n in ledger.queue if now - (n.until or n.since) > OLD and not _holds(n, standing)]
    for notice in gone:
        known = ledger.open.get(subject(notice.channel, notice.part))
        if notice.firing and known is not None and known.began == notice.began:
            del ledger.open[subject(notice.channel, notice.part)]
    ledger.queue = [notice for notice in ledger.queue if notice not in gone]
    return gone


def following(ledger: Ledger) -> list[Notice]:
    """The notices of the next message: the first that waits, or all where they are many; empty where none waits."""
    return ledger.queue[:] if len(ledger.queue) > MANY else ledger.queue[:1]


def told(ledger: Ledger, notices: Sequence[Notice]) -> None:
    """These notices, which stand first in the queue, have been told."""
    del ledger.queue[: len(notices)]


def _holds(notice: Notice, standing: Standing) -> bool:
    return notice.firing and _stands(subject(notice.channel, notice.part), notice.state, standing)


def _stands(name: str, state: str, standing: Standing) -> bool:
    return name in standing and standing[name].state == state


def _begin(ledger: Ledger, name: str, change: Change) -> None:
    known, untold = ledger.open.get(name), _untold(ledger, name)
    if known is not None and known.state == change.state:
        return
    began = known.began if known is not None else change.id
    if untold is not None and untold.was == change.state:
        # Back where it was when the sink was last told.
        ledger.queue.remove(untold)
        ledger.open[name] = Trouble(untold.was, untold.was_since, began)
        return
    ledger.open[name] = Trouble(change.state, change.at, began)
    notice = Notice(
        channel=change.channel,
        part=change.part,
        state=change.state,
        reason=change.reason,
        since=change.at,
        began=began,
        changes=[change.id],
    )
    if untold is not None:
        notice.was, notice.was_since = untold.was, untold.was_since
        notice.changes = [*untold.changes, change.id]
        ledger.queue.remove(untold)
    elif known is not None:
        notice.was, notice.was_since = known.state, known.since
    ledger.queue.append(notice)


def _end(ledger: Ledger, name: str, at: float, state: str, change: int | None = None) -> None:
    known, untold = ledger.open.pop(name, None), _untold(ledger, name)
    if known is None:
        return
    if untold is None:
        channel, _, part = name.partition("/")
        untold = Notice(channel=channel, part=part, state=known.state, since=known.since, began=known.began)
        ledger.queue.append(untold)
    elif untold.was:
        # The sink knows the trouble by another state: it is that one which is over.
        untold.state, untold.since = untold.was, untold.was_since
        untold.was, untold.was_since, untold.reason = "", 0.0, ""
    # A state that was found to be over may have been so before its beginning was noticed.
    untold.until, untold.then = max(at, untold.since), state
    if change is not None:
        untold.changes = [*untold.changes, change]


def _untold(ledger: Ledger, name: str) -> Notice | None:
    return next((n for n in ledger.queue if n.firing and subject(n.channel, n.part) == name), None)
