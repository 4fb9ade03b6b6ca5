"""The providers as bare protocols: they say yes as the real ones do, and tell the citizens what they were handed.

Kannel's sendsms (User's Guide 1.4.5, "Using the HTTP interface"), the Bot API, X's API v2, and a mail server (RFC
5321). The stand-ins of ``channels/`` check what they are asked and keep it; these cost as little as they can.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from benchmarks.world.letters import Way
from benchmarks.world.wire import BOT, HANDLE, US

Hear = Callable[[Way, str, str, str], None]
"""Told for each message: the way, the citizen's address, the tracking number in it (or ``""``), the message's id.

For a public post the address is the post that it answers, in front of it a hash sign."""

_NUMBER = re.compile(r"(?<!\d)(\d{3})\s+(\d{3})\s+(\d{4})(?!\d)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MESSAGE_ID = re.compile(rb"\r\nmessage-id:\s*(<[^>]+>)", re.IGNORECASE)
_PATH = re.compile(rb"[^<]*<([^>]*)>")
_DIRECT = re.compile(r"/2/dm_conversations/with/(\d+)/messages")
_encode = msgspec.json.Encoder().encode


def number_in(text: str) -> str:
    """The tracking number of a reply, as ten digits; ``""`` where there is none."""
    found = _NUMBER.search(text)
    return "".join(found.groups()) if found else ""


class Web(asyncio.Protocol):
    """One connection to Kannel, Telegram or X, which are told apart by their paths."""

    ids = itertools.count(10_000_000)

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._transport: asyncio.Transport
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[: end + 2]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            method, target, _ = head.split(b" ", 2)
            status, kind, answer = self._answer(method.decode(), target.decode(), body)
            self._transport.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (status, kind, len(answer), answer)
            )

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes, bytes]:
        path = urlsplit(target).path
        if path == "/cgi-bin/sendsms":
            asked = parse_qs(urlsplit(target).query)
            self._hear("sms", asked["to"][0], number_in(asked["text"][0]), "")
            return 202, b"text/html", b"0: Accepted for delivery"
        if path.startswith("/bot"):
            return 200, b"application/json", _encode({"ok": True, "result": self._bot(path.rpartition("/")[2], body)})
        if path == "/2/users/me":
            data = {"id": US, "username": HANDLE, "name": "LAPOR!"}
            return 200, b"application/json", _encode({"data": data})
        if method == "POST" and path.startswith("/2/"):
            return 201, b"application/json", _encode({"data": self._x(path, msgspec.json.decode(body))})
        return 404, b"text/plain", b"nothing here"

    def _bot(self, method: str, body: bytes) -> Any:
        if method == "getMe":
            return {"id": 1708, "is_bot": True, "first_name": "LAPOR!", "username": BOT}
        if method != "sendMessage":
            return True
        asked = parse_qs(body.decode())
        chat, id_ = asked["chat_id"][0], next(self.ids)
        self._hear("telegram", chat, number_in(asked["text"][0]), str(id_))
        return {"message_id": id_, "date": 0, "chat": {"id": int(chat), "type": "private"}, "text": asked["text"][0]}

    def _x(self, path: str, asked: dict[str, Any]) -> dict[str, str]:
        text, id_ = asked["text"], str(1_950_000_000_000_000_000 + next(self.ids))
        if direct := _DIRECT.fullmatch(path):
            self._hear("twitter", direct[1], number_in(text), "")
            return {"dm_conversation_id": f"{direct[1]}-{US}", "dm_event_id": id_}
        self._hear("twitter", f"#{asked['reply']['in_reply_to_tweet_id']}", number_in(text), id_)
        return {"id": id_, "text": text}


class Mail(asyncio.Protocol):
    """One connection to the mail server that takes our replies."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._transport: asyncio.Transport
        self._buffer = b""
        self._to = ""
        self._data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's are none by inheritance
        self._say("220 mail.example.id ESMTP")

    def data_received(self, data: bytes) -> None:
        """Answer every command, and every mail, that is whole."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n.\r\n" if self._data else b"\r\n")
            if end < 0:
                return
            whole, self._buffer = self._buffer[:end], self._buffer[end + (5 if self._data else 2) :]
            if self._data:
                self._take(whole)
            else:
                self._obey(whole)

    def _obey(self, line: bytes) -> None:
        match line[:4].upper():
            case b"EHLO":
                self._say("250-mail.example.id\r\n250 8BITMIME")
            case b"RCPT":
                found = _PATH.match(line)
                self._to = found[1].decode() if found else ""
                self._say("250 2.1.5 OK")
            case b"DATA":
                self._data = True
                self._say("354 Go on")
            case b"QUIT":
                self._say("221 2.0.0 Bye")
                self._transport.close()
            case _:
                self._say("250 2.0.0 OK")

    def _take(self, mail: bytes) -> None:
        self._data = False
        found = _MESSAGE_ID.search(mail)
        self._hear("email", self._to, number_in(mail.decode("utf-8", "replace")), found[1].decode() if found else "")
        self._say("250 2.0.0 Taken")

    def _say(self, line: str) -> None:
        self._transport.write(f"{line}\r\n".encode())
