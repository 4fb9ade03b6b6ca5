"""Durations and sizes as people write them: ``"90s"``, ``"10m"``, ``"24h"``; ``"64KiB"``, ``"1GiB"``.

In the program a duration is a float of seconds and a size an int of bytes.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
LONGEST: Final = 3650 * DAY

KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3
TIB: Final = 1024**4
LARGEST: Final = 1024 * TIB

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}
_BYTES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": KIB,
    "mib": MIB,
    "gib": GIB,
    "tib": TIB,
}
_AMOUNT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_DURATION_FORM: Final = 'must be a duration such as "500ms", "90s", "10m", "24h" or "30d", or a number of seconds'
_SIZE_FORM: Final = 'must be a size such as "64KiB", "10MB" or "1GiB", or a number of bytes'


def parse_duration(value: Any) -> float:
    """Seconds of ``"90s"``, of ``"90"`` or of a number. Raises :class:`ValueError` that tells the form."""
    match value:
        case int() | float() if not isinstance(value, bool) and math.isfinite(value):
            seconds = float(value)
        case str() if (amount := _AMOUNT.fullmatch(value)) and (amount[2].lower() or "s") in _SECONDS:
            seconds = float(amount[1]) * _SECONDS[amount[2].lower() or "s"]
        case _:
            raise ValueError(_DURATION_FORM)
    if seconds > LONGEST:
        raise ValueError(f"must be at most {format_duration(LONGEST)}")
    return seconds


def parse_size(value: Any) -> int:
    """Bytes of ``"1GiB"`` (powers of 1024), of ``"1GB"`` (powers of 1000) or of a whole number.

    Raises :class:`ValueError` that tells the form.
    """
    match value:
        case int() if not isinstance(value, bool):
            size: float = value
        case str() if (amount := _AMOUNT.fullmatch(value)) and amount[2].lower() in _BYTES:
            size = float(amount[1]) * _BYTES[amount[2].lower()]
        case _:
            raise ValueError(_SIZE_FORM)
    if size > LARGEST:
        raise ValueError(f"must be at most {LARGEST // TIB}TiB")
    return round(size)


def format_duration(seconds: float) -> str:
    """The shortest form that :func:`parse_duration` reads back: ``"24h"`` for 86400, ``"500ms"`` for 0.5."""
    # A single day reads better as 24 hours: it is a window, not a date.
    for unit, length, least in (("d", DAY, 2), ("h", HOUR, 1), ("m", MINUTE, 1)):
        if seconds >= length * least and seconds % length == 0:
            return f"{int(seconds / length)}{unit}"
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    return f"{seconds * 1000:g}ms"


def format_size(size: int) -> str:
    """The shortest form that :func:`parse_size` reads back: ``"1GiB"`` for 1073741824."""
    for unit, length in (("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size >= length and size % length == 0:
            return f"{size // length}{unit}"
    return str(size)


class Duration:
    """Marks a field as a duration, for the generated documents."""


class Size:
    """Marks a field as a size in bytes, for the generated documents."""


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0), Duration]
"""A duration longer than nothing."""

Window = Annotated[float, BeforeValidator(parse_duration), Field(ge=0), Duration]
"""A duration that may be 0, which switches its rule off."""

Bytes = Annotated[int, BeforeValidator(parse_size), Field(gt=0), Size]
"""A size larger than nothing."""
