"""The parts of a mail (RFC 2045, RFC 2046) as places in its bytes: nothing is copied until a part is asked for.

The standard library's parser calls itself once for each level, so that 1,000 nested parts end in a RecursionError,
compares each line with every open boundary, and copies a large attachment several times. This one reads the bytes
once, from front to back, and keeps what is open in a table. A mail that breaks the rules is read as a person would
read it: a boundary that never comes is guessed, a part that never ends ends with the mail.
"""

from __future__ import annotations

import re

from channels.email import charsets, transfers
from channels.email import headers as fields
from channels.email.headers import Headers

MAX_PARTS = 20_000
MAX_FIELDS = 1000
MAX_HEADER = 256 * 1024
MAX_GUESS = 256 * 1024
MAX_MISSES = 1000
MAX_SOUGHT = 20
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_KNOWN = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|received|return-path|delivered-to|mime-version|content-type|x-[\w-]+"
    rb"|reply-to|sender|references|in-reply-to|dkim-signature|arc-[\w-]+|authentication-results)[ \t]*:",
    re.IGNORECASE,
)
_EMPTY_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_GUESS = re.compile(rb"^--([^\s-][^\r\n]{0,200}|-{1,60}[^\s-][^\r\n]{0,140})\r?\n[ \t]*(?=content-)", re.M | re.I)
_TYPE = re.compile(r"([\w.+-]{1,60})/([\w.+!#$&^-]{1,100})")


class Part:
    """One message or part: ``data[start:end]`` is its encoded body, ``parent`` the index of the part around it."""

    __slots__ = ("boundary", "children", "encoding", "end", "headers", "index", "media_type", "params", "parent",
                 "start", "typed")  # fmt: skip

    def __init__(self, index: int, parent: int, headers: Headers, start: int, default: str) -> None:
        self.index, self.parent, self.headers = index, parent, headers
        self.start = self.end = start
        self.children: list[int] = []
        self.boundary = b""
        said, self.params = _content_type(headers)
        self.typed = bool(said)
        self.media_type = said or default
        self.encoding = transfers.named(headers.text("content-transfer-encoding"))

    @property
    def disposition(self) -> str:
        """``attachment``, ``inline``, anything else that is said, or ``""``."""
        return fields.parameters(self.headers.first("content-disposition"))[0]

    @property
    def filename(self) -> str:
        """The name that the sender gave the part, as sent."""
        said = fields.parameters(self.headers.first("content-disposition"))[1]
        return said.get("filename") or said.get("name") or self.params.get("name") or self.params.get("filename") or ""


class Mail:
    """A mail taken apart: ``parts`` in the order in which they begin, the mail itself first."""

    __slots__ = ("data", "parts")

    def __init__(self, raw: bytes) -> None:
        # A mail without a single newline ends its lines as old Macs did.
        self.data = raw.replace(b"\r", b"\n") if b"\n" not in raw else raw
        self.parts: list[Part] = []
        _Splitter(self).run()
        # Who writes raw bytes into a header mostly means the charset of the text.
        charsets_said = (charsets.codec_of(part.params.get("charset", "")) for part in self.parts[:10])
        self.headers.charset = next(filter(None, charsets_said), self.headers.charset)

    @property
    def headers(self) -> Headers:
        """The mail's own fields."""
        return self.parts[0].headers

    def encoded(self, part: Part, limit: int | None = None) -> memoryview:
        """The body of a part as it stands there, at most ``limit`` bytes of it."""
        end = part.end if limit is None else min(part.end, part.start + limit)
        return memoryview(self.data)[part.start : end]

    def content(self, part: Part, limit: int | None = None) -> bytes:
        """The body of a part, decoded; with a ``limit``, of at most that many encoded bytes. Raises nothing.

        The lines of text end with CR LF (RFC 2046 section 4.1.1), whatever they ended with on the way here: else
        a file would have another hash by each way.
        """
        body = self.encoded(part, limit)
        if part.encoding == "base64":
            return transfers.base64(body)
        if part.encoding == "uuencode":
            return transfers.uudecode(bytes(body))
        content = transfers.quoted_printable(body) if part.encoding == "quoted-printable" else bytes(body)
        lines = part.media_type.startswith(("text/", "message/")) or content.isascii()
        if part.encoding == "binary" or not lines:
            return content
        return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def inside(self, part: Part) -> list[Part]:
        """The parts directly inside this one."""
        return [self.parts[index] for index in part.children]


class _Splitter:
    """One reading of a mail. ``pending`` are the parts that have not ended, the outermost first."""

    def __init__(self, mail: Mail) -> None:
        self.data = mail.data
        self.parts = mail.parts
        self.pending: list[Part] = []
        self.open: dict[bytes, int] = {}  # boundary: its part's place in pending

    def run(self) -> None:
        at, misses = self.begin(0), 0
        while self.open and len(self.parts) < MAX_PARTS:
            # Here a line begins.
            found = at if self.data.startswith(b"--", at) else self.data.find(b"\n--", at) + 1
            if not found:
                break
            end = self.data.find(b"\n", found)
            end = len(self.data) if end < 0 else end
            level, closes = self.delimiter(found, end)
            at = end + 1
            if level < 0:
                misses += 1
                at = self.skip(at) if misses > MAX_MISSES else at
                continue
            misses = 0
            self.finish(level + 1, self.before(found))
            if not closes:
                at = self.begin(at)
        self.finish(0, len(self.data))

    def skip(self, at: int) -> int:
        """Where the next line that is a boundary begins; for texts that are full of lines that only look like one."""
        if len(self.open) > MAX_SOUGHT:
            return at
        sought = b"|".join(map(re.escape, self.open))
        found = re.compile(rb"^--(?:%s)(?:--)?[ \t\r]*$" % sought, re.MULTILINE).search(self.data, at)
        return found.start() if found else len(self.data)

    def delimiter(self, start: int, end: int) -> tuple[int, bool]:
        """The place in ``pending`` of the part whose boundary this line is, or -1, and whether it closes it."""
        if end - start > 300 or not self.data.startswith(b"--", start):
            return -1, False
        said = self.data[start + 2 : end].rstrip(b" \t\r")
        if (level := self.open.get(said, -1)) >= 0:
            return level, False
        return (self.open.get(said[:-2], -1) if said.endswith(b"--") else -1), True

    def before(self, start: int) -> int:
        """The newline before a boundary belongs to the boundary."""
        if start and self.data[start - 1 : start] == b"\n":
            start -= 1
        return start - 1 if start and self.data[start - 1 : start] == b"\r" else start

    def finish(self, level: int, end: int) -> None:
        """End every part from this place in ``pending`` on."""
        for part in reversed(self.pending[level:]):
            part.end = max(end, part.start)
            if part.boundary:
                del self.open[part.boundary]
        del self.pending[level:]

    def begin(self, at: int) -> int:
        """Read the fields of the part that begins here, and of the mails that it is; returns where its body begins."""
        while len(self.parts) < MAX_PARTS:
            parent = self.pending[-1] if self.pending else None
            found, at = self.fields(at)
            default = "message/rfc822" if parent and parent.media_type == "multipart/digest" else "text/plain"
            part = Part(
                len(self.parts), parent.index if parent else -1, Headers(found), min(at, len(self.data)), default
            )
            self.parts.append(part)
            if parent:
                parent.children.append(part.index)
            self.pending.append(part)
            if part.media_type == "message/rfc822" and part.encoding in ("identity", "binary"):
                continue
            boundary = self.boundary(part)
            if boundary and boundary not in self.open:
                part.boundary = boundary
                self.open[boundary] = len(self.pending) - 1
            break
        return at

    def boundary(self, part: Part) -> bytes:
        """The boundary between the parts of a part; for the mail itself one that was damaged or left out is guessed."""
        multi = part.media_type.startswith("multipart/")
        said = part.params.get("boundary", "").encode("utf-8", "surrogateescape") if multi else b""
        if len(self.pending) > 1 or (said and b"--" + said in self.data) or (part.typed and not multi):
            return said
        guess = _GUESS.search(self.data, part.start, part.start + MAX_GUESS)
        if guess is None:
            return said
        part.media_type = part.media_type if multi else "multipart/mixed"
        return guess[1].rstrip(b" \t\r")

    def fields(self, at: int) -> tuple[list[tuple[str, bytes]], int]:
        """The header fields from here on, and where the body begins."""
        data, found, start = self.data, list[tuple[str, bytes]](), at
        lines: list[bytes] = []
        if not self.parts:
            while data.startswith((b"\n", b"\r\n"), at) and at < MAX_HEADER:
                at = data.index(b"\n", at) + 1
            at = at if _FIELD.match(data, at) or data.startswith((b"From ", b">From "), at) else start
        while at < len(data):
            end = data.find(b"\n", at)
            end = len(data) if end < 0 else end
            line = data[at:end].rstrip(b"\r") if end - at < fields.MAX_VALUE else data[at : at + fields.MAX_VALUE]
            if not line:
                return _unfolded(found, lines), end + 1
            if line.startswith(b"--") and self.delimiter(at, end)[0] >= 0:
                break
            if line[:1] in b" \t":
                if not line.strip() and not self.goes_on(end + 1, found):
                    return _unfolded(found, lines), end + 1
                if not found:
                    break
                lines.append(line)
            elif name := _FIELD.match(line):
                _unfolded(found, lines)
                found.append((name[1].decode("ascii").lower(), b""))
                lines = [line[name.end() :]]
            elif not found and line.startswith((b"From ", b">From ")) and _FIELD.match(data, end + 1):
                pass  # the envelope line of an mbox
            elif not self.goes_on(end + 1, found):
                break
            at = end + 1
            if len(found) > MAX_FIELDS or at - start > MAX_HEADER:
                rest = _EMPTY_LINE.search(data, end)
                return _unfolded(found, lines), rest.end() if rest else len(data)
        return _unfolded(found, lines), at

    def goes_on(self, at: int, found: list[tuple[str, bytes]]) -> bool:
        """Whether the header goes on here, behind a line that has no place in one."""
        if not found and self.parts:
            return False
        for _ in range(3):
            end = self.data.find(b"\n", at)
            end = len(self.data) if end < 0 else end
            if (_FIELD if found else _KNOWN).match(self.data, at, min(end, at + 200)):
                return True
            if self.data[at : at + 1] not in (b" ", b"\t"):
                return False
            if found and self.data[at:end].strip():
                return True
            at = end + 1
        return False


def _unfolded(found: list[tuple[str, bytes]], lines: list[bytes]) -> list[tuple[str, bytes]]:
    """Put the lines of the last field together."""
    if lines and found:
        found[-1] = (found[-1][0], b"".join(lines).strip()[: fields.MAX_VALUE])
    lines.clear()
    return found


def _content_type(headers: Headers) -> tuple[str, dict[str, str]]:
    """Media type and parameters; of several fields the one that tells of parts counts, else the first. ``""``: none."""
    first: tuple[str, dict[str, str]] = ("", {})
    for value in headers.all("content-type")[:5]:
        said, params = fields.parameters(value)
        found = _TYPE.match(said)
        media_type = found[0] if found else ("text/plain" if said == "text" else "")
        if media_type.startswith("multipart/"):
            return media_type, params
        first = first if first[0] else (media_type, params)
    return first
