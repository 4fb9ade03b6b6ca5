"""Names of files as strangers give them, made safe for any file system, download dialog and terminal."""

from __future__ import annotations

import re
import unicodedata

MAX_BYTES = 180
"""Bytes of a safe name in UTF-8: file systems take 255, and whoever saves it may add to it."""
MAX_ENDING = 16
NAMELESS = "file"

_FORBIDDEN = frozenset('/\\:*?"<>|')
_EDGES = " .-~"
# Reserved in every folder and with any ending (Microsoft, "Naming Files, Paths, and Namespaces").
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=\.|$)", re.IGNORECASE)


def safe_name(name: str) -> str:
    """The name without a path, control, bidi or other invisible characters, and what a file system takes for more.

    It is NFC, at most 180 bytes long with its ending kept, begins with no dot and no hyphen, is no device of Windows
    and never empty (``file``). A safe name is its own safe name.
    """
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(_safe(character) for character in unicodedata.normalize("NFC", last))
    plain = unicodedata.normalize("NFC", " ".join(seen.split())).strip(_EDGES)
    short = _shortened(plain).rstrip(_EDGES)
    # The blank before a dot is dropped by Windows too: "con .txt".
    if _DEVICE.match(short.replace(" ", "")):
        short = f"_{short}"
    return short or NAMELESS


def ending(name: str) -> str:
    """What stands behind the last dot of the safe name, in lower case; ``""`` for none."""
    stem, dot, last = safe_name(name).rpartition(".")
    return last.strip().casefold() if dot and stem else ""


def _safe(character: str) -> str:
    if character == " " or (character.isascii() and character.isalnum()):
        return character
    category = unicodedata.category(character)
    if category in ("Zs", "Zl", "Zp") or character in "\t\n\r":
        return " "
    if category.startswith("C"):
        return ""
    # Full-width and small forms count as what they stand for: whoever normalises the name makes them so.
    folded = unicodedata.normalize("NFKC", character)
    return "_" if _FORBIDDEN.intersection(folded) or (folded != character and ".." in folded) else character


def _shortened(name: str) -> str:
    """At most ``MAX_BYTES``, cut in front of the ending."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, last = name.rpartition(".")
    tail = f".{last}" if dot and len(last.encode()) <= MAX_ENDING else ""
    stem = stem if tail else name
    return stem.encode()[: MAX_BYTES - len(tail.encode())].decode(errors="ignore").rstrip(_EDGES) + tail
