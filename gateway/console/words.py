"""What operators read, by language: ``words/<language>.toml``, one table a page, the same keys in every language."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("id", "en")
DEFAULT = "id"


@cache
def words(language: str) -> Mapping[str, str]:
    """The words of a language by their dotted keys, ``"signin.title"``."""
    file = resources.files("gateway.console") / "words" / f"{language}.toml"
    return dict(_flat(tomllib.loads(file.read_text("utf-8"))))


def word(language: str, key: str, **values: Any) -> str:
    """One text, with ``{name}`` filled from ``values``. Raises :class:`KeyError` for a key that there is not."""
    text = words(language)[key]
    return text.format(**values) if values else text


def preferred(accept_language: str) -> str:
    """The language of ours that an Accept-Language header (RFC 9110 section 12.5.4) likes best; else the default."""
    liked: list[tuple[float, int, str]] = []
    for place, item in enumerate(accept_language.split(",")[:20]):
        tag, _, rest = item.partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(rest)
        # "in" is what old systems call Indonesian.
        language = "id" if language == "in" else language
        if language in LANGUAGES and quality > 0:
            liked.append((-quality, place, language))
    return min(liked)[2] if liked else DEFAULT


def _quality(rest: str) -> float:
    name, _, value = rest.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")
