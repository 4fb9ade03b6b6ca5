"""The load generator counts rightly: what it reports is what the server saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import answer_size, load, percentile, render

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Server:
    """A small server that remembers the forms it got."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.answer: Callable[[int], web.Response] = lambda _: web.Response()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.forms.append({name: str(value) for name, value in form.items()})
        return self.answer(len(self.forms))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    application = web.Application()
    application.router.add_post("/webhooks/sms", server.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/sms"
    yield server
    await runner.cleanup()


async def test_every_request_is_sent_once_and_answered(server: Server) -> None:
    result = await load(server.url, connections=7, requests=100, warmup=20, token="t", run="r")
    assert result.answers == {"200": 120}
    assert (result.taken, result.refused) == (120, 0)
    assert len(server.forms) == 120
    assert len({form["id"] for form in server.forms}) == 120
    assert len({form["from"] for form in server.forms}) == 120
    assert server.forms[0].keys() == {"token", "from", "to", "text", "id", "ts", "charset"}


async def test_the_figures_are_of_the_measured_requests(server: Server) -> None:
    result = await load(server.url, connections=3, requests=50, warmup=500, token="t")
    assert result.requests == 50
    assert result.rate == pytest.approx(50 / result.seconds)
    assert 0 < result.p50 <= result.p99 <= result.p999 <= 1000 * result.seconds


async def test_answers_are_counted_by_status(server: Server) -> None:
    def answer(n: int) -> web.Response:
        return web.Response(status=503, text="not now") if n % 5 == 0 else web.Response()

    server.answer = answer
    result = await load(server.url, connections=4, requests=100)
    assert result.answers == {"200": 80, "503": 20}
    assert (result.taken, result.refused) == (80, 20)


async def test_a_connection_that_ends_is_counted_and_the_others_go_on(server: Server) -> None:
    def answer(n: int) -> web.Response:
        response = web.Response()
        if n == 10:
            response.force_close()
        return response

    server.answer = answer
    result = await load(server.url, connections=2, requests=50)
    assert result.answers == {"200": 49, "closed": 1}


async def test_an_answer_that_does_not_tell_its_end_is_counted_as_closed(server: Server) -> None:
    def answer(_: int) -> web.Response:
        response = web.Response(text="in chunks")
        response.enable_chunked_encoding()
        return response

    server.answer = answer
    result = await load(server.url, connections=3, requests=50)
    assert result.answers == {"closed": 3}


@pytest.mark.parametrize(
    ("url", "connections", "requests", "message"),
    [
        pytest.param("http://192.0.2.1/webhooks/sms", 1, 1, "this machine alone", id="an address elsewhere"),
        pytest.param("http://gateway.example.go.id/", 1, 1, "this machine alone", id="a name elsewhere"),
        pytest.param("http://127.0.0.1.example.go.id/", 1, 1, "this machine alone", id="a name like an address"),
        pytest.param("http://127.0.0.1/", 100_000, 1, "connections", id="too many connections"),
        pytest.param("http://127.0.0.1/", 1, 10**9, "requests", id="too many requests"),
    ],
)
async def test_it_is_bounded_and_for_this_machine_alone(
    url: str, connections: int, requests: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await load(url, connections=connections, requests=requests)


@pytest.mark.parametrize(
    ("fraction", "value"),
    [(0.0, 1), (0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)],
)
def test_percentiles_are_nearest_rank(fraction: float, value: float) -> None:
    assert percentile(range(1, 101), fraction) == value


@given(
    body=st.binary(max_size=50),
    following=st.binary(max_size=50),
    name=st.sampled_from(["Content-Length", "content-length"]),
)
def test_an_answer_ends_where_its_length_says(body: bytes, following: bytes, name: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\n%s: %d\r\nServer: x\r\n\r\n%s" % (name.encode(), len(body), body)
    assert answer_size(answer + following) == len(answer)
    assert all(answer_size(answer[:cut]) is None for cut in range(len(answer)))


def test_requests_of_another_run_have_other_ids() -> None:
    url = "http://127.0.0.1:1/webhooks/sms"
    first, second = render(url, "t", "one", 50), render(url, "t", "two", 50)
    assert Counter(first + second).most_common(1)[0][1] == 1
