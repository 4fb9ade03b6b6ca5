"""Where a test may kill or stop this process: one name for each step on the way of a message.

Each step calls :func:`reached`, which does nothing. A test calls :func:`arm` before the program begins, and then the
process ends itself at the step that was named, as ``kill -9`` would. Nothing that an operator can set arms it, no
settings key, no option and no variable: only code that runs in the process before it.
"""

from __future__ import annotations

import os
import signal
import threading
from enum import StrEnum
from typing import Literal


class Seam(StrEnum):
    """The steps of the way, in its order; "before" and "after" tell on which side of one the process dies."""

    VERIFIED = "after-verify"
    FETCHED = "after-fetch"
    BEFORE_APPEND = "before-append"
    BEFORE_LOG_WRITE = "before-log-write"
    AFTER_LOG_WRITE = "after-log-write"
    SPOOLED = "after-spool-write"
    AFTER_APPEND = "after-append"
    ANSWERED = "after-answer"
    BEFORE_CURSOR = "before-cursor"
    AFTER_CURSOR = "after-cursor"
    BEFORE_SPOOL_DRAIN = "before-spool-drain"
    AFTER_SPOOL_DRAIN = "after-spool-drain"
    AFTER_SPOOL_REMOVAL = "after-spool-removal"
    TAKEN = "after-take"
    DECIDED = "after-decide"
    BEFORE_STORE_COMMIT = "before-store-commit"
    AFTER_STORE_COMMIT = "after-store-commit"
    AFTER_LOG_COMMIT = "after-log-commit"
    BEFORE_RELAY = "before-relay"
    AFTER_RELAY_APPEND = "after-relay-append"
    AFTER_RELAY = "after-relay"
    LEASED = "after-lease"
    BEFORE_SEND = "before-send"
    SENT = "after-providers-yes"
    SETTLED = "after-settle"
    UPDATE_TAKEN = "after-update-take"
    UPDATE_STORED = "after-update-commit"
    UPDATE_COMMITTED = "after-update-log-commit"
    FILE_LEASED = "after-file-lease"
    FILE_STORED = "after-file-store"
    FILE_SETTLED = "after-file-settle"


Act = Literal["kill", "pause"]
_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}


class Armed:
    """What is to happen: ``act`` on this process when ``step`` is reached for the ``left``-th time."""

    def __init__(self, step: Seam, left: int = 1, act: Act = "kill") -> None:
        self.step = step
        self.left = left
        self.act: Act = act
        self._lock = threading.Lock()

    def strike(self) -> None:
        """Count down; the last time, say so on standard error and act."""
        with self._lock:
            self.left -= 1
            if self.left:
                return
            _say(f"seams: {self.act} {self.step}")
            os.kill(os.getpid(), _SIGNALS[self.act])


_armed: Armed | None = None


def reached(step: Seam) -> None:
    """The process has come to this step."""
    if _armed is not None and _armed.step is step:
        _armed.strike()


def parse(text: str) -> Armed:
    """``step``, ``step:n`` or ``step:n:pause``. Raises :class:`ValueError`."""
    step, _, rest = text.partition(":")
    count, _, act = rest.partition(":")
    left = int(count or 1)
    if left < 1 or act not in ("", "kill", "pause"):
        raise ValueError(f"not a way to arm a seam: {text!r}")
    return Armed(Seam(step), left, "pause" if act == "pause" else "kill")


def arm(text: str) -> None:
    """Have this process end or stop itself, for a test; see :func:`parse`. It is said on standard error at once."""
    global _armed
    _armed = parse(text)
    _say(f"seams: THIS PROCESS WILL {_armed.act.upper()} ITSELF at {_armed.step}, time {_armed.left}")


def _say(line: str) -> None:
    """Past every buffer: the next thing may be the end."""
    os.write(2, f"{line}\n".encode())
