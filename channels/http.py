"""The one HTTP client of all channels: bounded in time and size, never following a redirect.

It turns what can go wrong on the wire into the types of :mod:`channels.errors`; what a status *means* is the
channel's to say, with :func:`classify` for the usual reading.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from channels.errors import Misconfigured, Refused, RetryLater, Uncertain

MAX_RESPONSE = 1024 * 1024
MAX_RETRY_AFTER = 24 * 3600.0


class HttpResponse(msgspec.Struct, frozen=True):
    """A provider's answer: status, headers (names in lower case), body bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it holds."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; ``None`` where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET or PUT whose connection broke: it would text a citizen twice, uncounted.

    It repeats on two kinds of error; here they become their common base, which it passes on.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing went out
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from error


class HttpClient:
    """A session shared by the channels of one process. It never repeats a request by itself.

    ``timeout`` is the whole of one call in seconds. Open it inside the running loop and close it at the end.
    """

    def __init__(self, *, timeout: float = 10.0, connect_timeout: float = 5.0) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=connect_timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpClient:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=0, ttl_dns_cache=60),
            headers={"User-Agent": "lapor-gateway"},
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_once,),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(self, method: str, url: str, **options: Any) -> HttpResponse:
        """Make one call; ``options`` are aiohttp's (params, data, json, headers, auth).

        Raises :class:`RetryLater` where the provider was not reached, :class:`Uncertain` where the request may
        have been taken but no whole answer came back.
        """
        if self._session is None:
            raise RuntimeError("the HTTP client is not open")
        try:
            async with self._session.request(method, url, allow_redirects=False, **options) as response:
                body = await _bounded(response.content)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return HttpResponse(response.status, headers, body)
        except aiohttp.InvalidURL as error:
            raise Misconfigured("the provider's URL cannot be used", reason="bad_url") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RetryLater(f"cannot connect to the provider ({type(error).__name__})", reason="connection") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Uncertain(f"no answer from the provider ({type(error).__name__})") from error


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """The body, or its first :data:`MAX_RESPONSE` bytes: no provider fills our memory."""
    pieces = []
    room = MAX_RESPONSE
    while room > 0 and (piece := await content.read(room)):
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


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
