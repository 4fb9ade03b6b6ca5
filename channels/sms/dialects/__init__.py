"""One module a provider; :func:`load` imports only the one that is asked for."""

from __future__ import annotations

import importlib

from channels.sms.dialects.base import Dialect
from channels.sms.settings import DialectName


def load(name: DialectName) -> type[Dialect]:
    """The dialect's class, which each module names after itself."""
    module = importlib.import_module(f"channels.sms.dialects.{name}")
    found: type[Dialect] = getattr(module, name.capitalize())
    return found
