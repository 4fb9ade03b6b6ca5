"""The HTTP port against clients that take their time, or send too much: seen from a socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from structlog.testing import capture_logs

from gateway.connections import Runner
from tests.inside import PATIENCE, TOKEN, Inside, running, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOUND = 0.4
"""Seconds for a whole request, in these tests."""
FORM = urlencode({"token": TOKEN, "from": "+6281234567890", "text": "jalan rusak"}).encode()
HEAD = b"POST /webhooks/sms HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(FORM) + FORM
API_HEAD = b"POST /api/v1/cases/5724163898/updates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
CONSOLE_HEAD = b"POST /ops/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
API, CONSOLE = API_HEAD + b"Content-Length: 999\r\n\r\n", CONSOLE_HEAD + b"Content-Length: 999\r\n\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    folder = tmp_path_factory.mktemp("server")
    configured = settings(folder, server={"request_timeout": BOUND}, api={"tokens": ["t"]})
    async with running(configured, role="intake") as inside:
        yield inside


@pytest.fixture
def received(gateway: Inside) -> Callable[[], float]:
    """How many messages the gateway has taken since the test began."""
    registry = gateway.gateway.metrics.registry

    def count() -> float:
        return registry.get_sample_value("lapor_gateway_messages_received_total", {"channel": "sms"}) or 0.0

    before = count()
    return lambda: count() - before


async def connected(inside: Inside) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(inside.url.rpartition(":")[2]))


async def left(reader: asyncio.StreamReader) -> bytes:
    """What is said until the connection is ended from the other side."""
    said = b""
    async with asyncio.timeout(PATIENCE):
        try:
            while more := await reader.read(4096):
                said += more
        except ConnectionError:
            return said
    return said


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    """A byte at a time, far slower than the bound allows, until nobody listens any more."""
    try:
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(BOUND / 8)
    except ConnectionError:
        return


# fmt: off
SLOW = [
    # the case, what is said at once, what comes a byte at a time → the status, 0: the connection is dropped
    ("nothing at all", b"", b"", 0),
    ("the request line", b"", WHOLE, 0),
    ("the headers", HEAD, b"X-Slow: " + b"a" * 1000, 0),
    ("a header each time", HEAD, b"A: 1\r\n" * 200, 0),
    ("the body", HEAD + b"Content-Length: 999\r\n\r\n", b"a" * 999, 400),
    ("the body in chunks", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 200, 400),
    ("the body of an update", API, b"a" * 999, 400),
    ("the body of a form of the console", CONSOLE, b"a" * 999, 400),
    ("the body of what is not there", b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n", b"a" * 999, 404),
    ("a second request", WHOLE, WHOLE, 200),
]
# fmt: on


@pytest.mark.parametrize(("at_once", "slowly", "status"), [case[1:] for case in SLOW], ids=[case[0] for case in SLOW])
async def test_a_request_that_comes_a_byte_at_a_time_is_dropped(
    gateway: Inside, received: Callable[[], float], at_once: bytes, slowly: bytes, status: int
) -> None:
    reader, writer = await connected(gateway)
    writer.write(at_once)
    dripping = asyncio.create_task(drip(writer, slowly))
    said = await left(reader)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()
    assert (int(said.split()[1]) if said else 0) == status
    assert said.count(b"HTTP/1.1 ") == (1 if status else 0)
    assert received() == (1 if status == 200 else 0)


async def test_a_connection_that_is_kept_may_be_silent_between_two_requests(
    gateway: Inside, received: Callable[[], float]
) -> None:
    reader, writer = await connected(gateway)
    for part in (WHOLE[:20], WHOLE[20:]):
        writer.write(part)
        await asyncio.sleep(BOUND / 4)
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    # As long as a slow request would be borne, and longer than it takes to notice one.
    await asyncio.sleep(BOUND * 2)
    writer.write(WHOLE)
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert received() == 2


@pytest.mark.parametrize(
    ("seconds", "late", "dropped"),
    [(2.0, 0.0, False), (6.0, 0.0, True), (6.0, 0.9, True), (6.0, 5.0, False), (11.0, 5.0, True)],
    ids=["in time", "too slow", "too slow, a little late", "the process stood still", "too slow all the same"],
)
async def test_the_time_in_which_the_process_stood_still_is_not_counted(
    seconds: float, late: float, dropped: bool
) -> None:
    """What came meanwhile waits to be read: uvloop looks at its timers first."""
    runner = Runner(web.Application(), max_connections=10, request_timeout=4.0)
    await runner.setup()
    server: Any = runner.server
    now = server._loop.time()
    connection = Mock()
    server.since = {connection: now - seconds}
    server.looking = Mock(when=lambda: now - late)
    server._look()
    assert connection.transport.abort.called is dropped
    server.since.clear()
    await runner.cleanup()


@pytest.mark.parametrize("head", [HEAD, API_HEAD, CONSOLE_HEAD], ids=["a webhook", "an update", "a form"])
async def test_who_hangs_up_in_the_middle_of_a_body_fills_no_log(
    gateway: Inside, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as said:
        _, writer = await connected(gateway)
        writer.write(head + b"Content-Length: 999\r\n\r\nabc")
        await asyncio.sleep(BOUND / 8)
        writer.transport.abort()
        reader, other = await connected(gateway)
        other.write(WHOLE)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        other.close()
    assert "Error handling request" not in caplog.text
    assert [line for line in said if "exc_info" in line] == []


async def test_many_slow_ones_keep_nobody_out(gateway: Inside) -> None:
    slow = [await connected(gateway) for _ in range(50)]
    for _, writer in slow:
        writer.write(HEAD)
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            gateway.webhook(), data=FORM.decode(), headers={"Content-Type": "application/x-www-form-urlencoded"}
        ) as answer,
    ):
        assert answer.status == 200
    assert await asyncio.gather(*(left(reader) for reader, _ in slow)) == [b""] * 50
    for _, writer in slow:
        writer.close()


# fmt: off
TOO_MUCH = [
    # the case, the request → status
    ("a line of 70 kB", b"GET /webhooks/sms?text=" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a header of 9 kB", HEAD + b"X: " + b"a" * 9_000 + b"\r\n\r\n", 400),
    ("a header's name of 9 kB", HEAD + b"a" * 9_000 + b": 1\r\n\r\n", 400),
    ("130 headers", HEAD + b"X: 1\r\n" * 130 + b"\r\n", 400),
    ("130 trailers", HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: 1\r\n" * 130 + b"\r\n", 400),
]
# fmt: on


@pytest.mark.parametrize(("request_", "status"), [case[1:] for case in TOO_MUCH], ids=[case[0] for case in TOO_MUCH])
async def test_headers_are_bounded_in_size_and_number(gateway: Inside, request_: bytes, status: int) -> None:
    reader, writer = await connected(gateway)
    writer.write(request_)
    head, _, body = (await left(reader)).partition(b"\r\n\r\n")
    writer.close()
    assert int(head.split()[1]) == status
    assert set(json.loads(body)["error"]) == {"code", "message"}


def _deflated(data: bytes) -> bytes:
    return zlib.compress(data, 9)


# fmt: off
ENCODED = [
    # the case, Content-Encoding, body → statuses
    ("gzip", "gzip", gzip.compress(FORM), (200,)),
    ("a bomb of gzip", "gzip", gzip.compress(FORM + b"a" * 50_000_000), (413,)),
    ("a bomb of deflate", "deflate", _deflated(FORM + b"a" * 50_000_000), (413,)),
    ("a bomb in a bomb", "gzip", gzip.compress(gzip.compress(FORM + b"a" * 50_000_000)), (401,)),
    ("two encodings", "gzip, gzip", gzip.compress(gzip.compress(FORM)), (400, 401)),
    ("what is not gzip", "gzip", FORM, (400,)),
    ("Brotli, which is not read", "br", b"\x8b\x03\x80" + b"a" * 100, (400, 413)),
    ("Zstandard, which is not read", "zstd", b"\x28\xb5\x2f\xfd" + b"a" * 100, (400, 413)),
    ("what nobody knows", "x-nobody", b"a" * 100, (400, 401)),
]
# fmt: on


@pytest.mark.parametrize(
    ("encoding", "body", "statuses"), [case[1:] for case in ENCODED], ids=[case[0] for case in ENCODED]
)
async def test_what_is_packed_is_bounded_or_refused(
    gateway: Inside, received: Callable[[], float], encoding: str, body: bytes, statuses: Sequence[int]
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": encoding}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.post(gateway.webhook(), data=body, headers=headers) as answer,
    ):
        assert answer.status in statuses
    assert received() == (1 if statuses == (200,) else 0)


@pytest.mark.parametrize("head", [HEAD, API_HEAD, CONSOLE_HEAD], ids=["a webhook", "an update", "a form"])
async def test_what_cannot_be_unpacked_is_a_bad_request(gateway: Inside, head: bytes) -> None:
    """Also where it comes after the headers, when the request is in somebody's hands already."""
    reader, writer = await connected(gateway)
    writer.write(head + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n")
    await asyncio.sleep(BOUND / 4)
    writer.write(b"not gzip!")
    said = await left(reader)
    writer.close()
    assert int(said.split()[1]) == 400


@pytest.mark.parametrize(
    "request_",
    [
        WHOLE,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        b"DELETE /webhooks/sms HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /webhooks/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET /api/v1/cases/1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/openapi.json HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET /ops HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ops/sign-in HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ops/static/none HTTP/1.1\r\nHost: x\r\n\r\n",
        b"no request at all\r\n\r\n",
        b"GET /webhooks/sms HTTP/1.1\r\nHost: x\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
    ],
    ids=lambda request_: request_[:40].decode(),
)
async def test_no_answer_tells_a_version(gateway: Inside, request_: bytes) -> None:
    reader, writer = await connected(gateway)
    writer.write(request_)
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    writer.close()
    names = [line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("server:")]
    assert names in ([], ["lapor"])
    assert not [word for word in ("python", "aiohttp", "x-powered-by") if word in head]
