"""The health of each channel as this process sees it: receiving, sending, credentials, and the worst of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, cast

import msgspec

from channels.base import Quota
from gateway.delivery.breaker import State
from gateway.delivery.sender import Sender
from gateway.intake.puller import Reading

Condition = Literal["healthy", "degraded", "down", "unknown", "silent", "paused"]
"""A state; ``silent`` and ``paused`` are found by the watch, not by a process that looks at itself."""
CONDITIONS: tuple[Condition, ...] = ("healthy", "degraded", "down", "unknown", "silent", "paused")
RANK = {"unknown": 0, "healthy": 1, "degraded": 2, "paused": 3, "silent": 4, "down": 5}
"""From the best to the worst."""
ANSWERS_AGAIN = "the provider answers again, the next reply has to prove it"
NONE_WAITS = "no reply waits, the next one has to prove it"
DOWN_AFTER = 60.0
"""Seconds after which a source that cannot be read is not degraded any more but down."""


class ChannelHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    """One channel. ``state`` is its worst part; a part that this process does not work on is ``unknown``."""

    state: Condition
    receiving: Condition
    sending: Condition
    credentials: Condition
    reason: str = ""
    quotas: tuple[Quota, ...] = ()


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part's condition and why; ``refused`` tells that the provider refuses our credentials.

    ``unproven`` tells that the part may be well again, and that nothing has shown it yet.
    """

    condition: Condition
    reason: str = ""
    refused: bool = False
    unproven: bool = False


UNKNOWN = Part("unknown")


def receiving_of(
    *, can_append: tuple[bool, str], webhook: bool, readings: Iterable[Reading], now: float | None = None
) -> Part:
    """Receiving: whether events can be made durable, and how the channel's sources and registration stand.

    ``webhook`` tells that the channel also takes calls, which needs nothing but the log. Sources that another process
    reads count for nothing here.
    """
    able, why = can_append
    if not able:
        return Part("down", why)
    parts = [Part("healthy")] if webhook else []
    at = time.time() if now is None else now
    for reading in readings:
        if reading.state == "reading":
            parts.append(Part("healthy"))
        elif reading.state == "refused":
            parts.append(Part("down", reading.reason, refused=True))
        elif reading.state == "retrying":
            parts.append(Part("down" if at - reading.since >= DOWN_AFTER else "degraded", reading.reason))
    return max(parts, key=lambda part: RANK[part.condition], default=UNKNOWN)


def sending_of(sender: Sender | None, answered_at: float = 0.0) -> Part:
    """Sending, read off a channel's breaker; ``answered_at``: when the provider last took a probe (Unix seconds).

    Only a reply that is sent closes the breaker. Where none waits, or the provider takes our probes again, it is not
    known to be down any more. That it takes our credentials elsewhere proves nothing once it has refused them here.
    """
    if sender is None:
        return UNKNOWN
    breaker, refused = sender.breaker, bool(sender.credentials_refused)
    if breaker.state is State.HALF_OPEN and not refused and not sender.trying:
        if answered_at > sender.last_failed:
            return Part("degraded", f"{ANSWERS_AGAIN} (before: {breaker.reason})", unproven=True)
        if not sender.waiting:
            return Part("degraded", f"{NONE_WAITS} (before: {breaker.reason})", unproven=True)
    if breaker.state is not State.CLOSED:
        return Part("down", breaker.reason, refused)
    if breaker.failing:
        return Part("degraded", breaker.reason, refused)
    return Part("healthy", refused=refused)


def credentials_of(receiving: Part, sending: Part, probed: Part | None = None) -> Part:
    """Credentials: down where the provider refused them at work or when it was asked (``probed``)."""
    known = [part for part in (sending, receiving) if part is not UNKNOWN]
    for part in known:
        if part.refused:
            return Part("down", part.reason, refused=True)
    if probed is not None:
        return probed
    return Part("healthy") if sending is not UNKNOWN else UNKNOWN


def channel_health(
    receiving: Part, sending: Part, quotas: Sequence[Quota] = (), probed: Part | None = None
) -> ChannelHealth:
    """The health of one channel from its parts."""
    credentials = credentials_of(receiving, sending, probed)
    conditions = (receiving.condition, sending.condition, credentials.condition)
    return ChannelHealth(
        max(conditions, key=RANK.__getitem__),
        *conditions,
        sending.reason or receiving.reason or credentials.reason,
        tuple(quotas),
    )


def seen_by_others(own: ChannelHealth, stored: Callable[[str], str]) -> ChannelHealth:
    """The health of a channel, with the store's word on the parts that this process does not know.

    ``stored`` gives the stored state of a part, "" for the whole channel. What this process sees itself is newer.
    """
    conditions = {
        name: _condition(stored(name)) if getattr(own, name) == "unknown" else getattr(own, name)
        for name in ("receiving", "sending", "credentials")
    }
    states: list[Condition] = [*conditions.values()]
    if (whole := _condition(stored(""))) in ("silent", "paused"):
        states.append(whole)
    return msgspec.structs.replace(own, state=max(states, key=RANK.__getitem__), **conditions)


def _condition(text: str) -> Condition:
    return cast("Condition", text) if text in RANK else "unknown"


def worst(channels: Mapping[str, ChannelHealth]) -> Condition:
    """The worst state among the channels; ``healthy`` where there are none."""
    return max((c.state for c in channels.values()), key=RANK.__getitem__, default="healthy")
