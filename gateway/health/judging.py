"""How what the processes tell becomes the state of each part of each channel: rules without I/O.

The channel is its worst part. An operator's pause stands for the part it stops, so that a part that goes wrong
meanwhile is still seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from gateway.health.instances import InstanceState
from gateway.health.parts import RANK, UNKNOWN, Condition, Part
from gateway.health.told import ChannelTold

CHANNEL_PARTS = ("receiving", "sending", "credentials")
ROLES = ("intake", "dispatch", "deliver")
WORKED_BY: Mapping[str, str] = {"receiving": "intake", "sending": "deliver"}
"""The role that works on a part."""
PAUSED_BY: Mapping[str, str] = {"receiving": "in", "sending": "out"}
"""The direction whose pause stops a part."""


class Found(msgspec.Struct, frozen=True):
    """A state and its reason."""

    state: Condition
    reason: str = ""


NOBODY_KNOWS = Found("unknown")


class Process(Protocol):
    """What the rules ask of a process: times in Unix seconds by the store's clock."""

    @property
    def role(self) -> str:
        """One of the roles, or "all"."""
        ...

    @property
    def state(self) -> InstanceState:
        """Whether it runs."""
        ...

    @property
    def started_at(self) -> float:
        """When it started."""
        ...

    @property
    def beat_at(self) -> float:
        """Its last heartbeat."""
        ...


P = TypeVar("P", bound=Process)


def worst(found: Iterable[Found]) -> Found:
    """The worst of them; the first of equals."""
    return max(found, key=lambda one: RANK[one.state], default=NOBODY_KNOWS)


def does(role: str, work: str) -> bool:
    """Whether a process of ``role`` does the work of the role ``work``."""
    return role in ("all", work)


def roles(processes: Sequence[Process], zone: ZoneInfo) -> dict[str, Found]:
    """Each role of which a process is known: healthy while one runs, down where the last of them is missing.

    A role whose processes all left as they were asked to is ``unknown``: nobody expects it.
    """
    found = {}
    for role in ROLES:
        of_role = [process for process in processes if does(process.role, role)]
        missing = [process for process in of_role if process.state == "missing"]
        if any(process.state == "running" for process in of_role):
            found[role] = Found("healthy")
        elif missing:
            last = max(process.beat_at for process in missing)
            found[role] = Found("down", f"no process of the role {role} runs; the last was heard of {_at(last, zone)}")
        elif of_role:
            found[role] = Found("unknown", f"no process of the role {role} runs; the last one left as it was asked to")
    return found


def replaced(processes: Sequence[P]) -> list[P]:
    """The missing processes in whose place one of the same role has been started since."""
    started: dict[str, float] = {}
    for process in processes:
        if process.state == "running":
            started[process.role] = max(process.started_at, started.get(process.role, 0.0))
    return [p for p in processes if p.state == "missing" and started.get(p.role, 0.0) > p.beat_at]


def reason_of_nobody(processes: Sequence[Process], zone: ZoneInfo) -> Found | None:
    """What is to be said of every channel while no process runs; ``None`` while one does."""
    if any(process.state == "running" for process in processes):
        return None
    missing = [process.beat_at for process in processes if process.state == "missing"]
    if missing:
        return Found("down", f"no process of the gateway runs; the last was heard of {_at(max(missing), zone)}")
    return Found("unknown", "no process of the gateway runs")


def parts(told: Sequence[ChannelTold], roles_found: Mapping[str, Found], paused: Mapping[str, str]) -> dict[str, Found]:
    """The parts of one channel, from what the processes that run tell of it.

    ``paused`` has the reason of each paused direction. A part that no process works on is down where its role is.
    """
    return {
        "receiving": _part("receiving", [one.receiving for one in told], roles_found, paused),
        "sending": _part("sending", [one.sending for one in told], roles_found, paused),
        "credentials": _worst_known([one.credentials for one in told]),
    }


def _part(name: str, told: Sequence[Part], roles_found: Mapping[str, Found], paused: Mapping[str, str]) -> Found:
    if (reason := paused.get(PAUSED_BY[name])) is not None:
        return Found("paused", f"paused {reason}")
    found = _worst_known(told)
    role = roles_found.get(WORKED_BY[name], NOBODY_KNOWS)
    return role if found.state == "unknown" and role.state == "down" else found


def _worst_known(told: Sequence[Part]) -> Found:
    if any(one.condition == "healthy" for one in told):
        # What one process has yet to prove, another does at this moment.
        told = [one for one in told if not one.unproven]
    part = max(told, key=lambda one: RANK[one.condition], default=UNKNOWN)
    return Found(part.condition, part.reason)


def whole(found: Mapping[str, Found]) -> Found:
    """The channel: its worst part, with that part's reason."""
    part = worst(found[name] for name in CHANNEL_PARTS if name in found)
    return Found(part.state, part.reason if part.state != "healthy" else "")


class _Pending(msgspec.Struct):
    way: str
    since: float


class Damper:
    """Keeps a state that comes and goes from being told each time. Times are seconds of one clock.

    What is down, silent or paused counts at once. Degraded counts after ``settle / 2`` seconds, anything better than
    before after ``settle``, not knowing any more after ``forget``.
    """

    def __init__(self, *, settle: float, forget: float) -> None:
        self._settle = settle
        self._forget = forget
        self._pending: dict[tuple[str, str], _Pending] = {}

    def change(self, key: tuple[str, str], current: str | None, found: Found, now: float) -> float | None:
        """Since when ``found`` holds, where it is another state than ``current`` and has held long enough."""
        if found.state == (current or "unknown"):
            self._pending.pop(key, None)
            return None
        way, wait = self._wait(current or "unknown", found.state)
        pending = self._pending.get(key)
        if pending is None or pending.way != way:
            pending = self._pending[key] = _Pending(way, now)
        if now - pending.since < wait:
            return None
        del self._pending[key]
        return pending.since

    def _wait(self, was: str, state: str) -> tuple[str, float]:
        if state == "unknown":
            return "unknown", self._forget
        if was in ("unknown", "paused") or state == "paused":
            return "now", 0.0
        if RANK[state] < RANK[was]:
            return "better", self._settle
        return "worse", self._settle / 2 if state == "degraded" else 0.0


def _at(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%d %b %H:%M:%S %Z")
