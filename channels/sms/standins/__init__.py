"""The providers' side of each dialect, for the stand-in; written from their documentation, not from our dialects."""

from __future__ import annotations

import importlib

from channels.sms.settings import DialectName
from channels.sms.standins.base import Provider

DIALECTS: tuple[DialectName, ...] = ("kannel", "twilio", "vonage", "infobip", "zenziva", "generic")


def load(name: DialectName) -> type[Provider]:
    """The provider's class, which each module names after its dialect."""
    module = importlib.import_module(f"channels.sms.standins.{name}")
    found: type[Provider] = getattr(module, f"{name.capitalize()}Provider")
    return found
