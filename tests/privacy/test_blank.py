"""What is left of each document, and how an address is found however it is spelled."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Attachment, Location, Part, Receipt, SenderKind, Thread
from gateway.evidence import MEDIA_TYPE, KeptRequest
from gateway.privacy.blank import blank_case_event, blank_event, blank_letter, blank_update, payload
from gateway.privacy.spelled import Spelled
from normalizer.event import ComplaintEvent, EventChannel, EventSender, Privacy, Raw, decode, encode
from normalizer.messages import CaseChannel, CaseEvent, CaseSender, CaseUpdate, DeadLetter
from normalizer.messages import encode as encode_message
from tests.dispatcher.make import event

SECRET = "rahasia"
"""Stands in every field that tells of a person."""
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
FILE = Attachment(SECRET, "image/jpeg", 10, SECRET, SECRET, SECRET)
FULL = event(
    SECRET,
    channel=EventChannel("sms", "sms", SECRET, Thread(SECRET, (SECRET,), SECRET, public=True)),
    sender=EventSender(SECRET, SECRET, "phone", SECRET),
    recipient=SECRET,
    subject=SECRET,
    original=SECRET,
    quoted=SECRET,
    numbers=("4829137065",),
    region=SECRET,
    privacy=Privacy(anonymous=True),
    location=Location(1.0, 2.0, SECRET),
    attachments=(FILE,),
    part=Part(SECRET, 2, 3),
    receipt=Receipt("delivered", SECRET, SECRET, "8"),
    authentication={SECRET: SECRET},
    raw=Raw("text/plain", 7, SECRET.encode(), SECRET),
    language="id",
)


def test_an_event_keeps_its_id_kind_and_times_and_nothing_that_tells_of_a_person() -> None:
    document = encode(blank_event(FULL))
    assert SECRET.encode() not in document
    assert base64.b64encode(SECRET.encode()) not in document
    left = decode(document)
    assert (left.id, left.kind, left.received_at, left.channel.instance) == (
        FULL.id,
        "message",
        FULL.received_at,
        "sms",
    )
    assert (left.sender.kind, left.privacy.anonymous, left.part) == ("phone", True, Part("", 2, 3))


def test_every_field_of_an_event_was_given_above() -> None:
    defaults = {field.name for field in msgspec.structs.fields(ComplaintEvent) if not field.required}
    kept = {"kind", "sent_at", "intent", "new_case", "bad_numbers", "incomplete", "automated", "text"}
    given_above = {name for name in defaults - kept if getattr(FULL, name) == getattr(event(), name)}
    assert given_above == set(), "a field that may be personal is not tried"


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_blank_event_is_never_longer_than_it_was(words: str, name: str) -> None:
    one = event(words, sender=EventSender("k", "+6281234567890", "phone", name))
    assert len(encode(blank_event(one, key="k"))) <= len(encode(one))


@pytest.mark.parametrize(
    ("full", "blank"),
    [
        (
            CaseEvent(
                id="1",
                number="4829137065",
                change="opened",
                at=NOW,
                channel=CaseChannel("sms", "sms"),
                state="received",
                sender=CaseSender(SECRET, SECRET),
                subject=SECRET,
                text=SECRET,
                attachments=(FILE,),
                location=Location(1.0, 2.0, SECRET),
            ),
            blank_case_event,
        ),
        (CaseUpdate(id="1", number="4829137065", text=SECRET, at=NOW), blank_update),
        (DeadLetter(id="1", stage="intake", reason="x", detail=SECRET, at=NOW, raw=SECRET.encode()), blank_letter),
    ],
    ids=["case event", "case update", "dead letter"],
)
def test_what_else_is_on_the_log(full: Any, blank: Any) -> None:
    left = encode_message(blank(full))
    assert SECRET.encode() not in left
    assert base64.b64encode(SECRET.encode()) not in left
    assert msgspec.json.decode(left, type=type(full)).id == "1"


PHONE, MAIL, USER = "+6281234567890", "siti@example.org", "77001122"


@pytest.mark.parametrize(
    ("address", "kind", "data", "there"),
    [
        (PHONE, "phone", b"from=%2B6281234567890&text=x", True),
        (PHONE, "phone", b"from=+6281234567890", True),
        (PHONE, "phone", b"from=081234567890", True),
        (PHONE, "phone", b'{"msisdn": 6281234567890}', True),
        (PHONE, "phone", b"hubungi 0812-3456-7890", True),
        (PHONE, "phone", b"0062 812 3456 7890", True),
        (PHONE, "phone", b"from=081234567891", False),
        (PHONE, "phone", b"from=9981234567890", False),
        (PHONE, "phone", b"6281234567890123", False),
        ("+819012345678", "phone", b"to=819012345678", True),
        (MAIL, "email", b"From: Siti <SITI@Example.org>\r\n", True),
        (MAIL, "email", b"from=siti%40example.org", True),
        (MAIL, "email", b"Her address is siti@example.org.", True),
        (MAIL, "email", b"From: tisiti@example.org", False),
        (MAIL, "email", b"From: siti@example.org.uk", False),
        (USER, "user_id", b'{"from": {"id": 77001122}}', True),
        (USER, "user_id", b'{"from": {"id": 770011223}}', False),
        (USER, "user_id", b'{"chat": {"id": -77001122}}', True),
        ("170", "short_code", b"from=170", False),
        (PHONE, "phone", b"\xff\xfe081234567890\x00", True),
    ],
    ids=lambda value: value.decode("latin-1") if isinstance(value, bytes) else "",
)
def test_an_address_in_bytes_that_nobody_could_read(address: str, kind: SenderKind, data: bytes, there: bool) -> None:
    assert Spelled(address, kind).within(data) is there


def test_in_a_kept_request_query_and_body_are_looked_through() -> None:
    kept = KeptRequest("POST", "/webhooks/sms", b"from=081234567890", "text/plain", b"siti@example.org")
    read = payload(msgspec.json.encode(kept), MEDIA_TYPE)
    assert Spelled(PHONE, "phone").within(read)
    assert Spelled(MAIL, "email").within(read)
    assert payload(b"not JSON", MEDIA_TYPE) == b"not JSON"
