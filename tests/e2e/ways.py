"""The ways in that a whole gateway is tried by: each channel type, called and read where it knows both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels import registry
from tests.channels.kit import Kit, kits

_READ: Mapping[str, Mapping[str, Any]] = {"telegram": {"mode": "polling"}, "twitter": {"mode": "mentions"}}
"""The settings by which a type is read whose kit has it called."""


@dataclass(frozen=True)
class Way:
    """A type of channel, and what makes it come in another way than its kit's settings have it."""

    kit: Kit
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.kit.type, *self.changes.values()])


_KITS = {kit.type: kit for kit in kits()}
CALLED = [Way(_KITS[name]) for name in registry.types()]
READ = [Way(_KITS[name], changes) for name, changes in _READ.items()]
WAYS = [*CALLED, *READ]
PULLED = [*READ, Way(_KITS["email"])]
