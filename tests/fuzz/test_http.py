"""Every HTTP input under random bytes: never a 500, never a yes without an event, every refusal in the one form."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.channels.sms.accounts import SECRETS as SMS_SECRETS
from tests.channels.telegram.kit import SECRET as TELEGRAM_SECRET
from tests.channels.telegram.kit import TOKEN as TELEGRAM_TOKEN
from tests.channels.twitter.account import SECRETS as TWITTER_SECRETS
from tests.fuzz.doors import DOORS, URL, Account
from tests.fuzz.wire import BODIES, DEEP, HEADERS, METHODS, TYPES, Answer, Raw, ask, framing
from tests.nursery import Nursery
from tests.process import GatewayProcess

API_TOKEN = "the-agencies-token"
SECRETS = (*SMS_SECRETS, *TWITTER_SECRETS, TELEGRAM_SECRET, TELEGRAM_TOKEN, API_TOKEN)
TOPIC = "lapor.complaints.v1"
FORM_TYPE = (b"Content-Type", b"application/x-www-form-urlencoded")
PAGES = (b"/ops", b"/sandbox")
"""What people see: a refusal there is a page."""

fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""The same requests every time: what is found once is found again."""


class Target:
    """A gateway with every webhook there is; ``events`` counts what its log holds."""

    def __init__(self, process: GatewayProcess, log: Path) -> None:
        self.process = process
        self.port = process.port
        self._log = sqlite3.connect(f"file:{log}?mode=ro", uri=True)

    def events(self) -> int:
        """Complaint events on the log."""
        query = "SELECT ifnull(sum(count), 0) FROM batches WHERE topic = ?"
        count: int = self._log.execute(query, (TOPIC,)).fetchone()[0]
        return count

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def ask(self, raw: Raw) -> tuple[Answer, int]:
        """The answer, and how many events the request has made."""
        before = self.events()
        answer = ask(self.port, raw)
        assert self.process.running, "the gateway has ended"
        check_form(raw, answer)
        return answer, self.events() - before


def check_form(raw: Raw, answer: Answer) -> None:
    """What holds for every answer, to whatever request."""
    assert answer.status < 500 or answer.status == 503, (raw, answer)
    text = answer.body.decode("utf-8", "replace")
    assert not any(secret in text for secret in SECRETS)
    assert "Traceback" not in text
    if answer.status >= 400 and raw.method != b"HEAD" and not raw.target.startswith(PAGES):
        assert answer.headers.get("content-type", "").startswith("application/json"), (raw, answer)
        error = json.loads(answer.body)["error"]
        assert {"code", "message"} <= set(error), (raw, answer)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Target]:
    """One gateway for all examples."""
    folder = tmp_path_factory.mktemp("fuzz")
    tables: dict[str, dict[str, Any]] = {
        "server": {
            "port": 0,
            "public_url": URL,
            "request_timeout": 0.3,
            "shutdown_grace": 2,
            "refusals_per_minute": 0,
        },
        "log": {"path": str(folder / "log.db")},
        "store": {"url": f"sqlite+aiosqlite:///{folder}/gateway.db"},
        "blobs": {"path": str(folder / "blobs")},
        "api": {"tokens": [API_TOKEN]},
        **{f"channels.{door.name}": dict(door.table) for door in DOORS},
    }
    with asyncio.Runner() as runner:
        process = GatewayProcess(folder, tables, role="all", nursery=nursery)
        runner.run(process.start())
        found = Target(process, folder / "log.db")
        yield found
        found.close()
        runner.run(process.kill())


PATHS = [b"/webhooks/" + door.name.encode() + end for door in DOORS for end in (b"", b"/status")]
PATHS += [b"/webhooks/none", b"/webhooks/", b"/healthz", b"/readyz", b"/metrics", b"/ops", b"/ops/sign-in", b"/sandbox"]
PATHS += [
    b"/api/openapi.json",
    b"/api/v1/cases/1234567890",
    b"/api/v1/cases/%00/updates",
    b"/api/v1/cases/5724163898/updates",
]
QUERIES = st.one_of(
    st.sampled_from(
        [b"", b"?", b"?token=", b"?token=%FF&token=x", b"?crc_token=x", b"?a&a&a=" + b"b" * 5_000, b"?%zz=%"]
    ),
    st.binary(max_size=40).map(lambda b: b"?" + b.translate(None, b"\r\n\0 \t\x0b\x0c#")),
)


@fuzz
@given(
    method=METHODS, path=st.sampled_from(PATHS), query=QUERIES, headers=HEADERS, kind=TYPES, body=BODIES, data=st.data()
)
def test_a_stranger_gets_nowhere(
    target: Target,
    method: bytes,
    path: bytes,
    query: bytes,
    headers: tuple[Any, ...],
    kind: bytes,
    body: bytes,
    data: Any,
) -> None:
    """Anything at all without a proof: no webhook says yes to a message, and nothing comes onto the log."""
    more = ((b"Content-Type", kind), *headers)
    if data.draw(st.booleans(), label="framed"):
        frame, wire = data.draw(framing(body))
        raw = Raw(method, path + query, (*more, *frame), wire, framed=True)
    else:
        raw = Raw(method, path + query, more, body)
    answer, events = target.ask(raw)
    assert events == 0
    handshake = path == b"/webhooks/twitter" and method == b"GET" and b"crc_token" in query
    if path.startswith((b"/webhooks/", b"/api/v1/")) and not handshake:
        assert answer.status == 0 or answer.status >= 400, (raw, answer)


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        -1,
        10**40,
        1e308,
        "",
        "\0",
        "\ud800",
        "x" * 70_000,
        "١٢٣",
        "2026-13-45T99:99:99Z",
        [],
        {},
        [[]],
        [None],
    ]
)


def places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a document."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [at, *(place for key, value in inner for place in places(value, (*at, key)))]


@st.composite
def spoiled(draw: st.DrawFn, door: Account) -> Any:
    """What the provider sends, with some values replaced or taken away."""
    document = copy.deepcopy(draw(st.sampled_from(door.samples)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places(document)))
        if not place:
            continue
        inner = document
        for key in place[:-1]:
            inner = inner[key]
        if draw(st.booleans()):
            inner[place[-1]] = copy.deepcopy(draw(ODD))
        else:
            del inner[place[-1]]
    return document


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@fuzz
@given(data=st.data())
def test_a_yes_is_an_event(target: Target, door: Account, data: Any) -> None:
    """What is proven but spoiled is either an event, or refused and kept; never a yes for nothing."""
    document = data.draw(spoiled(door), label="document")
    body = data.draw(st.one_of(st.just(door.body(document)), BODIES), label="body")
    headers, query = door.proof(body)
    path = b"/webhooks/" + door.name.encode()
    raw = Raw(b"POST", path + query, ((b"Content-Type", door.kind), *headers), body)
    answer, events = target.ask(raw)
    if answer.status < 300:
        assert events >= 1 or nothing_to_record(door, body), (raw, answer)
    else:
        assert events == 0
        # A form that cannot be read proves nothing to a signature over its fields.
        assert answer.status in ((400, 401, 413) if door.name == "sms-twilio" else (400, 413)), (raw, answer)


def nothing_to_record(door: Account, body: bytes) -> bool:
    """The yes without an event: Infobip's batch of no messages, and what Telegram tells that is said to nobody here.

    A text in a private chat always is.
    """
    with contextlib.suppress(ValueError):
        document = json.loads(body)
        if door.name == "sms-infobip":
            return bool(document["results"] == [])
        if door.name == "telegram":
            message = document.get("message")
            if not isinstance(message, dict) or not isinstance(message.get("chat"), dict):
                return True
            return message["chat"].get("type") != "private" or not message.get("text")
    return False


@fuzz
@given(
    number=st.sampled_from(["5724163898", "1234567890", "x", "%FF", "12345%00"]),
    body=st.one_of(
        BODIES,
        st.dictionaries(st.sampled_from(["id", "at", "status", "text", "agency", "number"]), ODD).map(
            lambda fields: json.dumps(fields).encode()
        ),
    ),
    method=METHODS,
    updates=st.booleans(),
    kind=TYPES,
)
def test_the_api_with_a_token(
    target: Target, number: str, body: bytes, method: bytes, updates: bool, kind: bytes
) -> None:
    """There is no case: whatever an agency sends, it is refused in the one form."""
    path = f"/api/v1/cases/{number}" + ("/updates" if updates else "")
    headers = ((b"Authorization", f"Bearer {API_TOKEN}".encode()), (b"Content-Type", kind))
    answer, events = target.ask(Raw(method, path.encode(), headers, body))
    assert events == 0
    assert answer.status == 0 or 400 <= answer.status < 500, answer


EXTREMES = {
    "an expectation that is not UTF-8": Raw(b"GET", b"/webhooks/sms-kannel", ((b"Expect", b"\x80"),)),
    "an expectation of something else": Raw(b"GET", b"/api/v1/cases/5724163898", ((b"Expect", b"!"),)),
    "a header of 100 KB": Raw(b"GET", b"/healthz", ((b"X-Long", b"a" * 100_000),)),
    "ten thousand headers": Raw(b"GET", b"/healthz", tuple((b"X-%d" % n, b"1") for n in range(10_000))),
    "a line of 200 KB": Raw(b"GET", b"/webhooks/sms-kannel?text=" + b"a" * 200_000),
    "a NUL in a header": Raw(b"GET", b"/healthz", ((b"X-Nul", b"a\0b"),)),
    "a header without a name": Raw(b"GET", b"/webhooks/sms-kannel", ((b"", b"x"),)),
    "a method of bytes": Raw(b"\xff\xfe", b"/webhooks/sms-kannel"),
    "two lengths": Raw(
        b"POST", b"/webhooks/sms-kannel", ((b"Content-Length", b"3"), (b"Content-Length", b"5")), b"abcde", True
    ),
    "a length below zero": Raw(b"POST", b"/webhooks/sms-kannel", ((b"Content-Length", b"-1"),), b"abc", True),
    "a length of gigabytes": Raw(b"POST", b"/webhooks/telegram", ((b"Content-Length", b"9999999999"),), b"abc", True),
    "a target that is no path": Raw(b"GET", b"webhooks"),
    "a whole URL for a target": Raw(b"GET", b"http://[::1/webhooks/sms-kannel"),
    "JSON 100,000 deep, proven": Raw(
        b"POST", b"/webhooks/sms-infobip" + DOORS[2].proof(b"")[1], ((b"Content-Type", b"application/json"),), DEEP
    ),
    "an update 100,000 deep, proven": Raw(b"POST", b"/webhooks/telegram", DOORS[5].proof(b"")[0], DEEP),
}


@pytest.mark.parametrize("raw", EXTREMES.values(), ids=EXTREMES.keys())
def test_the_extremes(target: Target, raw: Raw) -> None:
    answer, events = target.ask(raw)
    assert events == 0
    assert answer.status == 0 or 400 <= answer.status < 500, answer


MISPLACED: dict[str, Callable[[bytes], Raw]] = {
    "query": lambda secret: Raw(b"POST", b"/webhooks/sms-kannel?t=" + secret, (FORM_TYPE,), b"text=x"),
    "query of a broken request": lambda secret: Raw(b"PO ST", b"/webhooks/sms-kannel?token=" + secret + b"%zz"),
    "path": lambda secret: Raw(b"GET", b"/webhooks/" + secret),
    "form": lambda secret: Raw(b"POST", b"/webhooks/sms-kannel", (FORM_TYPE,), b"text=x&token=" + secret),
    "JSON": lambda secret: Raw(b"POST", b"/webhooks/sms-vonage", (), b'{"token": "' + secret + b'"}'),
    "broken JSON": lambda secret: Raw(b"POST", b"/webhooks/telegram", (), b'{"text": "' + secret),
    "bearer": lambda secret: Raw(b"GET", b"/api/v1/cases/1", ((b"Authorization", b"Bearer x" + secret),)),
    "header": lambda secret: Raw(b"POST", b"/webhooks/telegram", ((b"X-Telegram-Bot-Api-Secret-Token", secret * 2),)),
    "name of a header": lambda secret: Raw(b"POST", b"/webhooks/telegram", ((secret.replace(b":", b""), b"x"),)),
    "broken header": lambda secret: Raw(b"POST", b"/webhooks/telegram", ((b"X Bad " + secret, secret + b"\0"),)),
    "cookie": lambda secret: Raw(b"GET", b"/ops", ((b"Cookie", b"session=" + secret),)),
}
"""Secrets where they prove nothing, by where they stand."""


@pytest.mark.parametrize("place", MISPLACED)
def test_a_misplaced_secret_is_refused_and_not_logged(target: Target, place: str) -> None:
    """Each is refused; that the gateway has logged a last refusal tells that it has logged those before."""
    for secret in SECRETS:
        answer, events = target.ask(MISPLACED[place](secret.encode()))
        assert events == 0
        assert answer.status == 0 or 300 <= answer.status < 500, answer
    before = target.process.log.count("intake.refused")
    assert ask(target.port, Raw(b"POST", b"/webhooks/sms-kannel", (FORM_TYPE,), b"text=x")).status == 401
    asyncio.run(_until(lambda: target.process.log.count("intake.refused") > before))
    assert [secret for secret in SECRETS if secret in target.process.log] == []


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not true():
            await asyncio.sleep(0.02)


def test_no_request_fails_unforeseen(target: Target) -> None:
    """After whatever else this worker has run."""
    assert "Error handling request" not in target.process.log


def test_no_part_of_the_gateway_fell_over(target: Target) -> None:
    """After whatever else this worker has run, and two heartbeats more."""
    # Whichever of aiohttp's two parsers reads it: one lets raw bytes into a path, one does not.
    for odd, statuses in ((b"%FF%FE", {401}), (b"\xff\xfe", {400, 401})):
        asked = Raw(b"POST", b"/webhooks/sms-kannel?token=" + odd + b"&%FF=1", (), b"x")
        assert ask(target.port, asked).status in statuses
    with contextlib.suppress(TimeoutError):
        asyncio.run(asyncio.wait_for(target.process.said("gateway.part_failed"), 3.0))
    assert "gateway.part_failed" not in target.process.log
