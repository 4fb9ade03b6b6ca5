"""The world of the six years: what its citizens write is what their book says, and the book tells what is missing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from benchmarks.books import balance
from benchmarks.world import wire
from benchmarks.world.__main__ import Block
from benchmarks.world.letters import JOINS, OPENS, SILENT, Citizens, Kind, Letter, Way
from benchmarks.world.providers import number_in
from benchmarks.years import sizes
from channels import registry
from channels.base import InboundMessage, Request
from channels.email.mail import Reading, read_mail
from channels.forms import parse_fields
from normalizer import tracking
from normalizer.normalize import Normalizer
from tests.channels.host import FakeHost

NUMBER = tracking.draw(1)[0]
INTENT: dict[Kind, set[str]] = {
    "complaint": {"complaint"},
    "another": {"complaint"},
    "repeat": {"complaint"},
    "follow_up": {"complaint", "follow_up"},
    "status": {"status"},
    "latest": {"status"},
    "help": {"help"},
    "thanks": {"empty"},
    "robot": {"complaint"},
}


def _letters(count: int) -> list[Letter]:
    """Letters of citizens who hear at once what is due to them."""
    citizens = Citizens()
    drawn = []
    for at in range(count):
        letter = citizens.draw(float(at))
        for _ in range(letter.answers):
            citizens.hear(letter.way, letter.who, NUMBER, "1950000000000000001", at + 0.5)
        drawn.append(letter)
    assert (citizens.waiting, citizens.unasked) == (0, 0)
    assert citizens.heard == citizens.due == sum(letter.answers for letter in drawn)
    return drawn


def _read(letter: Letter) -> InboundMessage:
    """The message that the gateway's own channel makes of a letter."""
    if letter.way == "email":
        return read_mail(wire.mail(letter), Reading(own_addresses=frozenset({wire.MAILBOX})))
    settings: dict[Way, dict[str, Any]] = {
        "sms": {"dialect": "kannel", "sender": "1708", "send_url": "http://x/", "username": "u", "password": "p"}
        | {"webhook_token": wire.TOKEN},
        "telegram": {"token": wire.BOT_TOKEN, "mode": "webhook", "webhook_secret": wire.SECRET},
        "twitter": {"mode": "webhook", "handle": wire.HANDLE, "user_id": wire.US, "bearer_token": wire.TOKEN}
        | {"consumer_secret": wire.SECRET},
    }
    spec = registry.spec(letter.way)
    channel = spec.make(
        letter.way, spec.settings.model_validate(settings[letter.way] | {"type": letter.way}), FakeHost()
    )
    request = _request(wire.call(letter, "127.0.0.1:1"))
    channel.verify(request)
    [message] = channel.parse(request)
    return message


def _request(raw: bytes) -> Request:
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    query = parse_fields(target.partition("?")[2]) if "?" in target else {}
    kind = headers.get("content-type", "")
    return Request(method=method, target=target, query=query, headers=headers, body=body, content_type=kind)


def test_the_gateway_reads_every_letter_as_it_was_meant() -> None:
    heard: Counter[tuple[Way, Kind]] = Counter()
    for letter in _letters(3_000):
        if heard[letter.way, letter.kind] >= 5:
            continue
        heard[letter.way, letter.kind] += 1
        message = _read(letter)
        made = Normalizer(letter.way, letter.way, secret=b"k", regions=("TANGKAB", "BANJARBARU"))
        event = made.event(message, datetime.now(UTC))
        assert event.intent in INTENT[letter.kind], letter
        assert event.new_case == (letter.kind == "another"), letter
        assert bool(event.automated) == (letter.kind == "robot"), letter
        assert event.numbers == ((NUMBER,) if letter.kind == "status" else ()), letter
        assert event.channel.message_id, letter
    assert len(heard) == 9 + 8 + 7 + 8, "each way has its kinds"


def test_the_same_seed_writes_the_same_letters() -> None:
    assert _letters(200) == _letters(200)


def test_an_answer_that_nobody_waits_for_is_told() -> None:
    citizens = Citizens()
    letter = citizens.draw(0.0)
    assert citizens.hear(letter.way, letter.who, NUMBER, "", 2.0) == 2.0
    assert citizens.hear(letter.way, letter.who, NUMBER, "", 3.0) is None
    assert (citizens.heard, citizens.unasked) == (1, 1)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        pytest.param("Laporan Anda bernomor 482 913 7065. Simpan.", "4829137065", id="in a sentence"),
        pytest.param("Subject: Re: Jalan [482\r\n 913 7065]", "4829137065", id="folded"),
        pytest.param("Hubungi 021 345 67890", "", id="another number"),
    ],
)
def test_a_citizen_finds_the_number(said: str, number: str) -> None:
    assert number_in(said) == number


BLOCK = Block(
    letters=10,
    seconds=1.0,
    cpu_seconds=0.1,
    refused=0,
    p50=1.0,
    p99=2.0,
    written={"sms complaint": 6, "sms follow_up": 2, "email help": 1, "sms robot": 1},
    due=9,
    heard=9,
    unasked=0,
    unheard=0,
)
NUMBERS = {"events": 10, "cases": 6, "on_cases": 8}
ROWS: dict[str, dict[str, int]] = {"dispositions": {}, "answers": {"sent": 9}, "stages": {}}


@pytest.mark.parametrize(
    ("block", "on_the_log", "numbers", "answers", "wrong"),
    [
        pytest.param({}, 10, {}, {"sent": 9}, "", id="balanced"),
        pytest.param({}, 9, {}, {"sent": 9}, "events on the log", id="one is not on the log"),
        pytest.param({}, 11, {}, {"sent": 9}, "events on the log", id="one is there twice"),
        pytest.param({}, 10, {"events": 9}, {"sent": 9}, "events in the store", id="one did not arrive"),
        pytest.param({}, 10, {"cases": 7, "on_cases": 9}, {"sent": 9}, "cases", id="a case too many"),
        pytest.param({}, 10, {"on_cases": 7}, {"sent": 9}, "joins", id="one joined nothing"),
        pytest.param({}, 10, {}, {"sent": 8, "waiting": 1}, "answers sent", id="one waits"),
        pytest.param({"heard": 8}, 10, {}, {"sent": 9}, "answers heard", id="one was not heard"),
        pytest.param({"unasked": 1}, 10, {}, {"sent": 9}, "nobody waits for", id="one was heard twice"),
    ],
)
def test_books_that_do_not_balance_say_where(
    block: dict[str, int], on_the_log: int, numbers: dict[str, int], answers: dict[str, int], wrong: str
) -> None:
    books = balance(
        msgspec.structs.replace(BLOCK, **block), 0, on_the_log, NUMBERS | numbers, ROWS | {"answers": answers}
    )
    assert [line for line in books.wrong if wrong in line] == books.wrong[:1] if wrong else books.wrong == []
    assert bool(books.wrong) == bool(wrong)


def test_what_was_handed_over_again_may_be_on_the_log_twice() -> None:
    assert balance(BLOCK, 2, 12, NUMBERS, ROWS).wrong == []
    assert balance(BLOCK, 2, 13, NUMBERS, ROWS).wrong != []


def test_every_kind_opens_joins_or_does_neither() -> None:
    assert not OPENS & JOINS
    assert not SILENT & (OPENS | JOINS)


def test_blocks_are_tenths() -> None:
    assert sizes(1_000_000) == [100_000] * 10
    assert sum(sizes(2_003)) == 2_003
