"""The short way of a call that has come whole: from the framework's parser to a door, and its answer to the socket.

On the usual way each request costs a future, a task, a request, a writer, a resolved route and a response. A webhook
call of some hundred bytes, whole in one packet, needs none of them. Whatever is not quite that takes the usual way, and
what is refused hears the same as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import HttpVersion11, StreamReader
from aiohttp.helpers import parse_content_type
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDictProxy


class Call:
    """One whole HTTP call, with the names that the framework's request has for its parts."""

    __slots__ = ("_message", "_payload", "_peer")

    def __init__(self, message: RawRequestMessage, payload: StreamReader, peer: object) -> None:
        self._message = message
        self._payload = payload
        self._peer = peer

    @property
    def method(self) -> str:
        """In upper case."""
        return self._message.method

    @property
    def raw_path(self) -> str:
        """The path with its query, as sent."""
        return self._message.path

    @property
    def path(self) -> str:
        """The path alone."""
        return self._message.path.partition("?")[0]

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """Looked up without case."""
        return self._message.headers

    @property
    def content_type(self) -> str:
        """The media type of the body (RFC 9110 section 8.3), in lower case, without parameters."""
        return parse_content_type(self.headers.get("Content-Type", "application/octet-stream"))[0]

    @property
    def remote(self) -> str:
        """The address of who has connected, ``""`` where it is not known."""
        peer = self._peer
        return str(peer[0]) if isinstance(peer, tuple | list) else str(peer or "")

    def body(self) -> bytes:
        """The whole body; once, and only by who takes the call."""
        return self._payload.read_nowait()


Answered = Callable[[bytes], None]
"""Takes the whole answer, status line and all; once for each call."""

Taker = Callable[[Call, Answered], bool]
"""Takes a call, and answers it later. ``False`` leaves it to the usual way; then its body was not read."""

Lanes = Mapping[str, Taker]
"""The takers by their paths."""


def begin(lanes: Lanes, message: object, payload: StreamReader, peer: object, answered: Answered) -> bool:
    """Hand a parsed request to its lane; false where it has none, is not whole, or is any but the plainest."""
    if (
        not isinstance(message, RawRequestMessage)
        or message.method not in ("POST", "GET")
        or message.version != HttpVersion11
        or message.should_close
        or message.upgrade
        or message.compression is not None
        or not payload.is_eof()
        or payload.exception() is not None
        or "Expect" in message.headers
    ):
        return False
    taker = lanes.get(message.path.partition("?")[0])
    return taker is not None and taker(Call(message, payload, peer), answered)
