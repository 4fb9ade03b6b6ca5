"""How a text travels as short messages: alphabet, length in units, and where it may be cut.

3GPP TS 23.038: the GSM 7 bit default alphabet with its extension table (section 6.2.1), else UCS-2, which
handsets read as UTF-16. 3GPP TS 23.040 section 9.2.3.24.1: a concatenated message gives 6 octets of each
segment to its header.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import msgspec

Encoding = Literal["gsm", "ucs2"]

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet in the order of its codes, 0x00 to 0x7F; 0x1B is the escape to the extension table."""

EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
"""Characters that are sent as an escape and one more septet."""

ESCAPE = 0x1B
SINGLE: dict[Encoding, int] = {"gsm": 160, "ucs2": 70}
JOINED: dict[Encoding, int] = {"gsm": 153, "ucs2": 67}
"""Units (septets, UTF-16 code units) of a message alone, and of one segment of several."""

_SEPTETS = {char: 1 for char in BASIC if char != "\x1b"} | dict.fromkeys(EXTENSION.values(), 2)
_ALL_GSM = re.compile(f"[{re.escape(''.join(_SEPTETS))}]*").fullmatch

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022", "-"),
        **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
        "\u2026": "...",
        "\u00d7": "x",
    }
)
_FANCY = re.compile(f"[{re.escape(''.join(map(chr, _PLAIN)))}]").search


class Segments(msgspec.Struct, frozen=True):
    """What a text costs: its encoding, its length in that encoding's units, and the number of messages it takes."""

    encoding: Encoding
    units: int
    count: int


def encoding(text: str) -> Encoding:
    """``gsm`` where every character is in the default alphabet or its extension, else ``ucs2``."""
    return "gsm" if _ALL_GSM(text) else "ucs2"


def weigh(text: str, alphabet: Encoding) -> int:
    """The length of ``text`` in septets or UTF-16 code units."""
    if alphabet == "gsm":
        return sum(_SEPTETS[char] for char in text)
    return sum(2 if char > "\uffff" else 1 for char in text)


def measure(text: str) -> Segments:
    """How ``text`` is encoded and how many messages it takes; an empty text takes one."""
    alphabet = encoding(text)
    units = weigh(text, alphabet)
    if units <= SINGLE[alphabet]:
        return Segments(alphabet, units, 1)
    count, used = 1, 0
    for char in text:
        weight = weigh(char, alphabet)
        if used + weight > JOINED[alphabet]:  # an escape or surrogate pair is never torn apart
            count, used = count + 1, 0
        used += weight
    return Segments(alphabet, units, count)


def fits_one(text: str) -> bool:
    """Whether ``text`` travels as one message."""
    return measure(text).count == 1


def to_gsm(text: str) -> str:
    """``text`` with typographic signs made plain: curly quotes, dashes, ellipses, special blanks.

    Nothing else is touched, so the result may still need UCS-2.
    """
    return text.translate(_PLAIN) if _FANCY(text) else text


def from_gsm(septets: bytes) -> str:
    """Text of unpacked septets (one a byte, as Kannel's charset ``GSM``); bytes above 0x7F become U+FFFD."""
    chars: list[str] = []
    escaped = False
    for code in septets:
        if code == ESCAPE and not escaped:
            escaped = True
            continue
        # a code that the extension table lacks is shown from the default alphabet (TS 23.038 section 6.2.1.1)
        chars.append(EXTENSION.get(code, "") if escaped else "")
        chars[-1] = chars[-1] or (BASIC[code] if code < 0x80 else "\ufffd")
        escaped = False
    return "".join(chars)


def split(text: str, segments: int = 1) -> list[str]:
    """``text`` in pieces of at most ``segments`` segments each; joined again they are the text.

    Cuts fall after a blank where one is near, else between graphemes as far as the standard library knows them,
    and never inside a character. A text without characters is one empty piece.
    """
    alphabet = encoding(text)
    # No character takes more than two units, nor leaves more than one unused before it: nothing to weigh.
    if 2 * len(text) <= segments * (JOINED[alphabet] - 1):
        return [text]
    units = _clusters(text)
    pieces: list[str] = []
    start = 0
    while start < len(units):
        end = _reach(units, start, segments, alphabet)
        if end < len(units):
            end = _after_blank(units, start, end)
        pieces.append("".join(units[start:end]))
        start = end
    return pieces or [""]


def _reach(clusters: list[str], start: int, segments: int, alphabet: Encoding) -> int:
    """The end of the longest piece from ``start``; always past it."""
    total, count, used = 0, 1, 0
    for index in range(start, len(clusters)):
        for char in clusters[index]:
            weight = weigh(char, alphabet)
            if used + weight > JOINED[alphabet]:
                count, used = count + 1, 0
            used += weight
            total += weight
        if count > segments and total > SINGLE[alphabet]:
            return max(index, start + 1)
    return len(clusters)


def _after_blank(clusters: list[str], start: int, end: int) -> int:
    """The place after the last blank in the second half of a piece, or ``end`` where there is none."""
    for index in range(end, (start + end) // 2, -1):
        if clusters[index - 1].isspace():
            return index
    return end


def _clusters(text: str) -> list[str]:
    """``text`` as what a reader takes for one sign; longer than any segment, as its characters."""
    clusters: list[str] = []
    for char in text:
        if clusters and _joins(clusters[-1], char):
            clusters[-1] += char
        else:
            clusters.append(char)
    longest = JOINED["ucs2"] // 2
    return [part for cluster in clusters for part in ([cluster] if len(cluster) <= longest else cluster)]


def _joins(cluster: str, char: str) -> bool:
    """Whether ``char`` belongs to the sign before it: marks, joiners, modifiers, flags, CR LF (after UAX #29)."""
    if char.isascii():
        return char == "\n" and cluster == "\r"
    if cluster[-1] == "\u200d" or char == "\u200d":
        return True
    if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True
    if "\U0001f1e6" <= char <= "\U0001f1ff":
        return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"
    return unicodedata.category(char) in ("Mn", "Me", "Mc")
