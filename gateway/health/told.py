"""What a process tells the others of itself with every heartbeat, as JSON in its row of ``instances``."""

from __future__ import annotations

import msgspec

from channels.base import Quota
from gateway.health.parts import UNKNOWN, Part


class ChannelTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """One channel as one process sees it; a part that it does not work on is ``unknown``.

    ``breaker`` is the state of the sending's circuit breaker, ``""`` in a process that sends nothing. ``last_in`` is
    when a message last came in through this process, ``last_out`` when a reply last went out (Unix seconds, by the
    process's own clock; ``None``: not since it started). ``probed_at`` is when the provider was last asked whether it
    takes our credentials.
    """

    receiving: Part = UNKNOWN
    sending: Part = UNKNOWN
    credentials: Part = UNKNOWN
    quotas: tuple[Quota, ...] = ()
    breaker: str = ""
    last_in: float | None = None
    last_out: float | None = None
    probed_at: float | None = None


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything one process tells.

    ``at`` is the process's own clock (Unix seconds), to be compared with ``last_in`` and ``last_out``. ``log_lag`` is
    ``None`` where the process consumes nothing, ``spool_age`` (seconds) where nothing waits in its spool.
    """

    at: float = 0.0
    channels: dict[str, ChannelTold] = {}
    log_ready: bool = True
    log_reason: str = ""
    log_lag: int | None = None
    spool_depth: int = 0
    spool_age: float | None = None


def encode(told: Told) -> str:
    """As it is stored."""
    return msgspec.json.encode(told).decode()


def decode(text: str) -> Told:
    """What was stored; of a process whose version speaks otherwise, nothing."""
    try:
        return msgspec.json.decode(text, type=Told)
    except msgspec.DecodeError:
        return Told()
