"""A bounded HTTP/1.1 load generator for this machine alone, run as a process of its own.

It costs little for each request, so that the server under test is the bottleneck: requests are rendered before the
clock starts, a connection is a bare protocol, and of an answer it reads the status and where it ends. Each
connection sends its next request when the last one is answered (closed loop, keep-alive).

``python -m benchmarks.load URL --connections 64 --requests 20000`` prints one JSON document, a :class:`Result`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import ipaddress
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import msgspec
import uvloop

MAX_CONNECTIONS = 2048
MAX_REQUESTS = 2_000_000
TEXT = "Jalan rusak dan lampu jalan mati di depan SD Negeri 3, sudah dua bulan belum diperbaiki. Mohon bantuannya."

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+) *\r\n", re.IGNORECASE)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured. Latencies are milliseconds, from writing a request to its whole answer.

    ``answers`` counts every answer, also those of the warm-up, by status; ``closed`` counts requests whose
    connection ended without one. ``taken`` is how many of all were answered 200.
    """

    connections: int
    requests: int
    seconds: float
    rate: float
    p50: float
    p99: float
    p999: float
    answers: dict[str, int]

    @property
    def taken(self) -> int:
        """Requests answered 200."""
        return self.answers.get("200", 0)

    @property
    def refused(self) -> int:
        """Requests answered otherwise or not at all."""
        return sum(self.answers.values()) - self.taken


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The smallest value that at least ``fraction`` of the values do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def answer_size(data: bytes) -> int | None:
    """How many bytes the answer at the front of ``data`` has (RFC 9112), or ``None`` while it is not whole.

    Raises :class:`ValueError` for an answer whose end is not told by Content-Length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(data, 0, end + 2)
    if length is None:
        raise ValueError("an answer without Content-Length")
    size = end + 4 + int(length[1])
    return size if len(data) >= size else None


def render(url: str, token: str, run: str, count: int) -> list[bytes]:
    """``count`` requests with Kannel's fields as a form, each from a sender of its own and with an id of its own."""
    parts = urlsplit(url)
    sent_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    requests = []
    for n in range(count):
        body = urlencode(
            {
                "token": token,
                "from": f"+62812{n:08d}",
                "to": "1708",
                "text": f"{TEXT} {n:07d}",
                "id": f"{run}-{n:07d}",
                "ts": sent_at,
                "charset": "UTF-8",
            }
        ).encode()
        requests.append(
            b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (parts.path.encode(), parts.netloc.encode(), len(body), body)
        )
    return requests


class _Phase:
    """Requests that several connections share, and what became of them."""

    def __init__(self, requests: Iterator[bytes], connections: int) -> None:
        self.requests = requests
        self.latencies: list[float] = []
        self.answers: Counter[str] = Counter()
        self._busy = connections
        self._finished = asyncio.Event()

    def leave(self) -> None:
        self._busy -= 1
        if self._busy <= 0:
            self._finished.set()

    async def run(self, connections: Sequence[_Connection]) -> float:
        """Seconds from the first request to the last answer."""
        began = time.perf_counter()
        for connection in connections:
            connection.enter(self)
        await self._finished.wait()
        return time.perf_counter() - began


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._phase: _Phase | None = None
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def enter(self, phase: _Phase) -> None:
        self._phase = phase
        if self._transport.is_closing():
            self.connection_lost(None)
        else:
            self._next(phase)

    def _next(self, phase: _Phase) -> None:
        request = next(phase.requests, None)
        if request is None:
            self._phase = None
            phase.leave()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is None:
            return
        if self._buffer:
            data = self._buffer + data
        try:
            size = answer_size(data)
        except ValueError:
            self._transport.abort()
            return
        if size is None:
            self._buffer = data
            return
        self._buffer = data[size:]
        phase.latencies.append(time.perf_counter() - self._sent_at)
        phase.answers[data[9:12].decode("latin-1")] += 1
        self._next(phase)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        phase, self._phase = self._phase, None
        if phase is not None:
            phase.answers["closed"] += 1
            phase.leave()

    def close(self) -> None:
        self._transport.close()


async def load(
    url: str,
    *,
    connections: int,
    requests: int,
    warmup: int = 0,
    token: str = "",
    run: str = "load",
    timeout: float = 300.0,
) -> Result:
    """Send ``requests`` requests over ``connections`` connections, after ``warmup`` more that are not measured.

    Raises :class:`ValueError` for another host than this machine or a number out of bounds, :class:`OSError` where
    nothing listens, :class:`TimeoutError` after ``timeout`` seconds.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if not _is_loopback(host):
        raise ValueError(f"load is for this machine alone, not for {host!r}")
    if not 1 <= connections <= MAX_CONNECTIONS:
        raise ValueError(f"connections: from 1 to {MAX_CONNECTIONS}")
    if not 1 <= requests <= MAX_REQUESTS or not 0 <= warmup <= MAX_REQUESTS:
        raise ValueError(f"requests: from 1 to {MAX_REQUESTS}")
    rendered = iter(render(url, token, run, warmup + requests))
    loop = asyncio.get_running_loop()
    opened: list[_Connection] = []
    try:
        async with asyncio.timeout(timeout):
            for _ in range(connections):
                _, connection = await loop.create_connection(_Connection, host, port)
                opened.append(connection)
            first = _Phase(iter([request for _, request in zip(range(warmup), rendered, strict=False)]), connections)
            await first.run(opened)
            gc.collect()
            gc.disable()
            measured = _Phase(rendered, connections)
            seconds = await measured.run(opened)
    finally:
        gc.enable()
        for connection in opened:
            connection.close()
    ordered = sorted(measured.latencies) or [math.nan]
    return Result(
        connections=connections,
        requests=requests,
        seconds=seconds,
        rate=len(measured.latencies) / seconds,
        p50=1000 * percentile(ordered, 0.5),
        p99=1000 * percentile(ordered, 0.99),
        p999=1000 * percentile(ordered, 0.999),
        answers=dict(first.answers + measured.answers),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main() -> None:
    """Parse the command line, run, print the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.partition("\n\n")[0])
    parser.add_argument("url", help="the webhook, for example http://127.0.0.1:8080/webhooks/sms")
    parser.add_argument("--connections", type=int, default=64, help="kept open at once (default: 64)")
    parser.add_argument("--requests", type=int, default=20_000, help="measured requests (default: 20,000)")
    parser.add_argument("--warmup", type=int, default=0, help="requests before, not measured (default: 0)")
    parser.add_argument("--token", default="", help="the form field token")
    parser.add_argument("--run", default="load", help="goes in front of the message ids")
    arguments = parser.parse_args()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(load(**vars(arguments)))
    except (ValueError, OSError, TimeoutError) as error:
        sys.exit(f"load: {error or type(error).__name__}")
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main()
