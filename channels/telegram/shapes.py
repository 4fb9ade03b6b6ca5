"""Reading JSON of which nothing is certain: each function gives the value if it has the shape, else nothing.

Telegram adds fields and kinds several times a year, and a library's types refuse a whole batch for one of them. So
updates are read here as plain dictionaries.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from channels.errors import Malformed

Object = Mapping[str, Any]

_EMPTY: Object = {}
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_ID = 2**63


def decode(document: bytes) -> Any:
    """Any JSON; broken UTF-8 and lone surrogates in it are no error. Raises :class:`Malformed`."""
    try:
        try:
            return msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return json.loads(document.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not JSON", reason="not_json") from error


def obj(value: object) -> Object:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else _EMPTY


def array(value: object) -> list[Any]:
    """A JSON array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """A string of valid Unicode, lone surrogates replaced by U+FFFD; ``""`` for anything else."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def number(value: object) -> int:
    """An id, a size or a time within 64 bits; 0 for anything else. No id of Telegram's is 0."""
    if isinstance(value, int) and not isinstance(value, bool) and -_MAX_ID < value < _MAX_ID:
        return value
    return 0


def real(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return None


def moment(value: object) -> datetime | None:
    """An instant of Unix seconds; ``None`` for 0, which Telegram writes for "not known", and for what is no date."""
    seconds = number(value)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
