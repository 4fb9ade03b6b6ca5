"""Channel types are discovered: every folder of ``channels`` that holds a ``SPEC``; there is no central table."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import channels
from channels.base import ChannelSpec


@cache
def types() -> tuple[str, ...]:
    """The names of the channel types there are, sorted, without importing any."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(channels.__path__) if m.ispkg))


@cache
def spec(name: str) -> ChannelSpec:
    """The spec of one type; imports its folder only now. Raises :class:`KeyError` for an unknown type."""
    if name not in types():
        raise KeyError(name)
    found = importlib.import_module(f"channels.{name}").SPEC
    if not isinstance(found, ChannelSpec):
        raise TypeError(f"channels/{name}/__init__.py: SPEC is not a ChannelSpec")
    return found
