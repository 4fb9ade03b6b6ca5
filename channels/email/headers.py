"""Header fields as they come: raw bytes in, text, parameters, ids and times out. Nothing here raises.

Sources: RFC 5322 (fields, message ids, dates), RFC 2047 (encoded words), RFC 2231 (parameters), RFC 6532 (UTF-8).
Each function reads what people's mail programs write as well: encoded words inside quotes, cut inside a character
or without blanks between them, raw 8-bit bytes, unclosed quotes, ids without brackets. Every pattern is linear.
"""

from __future__ import annotations

import binascii
import email.utils
import re
import urllib.parse
from datetime import UTC, datetime

from channels.email import charsets, transfers

MAX_VALUE = 64 * 1024
MAX_LINE = 2000
MAX_ID = 500
_WORD = re.compile(r"=\?([^?\s=]{1,60})\?([bBqQ])\?([^?]{0,4000})\?=")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")
_ID = re.compile(r"<([^<>]{1,600})>")
# Every alternative goes on to the end of the value where its closing sign is missing, so that none is tried twice.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*\\?(?:"|$)|[^;"]+|;', re.DOTALL)
_SECTION = re.compile(r"([^*]+)\*(?:([0-9]{1,3})(\*?))?")


class Headers:
    """The fields of one message or part, in order; names in lower case, values unfolded and otherwise untouched."""

    __slots__ = ("_first", "charset", "fields")

    def __init__(self, fields: list[tuple[str, bytes]]) -> None:
        self.fields = fields
        self.charset = "cp1252"  # of raw 8-bit bytes that are not UTF-8
        self._first: dict[str, bytes] = {}
        for name, value in fields:
            self._first.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def first(self, name: str) -> bytes:
        """The value of the first field of this name, ``b""`` where there is none."""
        return self._first.get(name, b"")

    def all(self, name: str) -> list[bytes]:
        """The values of every field of this name."""
        return [value for found, value in self.fields if found == name] if name in self._first else []

    def text(self, name: str) -> str:
        """The first field of this name as people read it."""
        return text(self.first(name), self.charset)

    def word(self, name: str) -> str:
        """The first field of this name for comparing with keywords: lower case, comments left in."""
        return text(self.first(name)).lower()


def text(value: bytes, charset: str = "cp1252") -> str:
    """An unstructured value as people read it: encoded words decoded, one line, no controls, 2,000 characters.

    ``charset`` is the codec of raw 8-bit bytes that are not UTF-8.
    """
    return line(words(charsets.guess(value[:MAX_VALUE], charset)))


def line(value: str) -> str:
    """On one line, blanks and controls as single blanks, bounded."""
    return _BLANKS.sub(" ", value[: 4 * MAX_LINE]).strip()[:MAX_LINE].rstrip()


def words(value: str) -> str:
    """A value with its encoded words (RFC 2047) decoded.

    Neighbours of one charset are joined before they are decoded: many programs cut inside a character.
    """
    if "=?" not in value:
        return value
    pieces: list[str] = []
    run, charset, at = b"", "", 0
    for word in _WORD.finditer(value):
        between = value[at : word.start()]
        named = word[1].partition("*")[0].lower()
        if run and (between.strip() or named != charset):
            pieces.append(charsets.decode(run, charset))
            run = b""
        if between.strip() or not at:
            pieces.append(between)
        run, charset, at = run + _payload(word[2], word[3]), named, word.end()
    pieces += (charsets.decode(run, charset), value[at:])
    return "".join(pieces)


def _payload(encoding: str, payload: str) -> bytes:
    """The bytes of an encoded word; raw 8-bit characters, which have no place in one, are kept as UTF-8."""
    data = payload.encode("utf-8", "replace")
    if encoding in "bB":
        return transfers.base64(data)
    return binascii.a2b_qp(data.replace(b"\r", b"").replace(b"\n", b""), header=True)


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """The word in front of a structured value, in lower case, and its parameters by name, decoded."""
    pieces = _TOKEN.findall(charsets.guess(value[:MAX_VALUE]))
    segments: list[list[str]] = [[]]
    for piece in pieces:
        if piece == ";":
            segments.append([])
        else:
            segments[-1].append(piece)
    main = "".join(segments[0]).strip().lower()
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    for segment in segments[1:200]:
        name, equals, said = "".join(segment).partition("=")
        name, said = name.strip().lower(), _unquoted(said.strip())
        if not name or not equals:
            continue
        if section := _SECTION.fullmatch(name):
            extended = section[3] == "*" or section[2] is None
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (extended, said))
        else:
            plain.setdefault(name, line(words(said)))
    for name, found in sections.items():
        plain[name] = line(_joined(found))
    return main, plain


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        value = value[1:-1] if len(value) > 1 and value.endswith('"') else value[1:]
        return value.replace("\\\\", "\\").replace('\\"', '"')
    return value


def _joined(found: dict[int, tuple[bool, str]]) -> str:
    """The value of a parameter in sections (RFC 2231): the first one names the charset."""
    charset, data = "", b""
    for index in sorted(found):
        extended, said = found[index]
        if extended and index == 0 and said.count("'") >= 2:
            charset, _, said = said.split("'", 2)
        raw = said.encode("utf-8", "replace")
        data += urllib.parse.unquote_to_bytes(raw) if extended else raw
    joined = charsets.decode(data, charset)
    return words(joined)


def ids(value: bytes) -> list[str]:
    """The message ids of a field, in order, each once, with angle brackets and without blanks."""
    found = dict.fromkeys(
        "<" + "".join(inner.split()) + ">" for inner in _ID.findall(line_of_ids(value)) if inner.strip()
    )
    return [one for one in found if len(one) <= MAX_ID]


def message_id(headers: Headers) -> str:
    """The Message-ID with angle brackets, put around it where they are missing; ``""`` where there is none."""
    value = headers.first("message-id")
    if found := ids(value):
        return found[0]
    bare = line_of_ids(value).replace("<", " ").replace(">", " ").split()
    return f"<{bare[0]}>" if bare and len(bare[0]) <= MAX_ID - 2 else ""


def line_of_ids(value: bytes) -> str:
    """A field of message ids as text without controls."""
    return _BLANKS.sub(" ", charsets.guess(value[:MAX_VALUE]))


def moment(value: bytes) -> datetime | None:
    """The time of a Date field, aware; a zone that is not told counts as UTC. ``None`` for what cannot be read."""
    try:
        at = email.utils.parsedate_to_datetime(text(value)[:100])
        if not 1900 < at.year < 2200:
            return None
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
