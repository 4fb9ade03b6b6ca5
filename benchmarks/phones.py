"""Citizens' phones and the provider that hears the replies to them, in one process.

The messages go to the gateway's webhook as Kannel's smsbox posts them, each from a phone of its own and with words of
its own, so that each opens a case. The replies come in by Kannel's sendsms, which says yes to all. Both sides are bare
protocols on one clock, so that the gateway is what is measured; replies are read after the clock has stopped.

``python -m benchmarks.phones URL --provider 13013 --messages 20000`` prints one JSON document, a :class:`Result`. With
``--rate`` the messages come at that pace whatever the gateway does (open loop), and the time to a reply counts from
when its message was due; without it each connection sends its next message when the last one was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, MutableSequence, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote_plus, urlencode, urlsplit

import msgspec
import uvloop

from benchmarks.load import MAX_CONNECTIONS, MAX_REQUESTS, answer_size, percentile
from normalizer import tracking

COMPLAINTS = (
    "Jalan rusak parah di depan SD Negeri 3, sudah dua bulan belum diperbaiki. Mohon bantuannya.",
    "Lampu jalan mati total di Jl. Melati sejak minggu lalu, warga takut lewat kalau malam",
    "Yth. Bapak/Ibu, bantuan sosial untuk ibu saya belum cair sejak bulan Maret padahal namanya sudah terdaftar.",
    "sampah menumpuk di pasar induk, baunya sampai ke rumah warga. tolong segera diangkut",
    "Pungutan liar saat mengurus KTP di kantor kecamatan, diminta 50 ribu oleh petugas loket 2",
    "Air PDAM tidak mengalir sudah lima hari di perumahan kami, tagihan tetap datang. Kapan diperbaiki?",
    "Puskesmas tutup jam 10 pagi padahal jadwalnya sampai jam 2 siang, banyak pasien tidak terlayani",
    "Banjir setinggi lutut di kampung kami karena saluran tersumbat, belum ada petugas yang datang!",
    "Jembatan penghubung dua desa hampir roboh. Anak sekolah lewat setiap hari, mohon segera ditinjau",
    "Guru honorer di sekolah kami belum digaji tiga bulan, mohon perhatian dinas pendidikan",
    "The road to the clinic has been flooded for a week and the ambulance cannot pass, please send someone.",
    "Nyuwun tulung, dalan ing desa kula risak banget, sampun kathah ingkang dhawah",
)
"""What people write; the one in a dozen that is not in Indonesian is in English or Javanese."""

QUIET_SECONDS = 30.0
"""How long the phones wait for the next reply before they give the rest up for lost."""
LATE_SECONDS = 0.5
"""How long they listen after the last one, for a reply that comes twice."""
TICK_SECONDS = 0.002
YES = b"HTTP/1.1 202 Accepted\r\nContent-Type: text/html\r\nContent-Length: 24\r\n\r\n0: Accepted for delivery"

_TO = re.compile(rb"[?&]to=([^& ]*)")
_TEXT = re.compile(rb"[?&]text=([^& ]*)")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all messages. ``rate`` is replies a second from the first message to the last reply.

    The times are milliseconds from a message to the provider's yes to its reply. ``taken`` messages were answered 200;
    of these ``lost`` ones had no reply, ``doubled`` counts replies beyond the first, ``wrong`` those without a valid
    tracking number of their own.
    """

    messages: int
    taken: int
    answers: dict[str, int]
    seconds: float
    rate: float
    p50: float
    p99: float
    longest: float
    lost: int
    doubled: int
    wrong: int


def phone(n: int) -> str:
    """The phone of citizen ``n``, from 0 to 99,999,999."""
    return f"+62812{n:08d}"


def render(url: str, token: str, citizens: Iterable[int]) -> list[bytes]:
    """One request a citizen, with Kannel's fields as a form."""
    parts = urlsplit(url)
    sent_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    requests = []
    for n in citizens:
        fields = {
            "token": token,
            "from": phone(n),
            "to": "1708",
            "text": f"{COMPLAINTS[n % len(COMPLAINTS)]} RT {n % 97} RW {n // 97}",
            "id": f"phones-{n}",
            "ts": sent_at,
            "charset": "UTF-8",
        }
        body = urlencode(fields).encode()
        requests.append(
            b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (parts.path.encode(), parts.netloc.encode(), len(body), body)
        )
    return requests


class Provider(asyncio.Protocol):
    """One connection of the gateway to sendsms: every call is written down in ``heard`` with its time, and taken."""

    def __init__(self, heard: MutableSequence[tuple[float, bytes]]) -> None:
        self._heard = heard
        self._transport: asyncio.Transport
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Kept open for as long as the gateway likes."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take whole requests; a GET has no body."""
        data = self._buffer + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            self._heard.append((time.perf_counter(), data[: data.find(b"\r\n")]))
            self._transport.write(YES)
            data = data[end + 4 :]
        self._buffer = data


class Line(asyncio.Protocol):
    """One keep-alive connection to the webhook, with at most one message under way."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones
        self._transport: asyncio.Transport
        self._buffer = b""
        self._message: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is free."""
        self._transport = transport  # type: ignore[assignment]

    def send(self, message: int) -> None:
        """Send the message of this index."""
        self._message = message
        self._transport.write(self._phones.requests[message])

    def data_received(self, data: bytes) -> None:
        """An answer, or a piece of one."""
        self._buffer += data
        size = answer_size(self._buffer)
        if size is None or self._message is None:
            return
        status, self._buffer = self._buffer[9:12].decode("latin-1"), self._buffer[size:]
        message, self._message = self._message, None
        self._phones.answered(message, status, self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """A message under way was not answered."""
        if self._message is not None:
            message, self._message = self._message, None
            self._phones.answered(message, "closed", None)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Phones:
    """Sends every request once and remembers when it was due and what the gateway answered."""

    def __init__(self, requests: Sequence[bytes], rate: float | None) -> None:
        self.requests = requests
        self.due: list[float] = []
        self.answers: list[str] = [""] * len(requests)
        self._rate = rate
        self._free: deque[Line] = deque()
        self._next = 0
        self._left = len(requests)
        self.finished = asyncio.Event()

    def start(self, lines: Sequence[Line]) -> None:
        """Begin now."""
        self._began = time.perf_counter()
        self._free.extend(lines)
        if self._rate:
            self.due = [self._began + n / self._rate for n in range(len(self.requests))]
            self._tick()
        else:
            self._send()

    def answered(self, message: int, status: str, line: Line | None) -> None:
        """The gateway's answer to a message; ``line`` is free for the next."""
        self.answers[message] = status
        self._left -= 1
        if line is not None:
            self._free.append(line)
        if self._left == 0:
            self.finished.set()
        self._send()

    def _tick(self) -> None:
        self._send()
        if self._next < len(self.requests):
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _send(self) -> None:
        now = time.perf_counter()
        while self._free and self._next < len(self.requests):
            if not self._rate:
                self.due.append(now)
            elif self.due[self._next] > now:
                return
            self._free.popleft().send(self._next)
            self._next += 1


async def text_all(
    url: str, *, provider: int, messages: int, token: str, first: int, connections: int, rate: float | None
) -> Result:
    """Send ``messages`` messages of the citizens from ``first`` on, and wait for a reply to each that was taken.

    The provider listens on the port ``provider`` of the loopback. Raises :class:`ValueError` for a number out of
    bounds, :class:`OSError` where nothing listens at ``url``.
    """
    if not 1 <= messages <= MAX_REQUESTS or not 1 <= connections <= MAX_CONNECTIONS:
        raise ValueError(f"messages: from 1 to {MAX_REQUESTS}, connections: from 1 to {MAX_CONNECTIONS}")
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    loop = asyncio.get_running_loop()
    heard: list[tuple[float, bytes]] = []
    phones = Phones(render(url, token, range(first, first + messages)), rate)
    listening = await loop.create_server(lambda: Provider(heard), "127.0.0.1", provider)
    lines: list[Line] = []
    try:
        for _ in range(connections):
            _, line = await loop.create_connection(lambda: Line(phones), host, port)
            lines.append(line)
        gc.collect()
        gc.disable()
        phones.start(lines)
        await phones.finished.wait()
        await _replies(heard, phones.answers.count("200"))
    finally:
        gc.enable()
        for line in lines:
            line.close()
        listening.close()
    return balance(phones.due, phones.answers, heard, first)


async def take_all(provider: int) -> None:
    """Take every reply on this port of the loopback until cancelled; tells on standard output from when on."""
    heard: deque[tuple[float, bytes]] = deque(maxlen=1)
    listening = await asyncio.get_running_loop().create_server(lambda: Provider(heard), "127.0.0.1", provider)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await listening.serve_forever()


async def _replies(heard: Sequence[object], expected: int) -> None:
    """Wait until so many replies have come, or none comes any more."""
    seen, quiet = len(heard), 0.0
    while len(heard) < expected and quiet < QUIET_SECONDS:
        await asyncio.sleep(0.05)
        quiet = 0.0 if len(heard) > seen else quiet + 0.05
        seen = len(heard)
    await asyncio.sleep(LATE_SECONDS)


def balance(due: Sequence[float], answers: Sequence[str], heard: Sequence[tuple[float, bytes]], first: int) -> Result:
    """The books: every message that was taken has one reply, with a number that no other reply bears.

    ``due`` and ``answers`` are by message, ``first`` is the citizen of the first one; ``heard`` are request lines of
    sendsms with their times.
    """
    citizens = {phone(first + n): n for n in range(len(answers))}
    replied: dict[int, float] = {}
    numbers: set[str] = set()
    doubled = wrong = 0
    for at, line in heard:
        to, text = _TO.search(line), _TEXT.search(line)
        n = citizens.get(_field(to)) if to else None
        found = tracking.find(_field(text), meant=True).numbers if text else ()
        if n is None:
            wrong += 1
        elif n in replied:
            doubled += 1
        else:
            replied[n] = at
            wrong += not found or found[0] in numbers
            numbers.update(found[:1])
    times = sorted(1000 * (at - due[n]) for n, at in replied.items()) or [0.0]
    seconds = max((at for at, _ in heard), default=due[0]) - due[0]
    taken = [n for n, status in enumerate(answers) if status == "200"]
    return Result(
        messages=len(answers),
        taken=len(taken),
        answers=dict(Counter(answers)),
        seconds=seconds,
        rate=len(replied) / seconds if seconds else 0.0,
        p50=percentile(times, 0.5),
        p99=percentile(times, 0.99),
        longest=times[-1],
        lost=sum(1 for n in taken if n not in replied),
        doubled=doubled,
        wrong=wrong,
    )


def _field(found: re.Match[bytes]) -> str:
    return unquote_plus(found[1].decode("ascii"))


def main() -> None:
    """Parse the command line, run, print the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phones", description=__doc__.partition("\n\n")[0])
    parser.add_argument("url", nargs="?", help="the webhook; without it replies are taken and nothing is sent")
    parser.add_argument("--provider", type=int, required=True, help="port of the loopback to hear the replies on")
    parser.add_argument("--messages", type=int, default=20_000, help="(default: 20,000)")
    parser.add_argument("--connections", type=int, default=64, help="kept open at once (default: 64)")
    parser.add_argument("--rate", type=float, help="messages a second, whatever the gateway does")
    parser.add_argument("--first", type=int, default=0, help="the first citizen's number")
    parser.add_argument("--token", default="", help="the form field token")
    arguments = parser.parse_args()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if arguments.url is None:
                runner.run(take_all(arguments.provider))
            result = runner.run(text_all(**vars(arguments)))
    except (ValueError, OSError) as error:
        sys.exit(f"phones: {error}")
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main()
