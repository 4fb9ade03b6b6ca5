"""The processes of a gateway, by their heartbeats: which run, which left, which are missing."""

from __future__ import annotations

from typing import Literal

InstanceState = Literal["running", "missing", "left"]


def state_of(age: float, left_at: float | None, missing_after: float) -> InstanceState:
    """The state of a process whose last heartbeat is ``age`` seconds old, by the store's clock."""
    if left_at is not None:
        return "left"
    return "missing" if age > missing_after else "running"
