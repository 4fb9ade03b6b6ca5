"""How long a post is by X's count, and cutting a text to fit (X's docs, "Counting characters").

A character of the Latin and most other alphabets counts one, any other (CJK, emoji, symbols) two; an address of the
web counts 23. Public replies hold no address: one costs ten times a post's price, and the number is enough.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"
_ELLIPSIS_WEIGHT = 2
_LIGHT = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
"""The code points that count one: twitter-text's configuration, version 3."""
_EMOJI = "©®"
"""The light characters that count as an emoji all the same."""
_DOTTED = re.compile(r"\S\.\S|://")


def weight(text: str) -> int:
    """The weighted length of a text without addresses. An emoji of several code points counts more than X's two."""
    text = _normal(text)
    return len(text) if text.isascii() else sum(map(_weight, text))


def _normal(text: str) -> str:
    """The text as X counts it."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n"))


def _weight(char: str) -> int:
    point = ord(char)
    return 1 if any(first <= point <= last for first, last in _LIGHT) and char not in _EMOJI else 2


def without_links(text: str) -> str:
    """The text without what X would make a link. Slow (milliseconds) where something looks like one."""
    if not _DOTTED.search(text):
        return text
    from twitter_text import extract_urls_with_indices  # type: ignore[import-untyped]

    text = unicodedata.normalize("NFC", text)
    while found := extract_urls_with_indices(text):
        for one in reversed(found):
            start, end = one["indices"]
            text = text[:start] + text[end:]
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def fitted(text: str, limit: int, number: str = "") -> str:
    """The text cut between words to a weight of at most ``limit``, with an ellipsis where something is left out.

    The tracking ``number`` (plain digits, written in the text with blanks or without) is kept whole.
    """
    text = _normal(text)
    if weight(text) <= limit:
        return text
    span = _number(text, number)
    if span is None:
        return _head(text, limit)
    start, end = span
    if weight(text[:end]) + _ELLIPSIS_WEIGHT <= limit:
        return text[:end] + _head(text[end:], limit - weight(text[:end]))
    return f"{_head(text[:start], limit - weight(text[start:end]) - 1)} {text[start:end]}"


def _number(text: str, number: str) -> tuple[int, int] | None:
    found = re.search(r"[ .\u00a0-]?".join(number), text) if number else None
    return found.span() if found else None


def _head(text: str, limit: int) -> str:
    """The first words of a text that is longer than ``limit``, and an ellipsis; a word longer than that is cut."""
    room, end = limit - _ELLIPSIS_WEIGHT, 0
    while end < len(text) and (room := room - _weight(text[end])) >= 0:
        end += 1
    head = text[:end]
    if not text[end : end + 1].isspace():
        cut = max(head.rfind(" "), head.rfind("\n"))
        head = head[:cut] if cut >= 0 else head
    return head.rstrip() + ELLIPSIS
