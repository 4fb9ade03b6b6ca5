"""Finding a citizen's address in bytes that nobody could read, however it is written there. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from channels.base import SenderKind

_GAP = r"[\s().\-/\u2010-\u2015]{0,2}"
_SHORTEST = 4
"""Characters below which an address says too little to be searched for: a short code stands in many texts."""


class Spelled:
    """An address in all the ways in which a payload may spell it."""

    def __init__(self, address: str, kind: SenderKind) -> None:
        self._pattern = re.compile(_pattern(address, kind)) if len(address) >= _SHORTEST else None

    def within(self, data: bytes) -> bool:
        """Whether the address stands in these bytes, as text or as URLs and forms write it."""
        if self._pattern is None:
            return False
        text = data.decode("utf-8", "replace").lower()
        return bool(self._pattern.search(text) or ("%" in text and self._pattern.search(unquote_plus(text))))


def _pattern(address: str, kind: SenderKind) -> str:
    if kind == "phone":
        digits = address.removeprefix("+")
        home = digits.removeprefix("62")
        prefix = r"(?:\+?62|0)?" if home != digits else r"\+?"
        return rf"(?<!\d){prefix}{_GAP}{_GAP.join(home)}(?!\d)"
    if address.lstrip("-").isdigit():
        return rf"(?<!\d){re.escape(address)}(?!\d)"
    return rf"(?<![\w.+-]){re.escape(address.lower())}(?!\.?[\w-])"
