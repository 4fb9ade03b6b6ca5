"""How everything in the sandbox stands, as the page and programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.sandbox.story import Step


class Citizen(msgspec.Struct, frozen=True):
    """Somebody who writes, with an address for each channel that they are on."""

    id: int
    addresses: Mapping[str, str]


class PlayerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One channel: the trouble of its provider (``""`` for none), and whether a crowd writes, and has written."""

    type: str
    trouble: str
    crowd: bool
    crowd_written: int


class StoryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The story: the steps that went well so far, and ``reason`` where one did not."""

    state: Literal["", "playing", "done", "failed"] = ""
    steps: tuple[Step, ...] = ()
    reason: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. ``epoch`` names the process."""

    epoch: str
    citizens: tuple[Citizen, ...]
    channels: Mapping[str, PlayerStatus]
    log_away: bool
    story: StoryStatus
