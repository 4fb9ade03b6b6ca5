"""CloudEvents 1.0 in Kafka's binary mode: what the headers hold, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from normalizer.cloudevents import Attributes, Message, NotCloudEventError, headers, read
from normalizer.messages import (
    CaseChannel,
    CaseEvent,
    CaseUpdate,
    DeadLetter,
    DeliveryEvent,
    decode_case_update,
    encode,
)
from tests.normalizer.make import NOW, normalizer, sms

SOURCE = "https://gateway.example.go.id"
N = "4829137065"
EVENT = normalizer().event(sms(), NOW)


def case(change: str) -> CaseEvent:
    channel = CaseChannel("sms", "sms-telkomsel")
    return CaseEvent(id="c1", number=N, change=change, at=NOW, channel=channel, state="received")  # type: ignore[arg-type]


def delivery(outcome: str) -> DeliveryEvent:
    return DeliveryEvent(id="d1", delivery="r1", number=N, channel="sms", outcome=outcome, attempt=1, at=NOW)  # type: ignore[arg-type]


def test_the_headers_of_a_complaint_event() -> None:
    assert headers(EVENT, SOURCE) == (
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
        ("ce_id", EVENT.id.encode()),
        ("ce_type", b"id.go.lapor.complaint.received.v1"),
        ("ce_source", b"https://gateway.example.go.id"),
        ("ce_time", b"2026-11-22T08:00:00Z"),
        ("ce_subject", b"sms-telkomsel"),
    )


@pytest.mark.parametrize(
    ("message", "kind", "subject"),
    [
        pytest.param(EVENT, "id.go.lapor.complaint.received.v1", "sms-telkomsel", id="complaint"),
        pytest.param(case("opened"), "id.go.lapor.case.opened.v1", N, id="case opened"),
        pytest.param(case("message_added"), "id.go.lapor.case.changed.v1", N, id="case changed"),
        pytest.param(CaseUpdate(id="u1", number=N, at=NOW), "id.go.lapor.case.update.v1", N, id="case update"),
        pytest.param(delivery("sent"), "id.go.lapor.delivery.sent.v1", N, id="sent"),
        pytest.param(delivery("delivered"), "id.go.lapor.delivery.delivered.v1", N, id="delivered"),
        pytest.param(delivery("failed"), "id.go.lapor.delivery.failed.v1", N, id="failed"),
        pytest.param(
            DeadLetter(id="l1", stage="decode", reason="undecodable", at=NOW),
            "id.go.lapor.deadletter.v1",
            "",
            id="dead letter",
        ),
    ],
)
def test_what_is_written_is_read_back(message: Message, kind: str, subject: str) -> None:
    assert read(headers(message, SOURCE)) == Attributes(message.id, kind, SOURCE, NOW, subject)


def test_no_header_holds_an_address() -> None:
    assert not any(b"81234567890" in value for _, value in headers(EVENT, SOURCE))


def test_an_event_needs_a_source() -> None:
    with pytest.raises(ValueError, match="source"):
        headers(EVENT, "")


GOOD = {
    "ce_specversion": b"1.0",
    "ce_id": b"u1",
    "ce_type": b"id.go.lapor.case.update.v1",
    "ce_source": b"//agency.example.go.id",
}


@pytest.mark.parametrize(
    ("more", "time"),
    [
        pytest.param({}, None, id="only what must be there"),
        pytest.param({"content-type": b"application/json; charset=utf-8"}, None, id="a parameter"),
        pytest.param({"content-type": b"application/cloudevents+json"}, None, id="a kind of JSON"),
        pytest.param({"ce_traceparent": b"\xff", "x-other": b"\xff"}, None, id="extensions and other headers"),
        pytest.param(
            {"ce_time": b"2026-11-22T15:00:00+07:00"},
            datetime(2026, 11, 22, 15, tzinfo=timezone(timedelta(hours=7))),
            id="another time zone",
        ),
        pytest.param({"ce_time": b"2026-11-22T08:00:00.5Z"}, NOW.replace(microsecond=500_000), id="a fraction"),
    ],
)
def test_headers_of_others(more: dict[str, bytes], time: datetime | None) -> None:
    found = read((GOOD | more).items())
    assert found == Attributes("u1", "id.go.lapor.case.update.v1", "//agency.example.go.id", time)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *[pytest.param({name: None}, name, id=f"no {name}") for name in GOOD],
        pytest.param({"ce_id": b""}, "ce_id", id="empty id"),
        pytest.param({"ce_id": b"\xff"}, "not UTF-8", id="not UTF-8"),
        pytest.param({"ce_specversion": b"0.3"}, "not 1.0", id="another version"),
        pytest.param({"ce_time": b"yesterday"}, "RFC 3339", id="no time"),
        pytest.param({"ce_time": b"2026-11-22T08:00:00"}, "offset", id="a time without an offset"),
        pytest.param({"content-type": b"application/avro"}, "not JSON", id="not JSON"),
    ],
)
def test_what_is_refused(wrong: dict[str, bytes | None], said: str) -> None:
    pairs = [(name, value) for name, value in (GOOD | wrong).items() if value is not None]
    with pytest.raises(NotCloudEventError, match=said):
        read(pairs)


def test_a_header_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(NotCloudEventError, match="twice"):
        read([*GOOD.items(), ("ce_id", b"u2")])


def test_an_agencys_update_is_read() -> None:
    document = b'{"id":"u1","number":"4829137065","status":"in_progress","at":"2026-11-22T15:00:00+07:00","new":1}'
    update = decode_case_update(document)
    assert (update.number, update.status, update.text) == (N, "in_progress", "")
    assert update.at == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert decode_case_update(encode(update)) == update


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param('{"number":"4829137065","at":"2026-11-22T08:00:00Z"}', "id", id="no id"),
        pytest.param('{"id":"","number":"4829137065","at":"2026-11-22T08:00:00Z"}', r"\$\.id", id="empty id"),
        pytest.param('{"id":"u1","number":"482","at":"2026-11-22T08:00:00Z"}', r"\$\.number", id="no number"),
        pytest.param('{"id":"u1","number":"4829137065","at":"2026-11-22T08:00:00"}', r"\$\.at", id="no offset"),
        pytest.param(
            '{"id":"u1","number":"4829137065","at":"2026-11-22T08:00:00Z","status":"done"}', "status", id="no state"
        ),
        pytest.param("{", "truncated", id="not JSON"),
    ],
)
def test_what_is_no_update(document: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode_case_update(document.encode())
