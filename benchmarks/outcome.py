"""What every benchmark gives back: its figures, and whether a message was lost or doubled."""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct, frozen=True):
    """``figures`` is anything that msgspec writes as JSON; ``failed`` makes the exit status 1."""

    figures: object
    failed: bool = False


class Absent(Exception):
    """A real part that a benchmark needs is not here; the message says which, and how to get it."""
