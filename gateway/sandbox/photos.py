"""The photos that citizens sent in the sandbox, in memory, so that the page can show them again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

KEPT = 30
LARGEST = 1024 * 1024
"""Bytes. The page makes a photo as small as a messenger would before it sends it."""

KINDS: Mapping[bytes, str] = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
"""Media types by how a file of theirs begins."""


def kind_of(data: bytes) -> str:
    """The media type of a photo; ``""`` for what is none."""
    return next((kind for beginning, kind in KINDS.items() if data.startswith(beginning)), "")


class Photos:
    """The last photos, by names that nobody guesses."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, str]] = {}

    def keep(self, data: bytes) -> str:
        """Keep a photo; returns its name."""
        name = secrets.token_hex(8)
        self._kept[name] = (data, kind_of(data))
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return name

    def get(self, name: str) -> tuple[bytes, str] | None:
        """The photo of a name and its media type."""
        return self._kept.get(name)
