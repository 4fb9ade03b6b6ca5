"""The journal: enough to see what went on with a provider, and nothing that is anybody's."""

from __future__ import annotations

import json

import pytest

from channels.base import Request
from channels.forms import FORM
from gateway.health.journal import WELL_PER_BEAT, Journal, outline

PHONE, WORDS, SECRET = "+6281234567890", "jalan rusak di depan rumah saya", "s3cret-token"
BODY = {"from": {"id": 81234567890, "name": "Sari"}, "text": WORDS, "items": [{"phone": PHONE}, 2], "ok": True}


def request(**more: object) -> Request:
    made = Request(**{"method": "POST", "target": "/webhooks/sms", "query": {}, "headers": {}, **more})  # type: ignore[arg-type]
    made.verified = True
    return made


@pytest.mark.parametrize(
    "asked",
    [
        Request(method="GET", target="/", query={"from": PHONE, "text": WORDS, "token": SECRET}, headers={}),
        request(body=f"from={PHONE}&text={WORDS}&token={SECRET}".encode(), content_type=FORM),
        request(body=json.dumps(BODY).encode(), content_type="application/json"),
        request(body=PHONE.encode() + b"\xff", content_type=FORM),
        request(body=b"[" * 9000 + b"]" * 9000, content_type="application/json"),
    ],
    ids=["query", "form", "JSON", "broken form", "deep JSON"],
)
@pytest.mark.parametrize("verified", [True, False])
def test_an_outline_has_nothing_of_what_it_outlines(asked: Request, verified: bool) -> None:
    asked.verified = verified
    said = outline(asked)
    assert not [word for word in (PHONE, PHONE[1:], WORDS, "rusak", "Sari", "81234567890", SECRET) if word in said]
    assert len(said) <= 500


def test_an_outline_names_the_fields() -> None:
    said = outline(request(body=json.dumps(BODY).encode(), content_type="application/json"))
    assert "from: {id: number, name: text (4)}" in said
    assert "items: [{phone: text (14)}, … 2], ok: true" in said
    assert "from (14), text (31)" in outline(request(query={"from": PHONE, "text": WORDS}))


def test_who_proved_nothing_is_told_by_size_alone() -> None:
    asked = Request(method="POST", target="/", query={"a": "b"}, headers={}, body=b"12345")
    assert outline(asked) == "5 bytes"


def test_calls_that_went_well_are_bounded_and_crowd_out_no_fault() -> None:
    journal = Journal(limit=30)
    journal.note("sms", "out", "send", 500, 0.1, answer="http_500")
    for _ in range(1000):
        journal.note("sms", "out", "send", 200, 0.1)
    noted = journal.drain()
    assert [one.status for one in noted] == [500] + [200] * WELL_PER_BEAT
    assert journal.drain() == []
    assert journal.wants("sms", "out")


def test_faults_are_bounded_the_latest_stay() -> None:
    journal = Journal(limit=30)
    for status in range(400, 500):
        journal.note("sms", "in", "POST /webhooks/sms", status, 0.0)
    assert [one.status for one in journal.drain()] == list(range(470, 500))
