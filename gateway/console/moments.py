"""Times as people say them: how long ago, and how long. Coarse on purpose, so that what is live changes seldom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.words import word

MONTHS: Mapping[str, Sequence[str]] = {
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
MINUTE, HOUR, DAY = 60, 3600, 86400
JUST_NOW = 15.0
"""Seconds that are still "just now"."""


def ago(at: float | None, now: float, language: str) -> str:
    """``3 minutes ago`` for a moment in Unix seconds, ``never`` for none; a moment ahead of us is just now."""
    if at is None:
        return word(language, "moment.never")
    seconds = max(0.0, now - at)
    if seconds < JUST_NOW:
        return word(language, "moment.now")
    if seconds < MINUTE:
        return word(language, "moment.within_minute")
    return word(language, "moment.ago", span=span(seconds, language))


def span(seconds: float, language: str) -> str:
    """``2 minutes``: the largest unit that is full at least once."""
    for unit, length in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
        if seconds >= length:
            return span_of(int(seconds // length), unit, language)
    return span_of(int(seconds), "seconds", language)


def lasted(seconds: float | None) -> str:
    """A short time as it is measured: ``0.4 s``, ``12 s``, ``3.5 min``; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:.1f} min"


def span_of(number: int, unit: str, language: str) -> str:
    """So many ``days``, ``hours``, ``minutes`` or ``seconds``."""
    key = unit if number != 1 else unit.removesuffix("s")
    return word(language, f"moment.{key}", n=number)
