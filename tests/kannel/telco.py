"""fakesmsc, Kannel's own test telco: citizens text through it, and it logs what phones get.

Its line protocol, as its usage message gives it: ``sender receiver type text``, with the types ``text`` (plain),
``ucs2`` and ``data`` (octets, URL-encoded) and ``udh-text`` (URL-encoded user data header, plain text). Messages for
the phone come back in the same form, in its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec

from tests.kannel.box import Box

FAKESMSC = "/usr/lib/kannel/test/fakesmsc"

Coding = Literal["gsm", "ucs2", "binary"]


class Reply(msgspec.Struct, frozen=True):
    """One message as the phone shows it: a long one once, put together from its ``parts`` short messages."""

    sender: str
    receiver: str
    text: str
    coding: Coding
    parts: int = 1


class Telco(Box):
    """fakesmsc in its interactive mode: one process is the whole telco, so that no message falls between two."""

    def __init__(self, port: int) -> None:
        super().__init__("fakesmsc", FAKESMSC, "-H", "127.0.0.1", "-r", str(port), "-i", "0")

    # fakesmsc reads up to a line break or 255 octets, and looks for more only when more is typed.
    _CHUNK = 255
    _SENT = "fakesmsc: sent message"
    _GOT = "Got message "

    @property
    def replies(self) -> list[Reply]:
        """Everything that phones show so far, in order."""
        return read_replies(line.partition(self._GOT)[2] for line in self.log if self._GOT in line)

    async def submit(self, sender: str, receiver: str, kind: str, text: bytes) -> None:
        """Hand one line of fakesmsc's protocol to Kannel."""
        if b"\n" in text:
            raise ValueError("fakesmsc's protocol has no line breaks in plain text; use coding='ucs2'")
        line = f"{sender} {receiver} {kind} ".encode() + text
        # A chunk of one octet is taken for an empty line, so the line break may not be one.
        line += b"\r\n" if len(line) % self._CHUNK == 0 else b"\n"
        for start in range(0, len(line), self._CHUNK):
            await self._type_chunk(line[start : start + self._CHUNK])

    async def _type_chunk(self, chunk: bytes) -> None:
        before = self.count(self._SENT)
        await self.type(chunk)
        await self.until(lambda: self.count(self._SENT) > before, self._SENT)

    async def received(self, n: int, timeout: float) -> list[Reply]:
        """The replies once there are ``n``."""
        # fakesmsc looks at its link once a second, or when something is typed.
        nudge = asyncio.create_task(self._nudge())
        try:
            await self.until(lambda: len(self.replies) >= n, f"{n} messages for phones", timeout=timeout)
        finally:
            nudge.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await nudge
        return self.replies

    async def _nudge(self) -> None:
        while True:
            with contextlib.suppress(ConnectionError):
                await self.type(b"\n")
            await asyncio.sleep(0.05)


def read_replies(lines: Iterable[str]) -> list[Reply]:
    """What phones show, from fakesmsc's lines ``7: <1708 +628… text Halo>``.

    A part of a long message is ``udh HEADER data OCTETS``, which does not tell the alphabet: octets that cannot be
    text in UTF-8 are taken for UCS-2. A line break in plain text breaks fakesmsc's line, too: the last reply may
    still miss lines.
    """
    replies: list[Reply] = []
    long: dict[tuple[str, str, int], dict[int, bytes]] = {}
    for line in lines:
        content = line.partition("<")[2].removesuffix(">")
        match = _MESSAGE.match(content)
        if match is None:
            replies[-1] = msgspec.structs.replace(replies[-1], text=f"{replies[-1].text}\n{content}")
            continue
        sender, receiver, kind, rest = match.groups()
        if kind == "udh":
            encoded_header, _, encoded = rest.partition(" data ")
            ref, total, index = _octets(encoded_header)[3:6]
            parts = long.setdefault((sender, receiver, ref), {})
            parts[index] = _octets(encoded)
            if len(parts) == total:
                octets = b"".join(parts[i] for i in sorted(long.pop((sender, receiver, ref))))
                text, coding = _guess(octets)
                replies.append(Reply(sender, receiver, text, coding, total))
        elif kind == "ucs-2":
            replies.append(Reply(sender, receiver, _octets(rest).decode("utf-16-be", "replace"), "ucs2"))
        elif kind == "data":
            replies.append(Reply(sender, receiver, _octets(rest).decode("latin-1"), "binary"))
        else:
            replies.append(Reply(sender, receiver, rest, "gsm"))
    return replies


_MESSAGE = re.compile(r"(\S+) (\S+) (text|ucs-2|data|udh) (.*)")


def _octets(encoded: str) -> bytes:
    return unquote_to_bytes(encoded.replace("+", " "))


def _guess(octets: bytes) -> tuple[str, Coding]:
    if b"\0" not in octets:
        with contextlib.suppress(UnicodeDecodeError):
            return octets.decode(), "gsm"
    return octets.decode("utf-16-be", "replace"), "ucs2"
