"""The one HTTP client of all channels: bounded in time and size, never following a redirect, never asking twice.

It turns what can go wrong on the wire into the types of :mod:`channels.errors`; what a status *means* is the
channel's to say, with :func:`classify` for the usual reading. The connections are :mod:`channels.connection`'s.
"""

from __future__ import annotations

import asyncio
import base64
import email.utils
import re
import socket
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from aiohappyeyeballs import start_connection
from yarl import URL

from channels.connection import Broken, Connection, HttpResponse
from channels.errors import Misconfigured, Refused, RetryLater, Uncertain

__all__ = ["HttpClient", "HttpResponse", "classify", "retry_after"]

MAX_RETRY_AFTER = 24 * 3600.0
KEEP_SECONDS = 15.0
"""How long a connection is kept between two calls: most servers keep theirs longer, so ours is the first to hang up."""

NEXT_ADDRESS = 0.25
"""Seconds that one address of a server has to answer before the next is tried beside it (RFC 8305 section 5)."""

_NOWHERE = URL("/")
_PORTS = {"http": 80, "https": 443}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class _Place(NamedTuple):
    """Where a server listens."""

    scheme: str
    host: str
    port: int


class _Target(NamedTuple):
    """A URL, read: its place, the path with the query as they go out, the headers of any call, and who asks."""

    place: _Place
    path: str
    head: str
    authorization: str


class HttpClient:
    """The connections of one process to providers, kept between calls. It never repeats a request by itself.

    ``timeout`` is the whole of one call in seconds, ``connect_timeout`` the part until a connection stands, at most
    half of it. Open it inside the running loop and close it at the end.
    """

    def __init__(self, *, timeout: float = 10.0, connect_timeout: float = 5.0) -> None:
        self._timeout = timeout
        # Ended by the bound of the whole call, a connection that did not stand would be taken for a lost answer.
        self._connect_timeout = min(connect_timeout, timeout / 2)
        self._idle: dict[_Place, list[Connection]] = {}
        self._all: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._open = False

    async def __aenter__(self) -> HttpClient:
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._idle.clear()
        for connection in tuple(self._all):
            connection.abort()

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | bytes | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Make one call. ``params`` are added to the query; ``data`` is a form or a body as it is, ``json`` a document.

        Raises :class:`RetryLater` where the provider was not reached, :class:`Uncertain` where the request may
        have been taken but no whole answer came back, :class:`Misconfigured` for what cannot be a request.
        """
        if not self._open:
            raise RuntimeError("the HTTP client is not open")
        target = _read(url)
        call = _written(method, target, params, data, json, headers)
        until = asyncio.get_running_loop().time() + self._timeout
        try:
            connection = self._kept(target.place) or await self._connect(target.place)
            response = await connection.call(call, until)
        except (Broken, TimeoutError, OSError) as error:
            raise Uncertain(f"no answer from the provider ({_named(error)})") from error
        self._keep(target.place, connection)
        return response

    def _kept(self, place: _Place) -> Connection | None:
        """A connection from an earlier call; the last one first, so that those beyond the need grow old."""
        idle = self._idle.get(place)
        while idle:
            connection = idle.pop()
            if connection.usable and time.monotonic() - connection.rests_since < KEEP_SECONDS:
                return connection
            connection.abort()
        return None

    async def _connect(self, place: _Place) -> Connection:
        loop = asyncio.get_running_loop()
        tls = _trusting() if place.scheme == "https" else None
        try:
            async with asyncio.timeout(self._connect_timeout):
                found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
                # From here to the next line nothing can come between: the loop takes the socket over.
                sock = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1)
                _, connection = await loop.create_connection(
                    lambda: Connection(self._all.discard),
                    sock=sock,
                    ssl=tls,
                    server_hostname=place.host if tls else None,
                )
        except (OSError, TimeoutError, UnicodeError) as error:
            raise RetryLater(f"cannot connect to the provider ({_named(error)})", reason="connection") from error
        if not connection.usable:
            raise RetryLater("the provider hung up before it was asked", reason="connection")
        self._all.add(connection)
        return connection

    def _keep(self, place: _Place, connection: Connection) -> None:
        if not self._open or not connection.usable:
            connection.abort()
            return
        connection.rests_since = time.monotonic()
        self._idle.setdefault(place, []).append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has needed for a while."""
        oldest = time.monotonic() - KEEP_SECONDS
        for place, idle in tuple(self._idle.items()):
            young = [one for one in idle if one.usable and one.rests_since > oldest]
            for connection in set(idle).difference(young):
                connection.abort()
            if young:
                self._idle[place] = young
            else:
                del self._idle[place]
        self._sweeping = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._sweep) if self._idle else None


@lru_cache(maxsize=64)
def _read(url: str) -> _Target:
    """Read a URL. Raises :class:`Misconfigured` for one that no HTTP server can have."""
    try:
        read = URL(url)
        place = _Place(read.scheme, read.host or "", read.port or 0)
    except ValueError as error:
        raise Misconfigured("the provider's URL cannot be used", reason="bad_url") from error
    if place.scheme not in _PORTS or not place.host or not place.port:
        raise Misconfigured("the provider's URL cannot be used", reason="bad_url")
    host = read.host_subcomponent or ""
    named = host if place.port == _PORTS[place.scheme] else f"{host}:{place.port}"
    head = f"Host: {named}\r\nUser-Agent: lapor-gateway\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    authorization = ""
    if read.user is not None:
        pair = base64.b64encode(f"{read.user}:{read.password or ''}".encode()).decode("ascii")
        authorization = f"Authorization: Basic {pair}\r\n"
    return _Target(place, read.raw_path_qs, head, authorization)


def _written(
    method: str,
    target: _Target,
    params: Mapping[str, str] | None,
    data: Mapping[str, str] | bytes | None,
    json: Any,
    headers: Mapping[str, str] | None,
) -> bytes:
    """The bytes of one request (RFC 9112 section 2.1). Raises :class:`Misconfigured` for headers that are none."""
    if method not in _METHODS:
        raise ValueError(f"method: one of {', '.join(sorted(_METHODS))}")
    path, head = target.path, target.head
    if params:
        # The same by yarl takes a seventh of the time.
        path += ("&" if "?" in path else "?") + _NOWHERE.with_query(params).raw_query_string
    body, media_type = b"", ""
    if isinstance(data, bytes):
        body, media_type = data, "application/octet-stream"
    elif data is not None:
        body, media_type = urlencode(data).encode("ascii"), "application/x-www-form-urlencoded"
    elif json is not None:
        body, media_type = msgspec.json.encode(json), "application/json"
    own = {name.lower() for name in headers} if headers else ()
    for name, value in (headers or {}).items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Misconfigured(f"the header {name!r} for the provider cannot be sent", reason="bad_header")
        head += f"{name}: {value}\r\n"
    if "authorization" not in own:
        head += target.authorization
    if media_type and "content-type" not in own:
        head += f"Content-Type: {media_type}\r\n"
    if body or method not in ("GET", "DELETE"):
        head += f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


@lru_cache(maxsize=1)
def _trusting() -> ssl.SSLContext:
    """Trusts what the system trusts; made at the first call by https, as reading all certificates takes its time."""
    return ssl.create_default_context()


def _named(error: BaseException) -> str:
    """What went wrong, without a word of the other side's."""
    return str(error) if isinstance(error, Broken) else type(error).__name__


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait by the Retry-After header (RFC 9110 section 10.2.3): a number or a date; at most a day."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER)
    try:
        at = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, at - (time.time() if now is None else now)), MAX_RETRY_AFTER)


def classify(response: HttpResponse, *, detail: str = "") -> None:
    """The usual reading of a status: 2xx returns, anything else raises.

    429 and 503 hold for the whole channel; 401, 403 and a redirect are ours to put right; 5xx and 408 are retried;
    any other 4xx refuses this message.
    """
    status = response.status
    if 200 <= status < 300:
        return
    said = f"the provider answered {status}" + (f": {detail}" if detail else "")
    wait = retry_after(response.headers)
    if status == 429:
        raise RetryLater(said, reason="throttled", retry_after=wait, whole_channel=True)
    if status in (401, 403, 407):
        raise Misconfigured(said)
    if 300 <= status < 400:
        raise Misconfigured(said, reason="redirect")
    if status >= 500 or status in (408, 425):
        raise RetryLater(said, reason=f"http_{status}", retry_after=wait, whole_channel=wait is not None)
    raise Refused(said, reason=f"http_{status}")
