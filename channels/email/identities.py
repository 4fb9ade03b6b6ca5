"""Our own Message-IDs, which carry the delivery that a mail was, so that replies and bounces lead back to it."""

from __future__ import annotations

import re

_OURS = re.compile(r"<?lapor\.([A-Za-z0-9_.-]{1,128})@[^\s<>@]{1,255}>?")
_ANYWHERE = re.compile(r"(?<![\w.-])<?lapor\.[A-Za-z0-9_.-]{1,128}@[\w.-]{1,255}>?", re.ASCII)


def our_message_id(delivery: str, domain: str) -> str:
    """The Message-ID of the mail that a delivery is: ``<lapor.{delivery}@{domain}>``, the same at every attempt."""
    return f"<lapor.{delivery}@{domain}>"


def delivery_of(message_id: str) -> str:
    """The delivery whose Message-ID this is; ``""`` for somebody else's."""
    found = _OURS.fullmatch(message_id)
    return found[1] if found else ""


def ours_within(text: str) -> str:
    """The first Message-ID of ours within a text, with angle brackets; ``""`` for none."""
    found = _ANYWHERE.search(text)
    return f"<{found[0].strip('<>')}>" if found else ""
