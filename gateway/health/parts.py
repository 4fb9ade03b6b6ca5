"""The health of each channel as this process sees it: receiving, sending, credentials, and the worst of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from channels.base import Quota
from gateway.delivery.breaker import State
from gateway.delivery.sender import Sender
from gateway.intake.puller import Reading

Condition = Literal["healthy", "degraded", "down", "unknown"]
CONDITIONS: tuple[Condition, ...] = ("healthy", "degraded", "down", "unknown")
_RANK = {"unknown": 0, "healthy": 1, "degraded": 2, "down": 3}
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


class Part(msgspec.Struct, frozen=True):
    """One part's condition and why; ``refused`` tells that the provider refuses our credentials."""

    condition: Condition
    reason: str = ""
    refused: bool = False


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
    return max(parts, key=lambda part: _RANK[part.condition], default=UNKNOWN)


def sending_of(sender: Sender | None) -> Part:
    """Sending, read off a channel's breaker."""
    if sender is None:
        return UNKNOWN
    breaker, refused = sender.breaker, bool(sender.credentials_refused)
    if breaker.state is not State.CLOSED:
        return Part("down", breaker.reason, refused)
    if breaker.failing:
        return Part("degraded", breaker.reason, refused)
    return Part("healthy", refused=refused)


def channel_health(receiving: Part, sending: Part, quotas: Sequence[Quota] = ()) -> ChannelHealth:
    """The health of one channel from its parts."""
    known = [part for part in (receiving, sending) if part is not UNKNOWN]
    credentials: Condition = "unknown"
    if any(part.refused for part in known):
        credentials = "down"
    elif sending is not UNKNOWN:
        credentials = "healthy"
    conditions = (receiving.condition, sending.condition, credentials)
    return ChannelHealth(
        max(conditions, key=_RANK.__getitem__), *conditions, sending.reason or receiving.reason, tuple(quotas)
    )


def worst(channels: Mapping[str, ChannelHealth]) -> Condition:
    """The worst state among the channels; ``healthy`` where there are none."""
    return max((c.state for c in channels.values()), key=_RANK.__getitem__, default="healthy")
