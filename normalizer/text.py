"""Text as it is kept, compared and read: three views of what a citizen typed.

* :func:`clean` is what the event carries: NFC, newlines as LF, nothing invisible.
* :func:`fold` is the key under which two texts are "the same words".
* :func:`readable` is the copy that commands and numbers are read from; it is never stored.

ASCII text, which most short messages are, takes a short way through each of them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_LINE = 1000

_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Controls but the newline; soft hyphen, bidi marks, overrides and isolates, zero-width characters, byte order mark,
# interlinear anchors, tag characters; lone surrogates, which no UTF-8 can hold.
_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# A joiner has work to do only between two characters of the scripts (and emoji) that lie beyond Latin, Greek and
# Cyrillic; anywhere else it hides in a word or a number.
_JOINED = r"[^\s\u0000-\u058f\u2000-\u206f]"
_IDLE_JOINER = re.compile(rf"(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NOT_WORD = re.compile(r"[\W_]")
_ASCII_FOLDED = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(128)}
# Joiners, variation selectors and the keycap: they stand inside what they belong to.
_GLUE = "\u200c\u200d\ufe0e\ufe0f\u20e3"
_BEYOND_LATIN = re.compile("[\u0250-\U0010ffff]")
# Cyrillic and Greek letters that look like Latin ones.
_LOOKALIKES = dict(
    zip(
        "аеорсхуіјѕАВЕКМНОРСТХІЈЅοιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‐‑‒–—―−",
        "aeopcxyijsABEKMHOPCTXIJSoiABEZHIKMNOPTYX-------",
        strict=True,
    )
)


def clean(raw: str, *, trim: bool = True) -> str:
    """The text as the event carries it: NFC, line breaks as LF, tabs as blanks, invisible characters out.

    Zero-width joiners stay where a script or an emoji needs them. Cleaning twice changes nothing. The caller
    bounds the length. ``trim`` is off for the parts of a long message, which are joined where a blank may stand.
    """
    text = raw
    if not text.isprintable():
        text = _BREAKS.sub("\n", text).replace("\t", " ")
        text = _INVISIBLE.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        joined = _IDLE_JOINER.sub("", text)
        if len(joined) != len(text):
            text = unicodedata.normalize("NFC", joined)
    return text.strip() if trim else text


def line(raw: str) -> str:
    """A name, an address or an id on one line, nothing invisible in it, at most 1,000 characters."""
    if raw.isascii() and raw.isprintable() and len(raw) <= MAX_LINE:
        return raw
    return " ".join(clean(raw[:MAX_LINE]).split("\n"))


def storable(raw: str) -> str:
    """The text as typed, but for NUL and lone surrogates, which JSON or the store cannot hold: U+FFFD for each."""
    return raw if raw.isprintable() else _UNSTORABLE.sub("\ufffd", raw)


def fold(text: str) -> str:
    """The key for comparing words: case, compatibility forms, punctuation, emoji and blanks aside.

    Vowel signs of Javanese, Sundanese and other scripts count as parts of their words. ``""`` for a text without
    words.
    """
    if text.isascii():
        return text.translate(_ASCII_FOLDED)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # What is taken out may bring a letter and its mark together.
    return unicodedata.normalize("NFC", _NOT_WORD.sub(_keep_mark, text))


def words_hash(subject: str, text: str) -> str:
    """32 hex digits, equal for two messages that say the same words (rule 11 of the dispatcher).

    ``""`` for a message without words, which is never the same as another.
    """
    words = f"{fold(subject)}\n{fold(text)}"
    if words == "\n":
        return ""
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()


def readable(text: str) -> str:
    """A copy to read commands and numbers from: full-width, keycap and foreign digits and look-alike letters as ASCII.

    Emoji and symbols are blanks in it. Longer or shorter than the text, and wrong as prose: for matching only.
    """
    if text.isascii():
        return text
    # One character can stand for eighteen: what grows out of proportion is cut.
    text = unicodedata.normalize("NFKC", text)[: 2 * len(text) + 64]
    if not text.isprintable():
        text = _INVISIBLE.sub("", _BREAKS.sub("\n", text))
    return _BEYOND_LATIN.sub(_plain, text)


def _plain(character: re.Match[str]) -> str:
    found = character[0]
    if found in _LOOKALIKES:
        return _LOOKALIKES[found]
    if found.isdecimal():
        return str(unicodedata.decimal(found))
    if found.isalnum() or _keep_mark(character):
        return found
    return "" if found in _GLUE else " "


def _keep_mark(character: re.Match[str]) -> str:
    """A combining mark of a script is part of its word; a variation selector is not."""
    found = character[0]
    if unicodedata.category(found) in ("Mn", "Mc") and not "\ufe00" <= found <= "\ufe0f":
        return found
    return ""
