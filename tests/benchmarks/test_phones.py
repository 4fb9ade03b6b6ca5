"""The phones count rightly: what they report is what the gateway did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from benchmarks import phones
from benchmarks.phones import COMPLAINTS, balance, phone, text_all
from benchmarks.reply import Round, figures
from benchmarks.servers import free_port
from normalizer import tracking

NUMBERS = tracking.draw(200)
Replies = Callable[[int], list[str]]


def sendsms(n: int, text: str) -> bytes:
    return f"GET /cgi-bin/sendsms?{urlencode({'from': '1708', 'to': phone(n), 'text': text})} HTTP/1.1".encode()


def told(n: int) -> str:
    return f"Laporan Anda diterima dengan nomor {tracking.shown(NUMBERS[n])}. Balas pesan ini untuk menambah."


@pytest.mark.parametrize(
    ("heard", "answers", "lost", "doubled", "wrong"),
    [
        pytest.param([(0, told(0)), (1, told(1))], ["200", "200"], 0, 0, 0, id="one each"),
        pytest.param([(0, told(0))], ["200", "200"], 1, 0, 0, id="one lost"),
        pytest.param([(0, told(0))], ["200", "503"], 0, 0, 0, id="what was refused needs no reply"),
        pytest.param([(0, told(0)), (1, told(1)), (1, told(1))], ["200", "200"], 0, 1, 0, id="one doubled"),
        pytest.param([(0, told(0)), (1, told(0))], ["200", "200"], 0, 0, 1, id="one number for two"),
        pytest.param([(0, told(0)), (1, "Terima kasih.")], ["200", "200"], 0, 0, 1, id="no number"),
        pytest.param([(0, told(0)), (1, "Nomor 1234567890.")], ["200", "200"], 0, 0, 1, id="no valid number"),
        pytest.param([(0, told(0)), (1, told(1)), (7, told(7))], ["200", "200"], 0, 0, 1, id="to nobody who wrote"),
    ],
)
def test_the_books(heard: list[tuple[int, str]], answers: list[str], lost: int, doubled: int, wrong: int) -> None:
    lines = [(1.0 + n, sendsms(n, text)) for n, text in heard]
    result = balance([0.5] * len(answers), answers, lines, 0)
    assert (result.lost, result.doubled, result.wrong) == (lost, doubled, wrong)


def test_the_times_are_from_due_to_heard() -> None:
    result = balance([1.0, 2.0], ["200", "200"], [(1.5, sendsms(8, told(0))), (2.1, sendsms(9, told(1)))], 8)
    assert (result.p50, result.p99, result.longest) == pytest.approx((100, 500, 500))
    assert (result.seconds, result.rate) == pytest.approx((1.1, 2 / 1.1))


class Gateway:
    """A small gateway that answers 200, then sends what ``replies`` gives for a citizen."""

    def __init__(self) -> None:
        self.provider = free_port()
        self.texts: list[str] = []
        self.replies: Replies = lambda n: [told(n)]
        self.url = ""

    async def take(self, http: web.Request) -> web.Response:
        form = await http.post()
        n = int(str(form["from"]).removeprefix("+62812"))
        self.texts.append(str(form["text"]))
        async with aiohttp.ClientSession() as session:
            for text in self.replies(n):
                query = {"to": str(form["from"]), "text": text}
                async with session.get(f"http://127.0.0.1:{self.provider}/cgi-bin/sendsms", params=query) as answer:
                    assert (answer.status, await answer.text()) == (202, "0: Accepted for delivery")
        return web.Response()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    application = web.Application()
    application.router.add_post("/webhooks/sms", gateway.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/sms"
    yield gateway
    await runner.cleanup()


async def text(gateway: Gateway, messages: int, rate: float | None = None) -> phones.Result:
    return await text_all(
        gateway.url, provider=gateway.provider, messages=messages, token="t", first=100, connections=5, rate=rate
    )


@pytest.mark.parametrize("rate", [None, 1000.0], ids=["as fast as it goes", "at a pace"])
async def test_every_citizen_writes_once_and_hears_one_reply(
    gateway: Gateway, rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "LATE_SECONDS", 0.0)
    result = await text(gateway, 50, rate)
    assert (result.taken, result.answers) == (50, {"200": 50})
    assert (result.lost, result.doubled, result.wrong) == (0, 0, 0)
    assert 0 < result.p50 <= result.p99 <= result.longest
    assert len(set(gateway.texts)) == 50


async def test_what_the_gateway_does_wrong_is_found(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(phones, "QUIET_SECONDS", 0.0)
    gateway.replies = lambda n: {100: [], 101: [told(101)] * 2, 102: ["?"]}.get(n, [told(n)])
    result = await text(gateway, 10)
    assert (result.taken, result.lost, result.doubled, result.wrong) == (10, 1, 1, 1)


def test_citizens_say_different_things() -> None:
    calls = phones.render("http://127.0.0.1:1/webhooks/sms", "t", range(len(COMPLAINTS) * 2))
    assert len({call.partition(b"\r\n\r\n")[2] for call in calls}) == len(calls)


def test_figures_are_medians_and_what_is_lost_adds_up() -> None:
    def load(rate: float, lost: int = 0) -> phones.Result:
        return phones.Result(
            messages=100,
            taken=100,
            answers={"200": 100},
            seconds=100 / rate,
            rate=rate,
            p50=1000 / rate,
            p99=2000 / rate,
            longest=1.0,
            lost=lost,
            doubled=0,
            wrong=0,
        )

    rates = [(1000.0, 100.0), (2000.0, 500.0), (1000.0, 300.0)]
    rounds = [Round("embedded", bare, load(rate), load(rate / 2, lost=1), {"all": rate}) for bare, rate in rates]
    found = figures(rounds, 0.25)
    assert (found.rate, found.of_bare, found.half_rate) == pytest.approx((300, 0.25, 150))
    assert (found.lost, found.cpu_us) == (3, {"all": 300})
