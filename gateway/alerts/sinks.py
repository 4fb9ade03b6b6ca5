"""What a sink is, and what it is handed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from channels.redaction import scrub
from gateway.alerts.rules import TEST, Notice

MOST: Final = 30
"""Troubles in one message; of more, the latest are told and the others counted."""
LONGEST_REASON: Final = 300

RUNBOOK: Final = "docs/operations.md"
_HEADINGS: Final = {"silent": "channel-silent"}


class Message(msgspec.Struct, frozen=True):
    """What one message tells: ``notices`` in their order, and how many more ``left_out`` there were."""

    notices: tuple[Notice, ...]
    left_out: int = 0

    @property
    def firing(self) -> bool:
        """Whether a trouble of it goes on."""
        return any(notice.firing for notice in self.notices)


class Sink(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """Its name in logs, metrics and ledgers."""
        ...

    @property
    def shown(self) -> str:
        """Its name for people, with no address whole."""
        ...

    async def tell(self, message: Message) -> None:
        """Hand over a message.

        Raises a :class:`~channels.errors.ChannelError` where it was not taken, whose text holds no secret.
        """
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


def message_of(notices: Sequence[Notice]) -> Message:
    """The message that tells these notices, with reasons fit to leave the gateway."""
    shown = [msgspec.structs.replace(n, reason=_fit(n.reason)) for n in notices[-MOST:]]
    return Message(tuple(shown), len(notices) - len(shown))


def trial(now: float) -> Message:
    """A message that only tries whether it arrives."""
    return Message((Notice(channel="", state=TEST, since=now),))


def alert_name(notice: Notice) -> str:
    """``ChannelDown``, ``ChannelSilent``, ``ChannelDegraded``, ``ProcessMissing`` or ``AlertTest``.

    The same names as in ``deploy/prometheus/rules.yml``.
    """
    if notice.state == TEST:
        return "AlertTest"
    return f"Channel{notice.state.capitalize()}" if notice.channel else "ProcessMissing"


def link(notice: Notice, base_url: str) -> str:
    """The page of the console that shows more."""
    return f"{base_url}/ops/channels/{notice.channel}" if notice.channel else f"{base_url}/ops"


def runbook(notice: Notice) -> str:
    """The heading that says what to do."""
    heading = _HEADINGS.get(notice.state, "channel-down") if notice.channel else "process-missing"
    return f"{RUNBOOK}#{heading}"


def _fit(reason: str) -> str:
    """A reason is our own words, but may quote a provider's: nothing of a citizen leaves with it."""
    said = " ".join(scrub(reason).split())
    return said if len(said) <= LONGEST_REASON else said[: LONGEST_REASON - 1] + "…"
