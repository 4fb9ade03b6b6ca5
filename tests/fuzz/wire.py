"""Requests as bytes on a socket, as wrong as anyone can make them, and the answers to them."""

from __future__ import annotations

import gzip
import http.client
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

ANSWER_SECONDS = 60.0

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Answer:
    """What came back; ``status`` 0: the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Raw:
    """One request. ``body`` is what goes over the wire; where ``framed``, its length is told by the headers given."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    framed: bool = False

    def data(self) -> bytes:
        """The bytes of it."""
        lines = [self.method + b" " + self.target + b" HTTP/1.1", b"Host: 127.0.0.1"]
        lines += [name + b": " + value for name, value in self.headers]
        if not self.framed and (self.body or self.method == b"POST"):
            lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join([*lines, b"", b""]) + self.body


def ask(port: int, raw: Raw) -> Answer:
    """Send it, say that nothing more comes, and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        try:
            connection.sendall(raw.data())
            answer = http.client.HTTPResponse(connection, method=raw.method.decode("latin-1"))
            answer.begin()
            while answer.status == 100:
                answer.begin()
            body = answer.read()
        except (ConnectionError, http.client.RemoteDisconnected):
            return Answer(0, {}, b"")
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body)


def chunked(body: bytes, cuts: Sequence[int]) -> bytes:
    """The body in chunks (RFC 9112, 7.1)."""
    pieces = []
    at = 0
    for cut in [*sorted(min(cut, len(body)) for cut in cuts), len(body)]:
        if cut > at:
            pieces.append(b"%x\r\n%b\r\n" % (cut - at, body[at:cut]))
            at = cut
    return b"".join(pieces) + b"0\r\n\r\n"


BOMB = gzip.compress(bytes(30_000_000), 9)
DEEP = b"[" * 100_000 + b"]" * 100_000
DEEPER = b'{"a":' * 100_000 + b"1" + b"}" * 100_000

METHODS = st.sampled_from(
    [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"post", b"X-Y"]
)
TYPES = st.sampled_from(
    [
        b"application/json",
        b"application/json; charset=utf-16",
        b"application/x-www-form-urlencoded",
        b"application/x-www-form-urlencoded; charset=no-such",
        b"multipart/form-data; boundary=x",
        b"multipart/form-data",
        b"text/plain; charset=\xff",
        b"/;;=",
        b"",
    ]
)
_VALUES = st.one_of(
    st.binary(max_size=60).map(lambda value: value.translate(None, b"\r\n\0")),
    st.sampled_from([b"\xff\xfe", b"\xc3\x28", b"a" * 7_000, b"1" * 5_000, b'"', b"%00", b"Bearer ", b"Bearer \xff"]),
)
_NAMES = st.sampled_from(
    [
        b"Authorization",
        b"Cookie",
        b"Expect",
        b"Range",
        b"If-None-Match",
        b"Accept",
        b"Accept-Encoding",
        b"X-Forwarded-For",
        b"X-Webhook-Token",
        b"X-Telegram-Bot-Api-Secret-Token",
        b"X-Twilio-Signature",
        b"X-Signature",
        b"X-Timestamp",
        b"x-twitter-webhooks-signature",
        b"Upgrade",
        b"Connection",
    ]
)
HEADERS = st.lists(st.tuples(_NAMES, _VALUES), max_size=5).map(tuple)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\0" * 100, DEEP, DEEPER, b"&" * 5_000, b"a=" * 3_000, b'{"id": "\\ud800"}', b"9" * 5_000]),
)


@st.composite
def framing(draw: st.DrawFn, body: bytes) -> tuple[tuple[Header, ...], bytes]:
    """One of the ways to send a body, right or wrong: headers that frame it, and the bytes."""
    kind = draw(
        st.sampled_from(["chunked", "gzip", "deflate", "truncated", "bomb", "not-gzip", "short", "broken", "both"])
    )
    length = (b"Content-Length", b"%d" % len(body))
    match kind:
        case "chunked":
            cuts = draw(st.lists(st.integers(0, len(body)), max_size=4))
            return ((b"Transfer-Encoding", b"chunked"),), chunked(body, cuts)
        case "gzip":
            return _encoded(b"gzip", gzip.compress(body))
        case "deflate":
            return _encoded(b"deflate", zlib.compress(body))
        case "truncated":
            return _encoded(b"gzip", gzip.compress(body)[:-9])
        case "bomb":
            return _encoded(b"gzip", BOMB)
        case "not-gzip":
            return _encoded(draw(st.sampled_from([b"gzip", b"deflate", b"br", b"zstd", b"no-such"])), body)
        case "short":
            return ((b"Content-Length", b"%d" % (len(body) + 5)),), body
        case "broken":
            return ((b"Transfer-Encoding", b"chunked"),), draw(
                st.sampled_from([b"zz\r\n", b"-1\r\n", b"5\r\nab\r\n0\r\n\r\n"])
            )
        case _:
            return (length, (b"Transfer-Encoding", b"chunked")), chunked(body, [])


def _encoded(encoding: bytes, data: bytes) -> tuple[tuple[Header, ...], bytes]:
    return ((b"Content-Encoding", encoding), (b"Content-Length", b"%d" % len(data))), data
