"""Bad input at the webhook: the status of the contract, a clear error, one masked log line, nothing lost."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.store.tables import cases, dead_letters
from tests.inside import KANNEL, TOKEN, Inside, running, settings

FORM = "application/x-www-form-urlencoded"
SIGNING_KEY = "signing-key"
GENERIC = {
    "type": "sms",
    "dialect": "generic",
    "sender": "1708",
    "send_url": "http://127.0.0.1:1/send",
    "signature_secret": SIGNING_KEY,
}


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Inside]:
    configured = settings(tmp_path, channels={"sms": KANNEL, "signed": GENERIC})
    async with running(configured, role="intake") as inside:
        yield inside


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


def form(**fields: str) -> bytes:
    return urlencode({"token": TOKEN, "from": "+6281234567890", "to": "1708", "text": "jalan rusak"} | fields).encode()


def raw(text: bytes) -> bytes:
    return form(text="") + text


# fmt: off
TAKEN = [
    # what, body, content type → text, intent
    ("a plain text", form(), "jalan rusak", "complaint"),
    ("an empty text", form(text=""), "", "empty"),
    ("no text at all", urlencode({"token": TOKEN, "from": "+6281234567890"}).encode(), "", "empty"),
    ("blanks and an emoji", form(text="  \U0001f600 "), "\U0001f600", "empty"),
    ("a NUL in the text", raw(b"jalan%00rusak"), "jalanrusak", "complaint"),
    ("broken UTF-8", raw(b"jalan%FFrusak"), "jalan\ufffdrusak", "complaint"),
    ("another charset, declared", raw(b"caf%E9+rusak&charset=ISO-8859-1"), "café rusak", "complaint"),
    ("a charset nobody knows", raw(b"jalan+rusak&charset=x-nobody"), "jalan rusak", "complaint"),
    ("unknown parameters", form(foo="1", bar="2"), "jalan rusak", "complaint"),
    ("a clock three days off", form(ts="2026-11-19 00:00:00"), "jalan rusak", "complaint"),
    ("a time that is none", form(ts="kemarin"), "jalan rusak", "complaint"),
    ("200 kB of text", form(text="a" * 200_000), "a" * 20_000, "complaint"),
]
REFUSED = [
    # what, body, content type → status, code
    ("an empty body", b"", FORM, 401, "bad_token"),
    ("a wrong token", form(token="wrong"), FORM, 401, "bad_token"),
    ("a token of odd characters", form(token="ş\u0000é"), FORM, 401, "bad_token"),
    ("no sender", urlencode({"token": TOKEN, "text": "x"}).encode(), FORM, 400, "no_sender"),
    ("an empty sender", form(**{"from": ""}), FORM, 400, "no_sender"),
    ("1 MB of text", form(text="a" * 1_000_000), FORM, 413, "too_large"),
]
# fmt: on


@pytest.mark.parametrize(("body", "text", "intent"), [t[1:] for t in TAKEN], ids=[t[0] for t in TAKEN])
async def test_what_is_odd_is_still_heard(
    intake: Inside, http: aiohttp.ClientSession, body: bytes, text: str, intent: str
) -> None:
    async with http.post(intake.webhook(), data=body, headers={"Content-Type": FORM}) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    (event,) = await intake.appended()
    assert (event.text, event.intent) == (text, intent)
    assert event.raw is not None
    assert TOKEN.encode() not in event.raw.data


@pytest.mark.parametrize(("body", "kind", "status", "code"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
async def test_what_is_wrong_is_told_so(
    intake: Inside, http: aiohttp.ClientSession, body: bytes, kind: str, status: int, code: str
) -> None:
    with capture_logs() as said:
        async with http.post(intake.webhook(), data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status == status
            error = (await answer.json())["error"]
    assert error["code"] == code
    assert error["message"]
    assert "Traceback" not in json.dumps(error)
    (line,) = said
    assert (line["event"], line["code"]) == ("intake.refused", code)
    assert TOKEN not in json.dumps(line)
    assert "+6281234567890" not in json.dumps(line)
    assert await intake.appended() == []


async def test_json_where_a_form_is_due(intake: Inside, http: aiohttp.ClientSession) -> None:
    headers = {"X-Webhook-Token": TOKEN}
    async with http.post(intake.webhook(), json={"from": "+6281234567890", "text": "x"}, headers=headers) as answer:
        assert answer.status == 400


async def test_a_verified_call_that_cannot_be_read_is_kept_without_its_secret(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with running(settings(tmp_path)) as whole:
        body = urlencode({"token": TOKEN, "text": "tanpa pengirim"}).encode()
        async with http.post(f"{whole.webhook()}?token={TOKEN}", data=body, headers={"Content-Type": FORM}) as answer:
            assert answer.status == 400
        (letter,) = await whole.until(lambda rows: len(rows) == 1, dead_letters)
    assert (letter.stage, letter.channel, letter.reason) == ("intake", "sms", "no_sender")
    assert TOKEN.encode() not in letter.raw


@pytest.mark.parametrize("how", ["query", "header", "form"])
async def test_the_token_may_come_three_ways(intake: Inside, http: aiohttp.ClientSession, how: str) -> None:
    fields = {"from": "+6281234567890", "text": "x"} | ({"token": TOKEN} if how == "form" else {})
    headers = {"X-Webhook-Token": TOKEN} if how == "header" else {}
    query = {"token": TOKEN} if how == "query" else {}
    async with http.post(intake.webhook(), data=fields, params=query, headers=headers) as answer:
        assert answer.status == 200


async def test_get_is_as_good_as_post(intake: Inside, http: aiohttp.ClientSession) -> None:
    query = {
        "token": TOKEN,
        "from": "08123456789",
        "to": "1708",
        "text": "lampu mati",
        "id": "k-1",
        "ts": "2026-11-22 04:00:00",
        "charset": "UTF-8",
    }
    async with http.get(intake.webhook(), params=query) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    (event,) = await intake.appended()
    assert event.sender.address == "+628123456789"
    assert event.channel.message_id == "k-1"
    assert event.sent_at is not None
    assert event.sent_at.isoformat() == "2026-11-22T04:00:00+00:00"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/webhooks/nobody", 404, "unknown_channel"),
        ("POST", "/webhooks/", 404, "unknown_channel"),
        ("DELETE", "/webhooks/sms", 405, "method_not_allowed"),
        ("GET", "/anything", 404, "not_found"),
    ],
)
async def test_paths_that_lead_nowhere(
    intake: Inside, http: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    async with http.request(method, intake.url + path) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code


def signed(body: bytes, at: float, key: str = SIGNING_KEY) -> dict[str, str]:
    stamp = str(int(at))
    digest = hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": digest}


@pytest.mark.parametrize(
    ("age", "key", "status"),
    [
        (0, SIGNING_KEY, 200),
        (240, SIGNING_KEY, 200),
        (600, SIGNING_KEY, 401),
        (-600, SIGNING_KEY, 401),
        (0, "another key", 401),
    ],
)
async def test_signatures_and_their_age(
    intake: Inside, http: aiohttp.ClientSession, age: float, key: str, status: int
) -> None:
    body = json.dumps({"id": "1", "from": "+6281234567890", "text": "halo, jalan rusak"}).encode()
    async with http.post(intake.webhook("signed"), data=body, headers=signed(body, time.time() - age, key)) as answer:
        assert answer.status == status


async def test_one_id_fifty_times_at_once_is_one_event(intake: Inside, http: aiohttp.ClientSession) -> None:
    async def send() -> int:
        async with http.post(intake.webhook(), data=form(id="same"), headers={"Content-Type": FORM}) as answer:
            return answer.status

    assert await asyncio.gather(*(send() for _ in range(50))) == [200] * 50
    assert len({event.id for event in await intake.appended()}) == 1


async def test_one_id_with_other_words_or_another_sender_is_another_event(
    intake: Inside, http: aiohttp.ClientSession
) -> None:
    for fields in ({"id": "7"}, {"id": "7", "text": "lain"}, {"id": "7", "from": "+6281300000000"}, {"id": "7"}):
        async with http.post(intake.webhook(), data=form(**fields), headers={"Content-Type": FORM}) as answer:
            assert answer.status == 200
    assert len({event.id for event in await intake.appended()}) == 3


async def test_without_an_id_the_same_words_are_two_events(intake: Inside, http: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with http.post(intake.webhook(), data=form(), headers={"Content-Type": FORM}) as answer:
            assert answer.status == 200
    assert len({event.id for event in await intake.appended()}) == 2


async def test_a_bomb_is_bounded_after_decompression(intake: Inside, http: aiohttp.ClientSession) -> None:
    body = gzip.compress(form(text="a" * 50_000_000))
    async with http.post(
        intake.webhook(), data=body, headers={"Content-Type": FORM, "Content-Encoding": "gzip"}
    ) as answer:
        assert answer.status == 413


async def test_a_log_that_cannot_write_is_a_503_never_a_false_yes(
    intake: Inside, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.eventlog.base import LogFull

    async def full(_records: Any) -> None:
        raise LogFull("no room left")

    monkeypatch.setattr(intake.gateway.log, "append", full)
    async with http.post(intake.webhook(), data=form(), headers={"Content-Type": FORM}) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"].isdigit()
        assert (await answer.json())["error"]["code"] == "unavailable"


HEADER = st.dictionaries(
    st.sampled_from(["X-Webhook-Token", "X-Timestamp", "X-Signature", "Content-Encoding", "X-Forwarded-For", "Accept"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
    max_size=4,
)


async def test_nothing_random_is_a_500_or_a_false_yes(intake: Inside, http: aiohttp.ClientSession) -> None:
    """Random bytes, content types and headers, with no valid proof among them."""
    paths = ["/webhooks/sms", "/webhooks/signed", "/webhooks/sms/status", "/webhooks/signed/status"]
    loop = asyncio.get_running_loop()

    async def call(path: str, body: bytes, kind: str, headers: dict[str, str]) -> int:
        try:
            async with http.post(intake.url + path, data=body, headers={"Content-Type": kind} | headers) as answer:
                return answer.status
        except aiohttp.ClientError:
            return 400  # the parser closed the connection

    @hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(paths),
        body=st.binary(max_size=2000)
        | st.text().map(str.encode)
        | st.builds(lambda t: form(token="no", text=t), st.text()),
        kind=st.sampled_from([FORM, "application/json", "text/plain", "multipart/form-data", "x/" + "y" * 50]),
        headers=HEADER,
    )
    def run(path: str, body: bytes, kind: str, headers: dict[str, str]) -> None:
        status = asyncio.run_coroutine_threadsafe(call(path, body, kind, headers), loop).result(20)
        assert 400 <= status < 500

    await asyncio.to_thread(run)


async def test_a_long_text_by_get_is_heard(intake: Inside, http: aiohttp.ClientSession) -> None:
    """A thousand letters of Javanese make a request line of 9 kB."""
    text = "ꦢꦭꦤ꧀" * 200
    query = {"token": TOKEN, "from": "+6281234567890", "text": text}
    async with http.get(intake.webhook(), params=query) as answer:
        assert answer.status == 200
    (event,) = await intake.appended()
    assert event.text == text


async def test_a_request_that_cannot_be_parsed_is_not_quoted_in_the_log(
    intake: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = intake.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /webhooks/sms?from=%2B6281234567890&text=" + b"rahasia" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    await writer.drain()
    assert b" 400 " in await reader.readline()
    writer.close()
    assert "could not be parsed" in caplog.text
    assert "rahasia" not in caplog.text
    assert "6281234567890" not in caplog.text


async def test_a_malformed_call_that_is_sent_again_is_one_dead_letter(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with running(settings(tmp_path)) as whole:
        said = set()
        for _ in range(3):
            async with http.post(whole.webhook(), data={"token": TOKEN, "text": "tanpa pengirim"}) as answer:
                assert answer.status == 400
                said.add((await answer.json())["error"]["dead_letter"])
        await whole.until(lambda rows: bool(rows), dead_letters)
        async with http.post(
            whole.webhook(), data={"token": TOKEN, "from": "+6281234567890", "text": "x y z"}
        ) as answer:
            assert answer.status == 200
        await whole.until(lambda rows: bool(rows), cases)
        (letter,) = await whole.rows(dead_letters)
    assert said == {letter.id}


async def spoken(inside: Inside, head: str, requests: int) -> bytes:
    """What the door answers to requests in one go, each with this head, until it closes or has answered all."""
    port = int(inside.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(requests):
        writer.write(
            head.format(path=f"/webhooks/sms?token={TOKEN}&from=%2B6281234567890&text=halo&id={number}").encode()
        )
    said = b""
    async with asyncio.timeout(10):
        while said.count(b"\r\n\r\n") < requests and (more := await reader.read(4096)):
            said += more
    writer.close()
    await writer.wait_closed()
    return said


@pytest.mark.parametrize(
    ("head", "answers", "closed"),
    [
        ("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n", 2, False),
        ("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 1, True),
        ("GET {path} HTTP/1.0\r\n\r\n", 1, True),
    ],
    ids=["1.1 kept", "1.1 closed", "1.0"],
)
async def test_the_yes_fits_the_connection(intake: Inside, head: str, answers: int, closed: bool) -> None:
    said = await spoken(intake, head, answers)
    assert said.count(b" 200 OK\r\n") == answers
    assert said.count(b"\r\nDate: ") == answers
    assert said.lower().count(b"\r\ncontent-length: 0\r\n") == answers
    assert (b"connection: close" in said.lower()) is (closed and b"HTTP/1.1" in said)
