"""The health of each channel as this process sees it: receiving, sending, credentials, and the worst of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.delivery.breaker import State
from gateway.delivery.sender import Sender

Condition = Literal["healthy", "degraded", "down", "unknown"]
CONDITIONS: tuple[Condition, ...] = ("healthy", "degraded", "down", "unknown")
_RANK = {"unknown": 0, "healthy": 1, "degraded": 2, "down": 3}


class ChannelHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    """One channel. ``state`` is its worst part; a part that this process does not work on is ``unknown``."""

    state: Condition
    receiving: Condition
    sending: Condition
    credentials: Condition
    reason: str = ""


def sending_of(sender: Sender | None) -> tuple[Condition, Condition, str]:
    """Sending, credentials and the reason, read off a channel's breaker."""
    if sender is None:
        return "unknown", "unknown", ""
    breaker = sender.breaker
    credentials: Condition = "down" if sender.credentials_refused else "healthy"
    if breaker.state is not State.CLOSED:
        return "down", credentials, breaker.reason
    if breaker.failing:
        return "degraded", credentials, breaker.reason
    return "healthy", credentials, ""


def channel_health(*, receives: bool, can_append: tuple[bool, str], sender: Sender | None) -> ChannelHealth:
    """The health of one channel from its parts."""
    sending, credentials, reason = sending_of(sender)
    able, why = can_append
    receiving: Condition = "unknown" if not receives else "healthy" if able else "down"
    worst = max(receiving, sending, credentials, key=_RANK.__getitem__)
    return ChannelHealth(worst, receiving, sending, credentials, reason or ("" if able else why))


def worst(channels: Mapping[str, ChannelHealth]) -> Condition:
    """The worst state among the channels; ``healthy`` where there are none."""
    return max((c.state for c in channels.values()), key=_RANK.__getitem__, default="healthy")
