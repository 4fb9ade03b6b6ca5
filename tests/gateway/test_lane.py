"""The short way of whole calls: which calls take it, and that nothing about them is otherwise than on the usual one."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from gateway.connections import Runner
from gateway.intake.recorder import Recorder
from gateway.lane import Answered, Call
from normalizer.messages import DeadLetter
from tests.inside import PATIENCE, TOKEN, Inside, running, settings

PATH = "/webhooks/sms"
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort"
HEAD = b"POST /webhooks/sms HTTP/1.1\r\nHost: x\r\n"
PLAIN = HEAD + b"Content-Length: 3\r\n\r\na=1"


class Server:
    """A port whose application says ``usual``, and whose lane says ``short``, at once or when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, bytes]] = []
        self.held: list[Answered] | None = None
        self.takes = True
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._usual)
        self.runner = Runner(
            app, max_connections=10, request_timeout=5.0, shutdown_timeout=5.0, lanes={PATH: self._take}
        )

    async def _usual(self, request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(text=f"usual {len(body)}")

    def _take(self, call: Call, answered: Answered) -> bool:
        if not self.takes:
            return False
        self.calls.append((call.method, call.raw_path, call.content_type, call.body()))
        if self.held is not None:
            self.held.append(answered)
        else:
            asyncio.get_running_loop().call_soon(answered, YES)
        return True

    async def __aenter__(self) -> Self:
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self.runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()

    async def holds(self, count: int) -> Sequence[Answered]:
        """Wait until so many calls wait for their answer."""
        assert self.held is not None
        async with asyncio.timeout(PATIENCE):
            while len(self.held) < count:
                await asyncio.sleep(0)
        return self.held


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length
    return head, await reader.readexactly(int(length[1]))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        pytest.param(PLAIN, b"short", id="whole"),
        pytest.param(HEAD + b"Content-Length: 0\r\n\r\n", b"short", id="without-a-body"),
        pytest.param(PLAIN.replace(b"/sms ", b"/sms?b=2 "), b"short", id="with-a-query"),
        pytest.param(b"GET /webhooks/sms?a=1 HTTP/1.1\r\nHost: x\r\n\r\n", b"short", id="a-GET"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n", b"short", id="whole-in-chunks"),
        pytest.param(PLAIN.replace(b"/sms ", b"/wa "), b"usual 3", id="another-path"),
        pytest.param(PLAIN.replace(b"/sms ", b"/%73ms "), b"usual 3", id="the-path-in-other-letters"),
        pytest.param(PLAIN.replace(b"POST", b"PUT"), b"usual 3", id="another-method"),
        pytest.param(PLAIN.replace(b"1.1", b"1.0"), b"usual 3", id="an-older-version"),
        pytest.param(PLAIN.replace(b"Host: x", b"Host: x\r\nConnection: close"), b"usual 3", id="the-last-one"),
        pytest.param(
            HEAD
            + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b"a=1"))
            + gzip.compress(b"a=1"),
            b"usual 3",
            id="packed",
        ),
        pytest.param(PLAIN.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"), b"usual 3", id="who-asks-first"),
    ],
)
async def test_way_of_a_call(request_: bytes, said: bytes) -> None:
    async with Server() as server, connected(server.port) as (reader, writer):
        writer.write(request_)
        found = b""
        while said not in found:
            found += await reader.read(1000)
        assert (len(server.calls) == 1) == (said == b"short")


async def test_a_call_that_comes_in_pieces_takes_the_usual_way() -> None:
    async with Server() as server, connected(server.port) as (reader, writer):
        writer.write(PLAIN[:-1])
        await writer.drain()
        while not server.runner.server or not server.runner.server.connections[0]._current_request:
            await asyncio.sleep(0)
        writer.write(PLAIN[-1:])
        assert (await answer(reader))[1] == b"usual 3"


async def test_what_the_taker_refuses_takes_the_usual_way_with_its_body() -> None:
    async with Server() as server, connected(server.port) as (reader, writer):
        server.takes = False
        writer.write(PLAIN)
        assert (await answer(reader))[1] == b"usual 3"


async def test_calls_in_one_packet_are_answered_in_their_order() -> None:
    async with Server() as server, connected(server.port) as (reader, writer):
        server.held = []
        other = PLAIN.replace(b"/sms", b"/wa")
        writer.write(PLAIN + PLAIN.replace(b"a=1", b"a=2") + other + PLAIN)
        (first,) = await server.holds(1)
        assert len(server.calls) == 1
        first(YES)
        (await server.holds(2))[1](YES)
        # Once the framework's task is awake, it goes on with what has piled up.
        assert [(await answer(reader))[1] for _ in range(4)] == [b"short", b"short", b"usual 3", b"usual 3"]
        assert [body for *_, body in server.calls] == [b"a=1", b"a=2"]


async def test_a_call_that_comes_while_another_is_under_way_waits() -> None:
    async with Server() as server, connected(server.port) as (reader, writer):
        server.held = []
        writer.write(PLAIN)
        (first,) = await server.holds(1)
        writer.write(PLAIN.replace(b"/sms", b"/wa"))
        await writer.drain()
        first(YES)
        assert [(await answer(reader))[1] for _ in range(2)] == [b"short", b"usual 3"]


async def test_an_answer_to_who_has_hung_up_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    async with Server() as server:
        server.held = []
        async with connected(server.port) as (_, writer):
            writer.write(PLAIN)
            (answered,) = await server.holds(1)
        manager = server.runner.server
        assert manager is not None
        async with asyncio.timeout(PATIENCE):
            while manager.connections:
                await asyncio.sleep(0)
        answered(YES)
    assert not caplog.records


async def test_the_end_of_the_program_waits_for_the_answer() -> None:
    async with Server() as server, connected(server.port) as (reader, writer):
        server.held = []
        writer.write(PLAIN)
        (answered,) = await server.holds(1)
        ending = asyncio.ensure_future(server.runner.cleanup())
        done, _ = await asyncio.wait([ending], timeout=0.1)
        assert not done
        answered(YES)
        assert await reader.read() == YES
        await ending


FORM = {"token": TOKEN, "from": "+6281234567890", "text": "jalan rusak", "id": "1"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param(FORM, 200, id="well"),
        pytest.param({**FORM, "token": "wrong"}, 401, id="unproven"),
        pytest.param({**FORM, "from": ""}, 400, id="malformed"),
        pytest.param({**FORM, "text": "x" * 300_000}, 413, id="too-large"),
    ],
)
async def test_both_ways_say_the_same(fields: dict[str, str], status: int, tmp_path: Path) -> None:
    body = urlencode(fields).encode()
    head = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with running(settings(tmp_path), role="intake") as inside:
        short, usual = [await _said(inside, [head + body]), await _said(inside, [head, body])]
    assert short[0] == usual[0] == status
    assert short[2] == usual[2]
    # The yes is as short as it can be.
    assert status == 200 or short[1] == usual[1]


async def test_what_fails_while_it_is_refused_is_answered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_recorder: Recorder, _letter: DeadLetter) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Recorder, "letter", broken)
    body = urlencode({**FORM, "from": ""}).encode()
    head = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with running(settings(tmp_path), role="intake") as inside:
        status, _, said = await _said(inside, [head + body])
        async with aiohttp.ClientSession() as http, http.get(f"{inside.url}/metrics") as shown:
            metrics = await shown.text()
    assert (status, b'"internal"' in said) == (500, True)
    assert 'lapor_gateway_requests_refused_total{channel="sms",code="internal"} 1.0' in metrics


async def _said(inside: Inside, pieces: Sequence[bytes]) -> tuple[int, list[bytes], bytes]:
    """Status, names of headers and body of the answer; the id of a dead letter, another for each, left out."""
    async with connected(int(inside.url.rpartition(":")[2])) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        head, body = await answer(reader)
    names = sorted(line.partition(b":")[0] for line in head.split(b"\r\n")[1:] if line)
    return int(head.split()[1]), names, re.sub(rb'"dead_letter": "\w+"', b"", body)
