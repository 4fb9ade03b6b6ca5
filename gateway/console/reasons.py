"""Why something is not well, in the operator's language: the store and the API keep reasons in English.

``words/reasons.<language>.toml`` has the sentences that the gateway itself writes, with ``{fields}`` where they differ,
and the machine words that stand before a channel's own message (``credentials: …``). What is not known there, such as
a provider's words, is shown as it is and marked as English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from markupsafe import Markup, escape

from gateway.console.moments import MONTHS, span_of

STORED_IN = "en"
_FIELD = re.compile(r"\{(\w+)\}")
_FIELDS = {
    "at": "[^;]+",
    "count": "[0-9]+",
    "kind": r"\w+",
    "reason": ".+",
    "role": r"\w+",
    "span": r"[0-9]+ \w+",
    "status": "[0-9]{3}",
    "who": "[^:]+",
    "why": ".+",
}
"""What each field may hold."""
_FAULT = re.compile(r"(\w+): (.+)", re.DOTALL)
_MONTH = re.compile("|".join(MONTHS[STORED_IN]))
_SPAN = re.compile(r"([0-9]+) (d|h|min|s)")

Sentence = tuple[re.Pattern[str], str]


@lru_cache(maxsize=1024)
def because(language: str, reason: str) -> Markup:
    """The reason in this language."""
    if language == STORED_IN or not reason:
        return escape(reason)
    sentences, faults = _known(language)
    if (said := _said(language, reason, sentences)) is not None:
        return said
    found = _FAULT.fullmatch(reason)
    if found is not None and (fault := _fault(found[1], faults)):
        said = _said(language, found[2], sentences)
        return Markup("{}: {}").format(fault, _english(reason) if said is None else said)
    return _english(reason)


def _said(language: str, reason: str, sentences: tuple[Sentence, ...]) -> Markup | None:
    for pattern, translated in sentences:
        if (found := pattern.fullmatch(reason)) is not None:
            fields = {name: _field(language, name, text) for name, text in found.groupdict().items()}
            return escape(translated).format(**fields)
    return None


def _field(language: str, name: str, text: str) -> str | Markup:
    """A name as it is, a time or a span in the language, and a sentence within a sentence."""
    if name == "at":
        return _MONTH.sub(lambda month: MONTHS[language][MONTHS[STORED_IN].index(month[0])], text)
    if name == "span" and (found := _SPAN.fullmatch(text)):
        return span_of(int(found[1]), {"d": "days", "h": "hours", "min": "minutes", "s": "seconds"}[found[2]], language)
    return because(language, text) if name == "reason" else text


def _fault(word: str, faults: Mapping[str, str]) -> str:
    if re.fullmatch("http_[0-9]{3}", word):
        return faults["http"].format(status=word.removeprefix("http_"))
    return faults.get(word, "")


def _english(text: str) -> Markup:
    # WCAG 2.2, success criterion 3.1.2: a voice must know that it changes the language.
    return Markup('<span lang="{}">{}</span>').format(STORED_IN, text)


@cache
def _known(language: str) -> tuple[tuple[Sentence, ...], Mapping[str, str]]:
    """The sentences of a language with what they are in English, the longest first, and its words for faults."""
    file = resources.files("gateway.console") / "words" / f"reasons.{language}.toml"
    tables = tomllib.loads(file.read_text("utf-8"))
    english = sorted(tables["sentences"], key=len, reverse=True)
    return tuple((_pattern(one), tables["sentences"][one]) for one in english), tables["faults"]


def _pattern(sentence: str) -> re.Pattern[str]:
    """What matches the sentence whatever its fields hold."""
    pieces = _FIELD.split(sentence)
    parts = (f"(?P<{it}>{_FIELDS[it]})" if place % 2 else re.escape(it) for place, it in enumerate(pieces))
    return re.compile("".join(parts), re.DOTALL)
