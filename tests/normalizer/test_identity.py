"""Ids are the same in every process, for ever; each ingredient makes another."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Attachment, InboundMessage, Location, Part, Receipt, Sender, Thread
from normalizer.identity import event_id, fingerprint, joined_id, sender_key

EDITED = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CONTENT = "c" * 32
INGREDIENTS: dict[str, Any] = {
    "instance": "sms-telkomsel",
    "sender": "+6281234567890",
    "provider_id": "0d3cf9e2",
    "kind": "message",
    "edited_at": EDITED,
    "content": CONTENT,
}
GOLDEN_EVENT = "99723e6970676b004e816b7d754eccc2"
GOLDEN_SENDER = "0caf7d6882b053ca96aaefe6902bf7ab"
GOLDEN_CONTENT = "12ce179f0b16e4b94d00152fbb42627e"


def message(**fields: Any) -> InboundMessage:
    return InboundMessage(sender=Sender("+6281234567890", "phone"), **({"text": "jalan rusak"} | fields))


def test_golden_values() -> None:
    """A change of these makes every message that is redelivered after an upgrade look new."""
    assert event_id(**INGREDIENTS) == GOLDEN_EVENT
    assert sender_key(b"secret", "sms", "+6281234567890") == GOLDEN_SENDER
    assert fingerprint(message(subject="Lampu", part=Part("7", 1, 2))) == GOLDEN_CONTENT
    # Whatever a JSON writer may choose to escape must stay as it is, too.
    assert fingerprint(message(text='é\x00\x1f"\\/\u2028\U0001f600')) == "cd13186f556478e64f400ed162738e5a"
    assert fingerprint(message(text='é\x00\x1f"\\/\u2028\U0001f600\udcff')) == "d6321da54a402ee83afca841e8b485f1"
    assert fingerprint(message(receipt=Receipt("failed", "d1", "p1", "16"))) == "93778162779cb3f41168c2a6c6e67038"
    photo, voice = Attachment("a.jpg", "image/jpeg", sha256="ab"), Attachment("b.ogg", "audio/ogg", reference="r2")
    assert (
        fingerprint(message(location=Location(-6.2, 106.8, "Monas"), attachments=(photo, voice)))
        == "dad6f6f6b0e7f81a664c574666dbc480"
    )
    assert (
        joined_id(instance="sms", sender="+6281234567890", ref="7", first=GOLDEN_EVENT)
        == "a811a2d49eb77e911414f7332a795c3e"
    )


def test_another_process_computes_the_same_id() -> None:
    code = (
        "from datetime import UTC, datetime\n"
        "from normalizer.identity import event_id\n"
        "print(event_id(instance='sms-telkomsel', sender='+6281234567890', provider_id='0d3cf9e2', kind='message',"
        f" edited_at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC), content={CONTENT!r}))"
    )
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert ids == {GOLDEN_EVENT}


@pytest.mark.parametrize(
    ("ingredient", "value"),
    [
        ("instance", "sms-indosat"),
        ("sender", "+6281234567891"),
        ("provider_id", "0d3cf9e3"),
        ("kind", "edit"),
        ("edited_at", EDITED + timedelta(microseconds=1)),
        ("edited_at", None),
        ("content", "d" * 32),
    ],
)
def test_each_ingredient_makes_another_id(ingredient: str, value: Any) -> None:
    assert event_id(**(INGREDIENTS | {ingredient: value})) != GOLDEN_EVENT


def test_the_moment_of_an_edit_counts_not_its_time_zone() -> None:
    jakarta = EDITED.astimezone(timezone(timedelta(hours=7)))
    assert event_id(**(INGREDIENTS | {"edited_at": jakarta})) == GOLDEN_EVENT
    assert event_id(**(INGREDIENTS | {"edited_at": EDITED.replace(tzinfo=None)})) == GOLDEN_EVENT


@pytest.mark.parametrize("provider_id", [None, ""])
def test_without_a_providers_id_every_message_is_new(provider_id: str | None) -> None:
    ids = {event_id(**(INGREDIENTS | {"provider_id": provider_id})) for _ in range(100)}
    assert len(ids) == 100
    assert {len(identifier) for identifier in ids} == {32}


@given(st.lists(st.text(max_size=6), min_size=3, max_size=3), st.lists(st.text(max_size=6), min_size=3, max_size=3))
def test_fields_cannot_run_into_each_other(one: list[str], other: list[str]) -> None:
    def identify(fields: list[str]) -> str:
        instance, sender, provider_id = fields
        return event_id(
            instance=instance, sender=sender, provider_id=provider_id + "x", kind="message", content=CONTENT
        )

    assert (identify(one) == identify(other)) == (one == other)


def test_a_joined_message_has_the_id_of_its_set() -> None:
    one = joined_id(instance="sms", sender="+62811", ref="7", first="a")
    assert one == joined_id(instance="sms", sender="+62811", ref="7", first="a")
    others = {
        joined_id(instance="sms2", sender="+62811", ref="7", first="a"),
        joined_id(instance="sms", sender="+62812", ref="7", first="a"),
        joined_id(instance="sms", sender="+62811", ref="8", first="a"),
        joined_id(instance="sms", sender="+62811", ref="7", first="b"),
    }
    assert len(others | {one}) == 5


def test_a_sender_is_type_and_address_under_a_secret() -> None:
    keys = {
        sender_key(b"secret", "sms", "+6281234567890"),
        sender_key(b"another", "sms", "+6281234567890"),
        sender_key(b"secret", "whatsapp", "+6281234567890"),
        sender_key(b"secret", "sms", "+6281234567891"),
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"text": "jalan rusak."}, id="text"),
        pytest.param({"subject": "jalan"}, id="subject"),
        pytest.param({"part": Part("7", 1, 2)}, id="part"),
        pytest.param({"part": Part("7", 2, 2)}, id="index of the part"),
        pytest.param({"receipt": Receipt("delivered", "d1")}, id="receipt"),
        pytest.param({"receipt": Receipt("failed", "d1")}, id="outcome"),
        pytest.param({"receipt": Receipt("failed", "d1", code="16")}, id="code"),
        pytest.param({"location": Location(-6.2, 106.8)}, id="place"),
        pytest.param({"attachments": (Attachment("a.jpg", "image/jpeg", reference="r1"),)}, id="file"),
        pytest.param({"attachments": (Attachment("a.jpg", "image/jpeg", reference="r2"),)}, id="another file"),
        pytest.param({"text": "jalan rusak\udce9"}, id="a byte that was no UTF-8"),
    ],
)
def test_the_fingerprint_is_of_the_content(other: dict[str, Any]) -> None:
    base = fingerprint(message())
    assert fingerprint(message(**other)) != base
    assert fingerprint(message(**other)) == fingerprint(message(**other))


@pytest.mark.parametrize(
    "transport",
    [
        pytest.param({"sent_at": EDITED}, id="time"),
        pytest.param({"raw": b"from=%2B62", "raw_type": "text/plain"}, id="payload"),
        pytest.param({"recipient": "1708"}, id="recipient"),
        pytest.param({"thread": Thread(conversation="c")}, id="thread"),
        pytest.param({"automated": "bounce"}, id="reason for a robot"),
    ],
)
def test_the_fingerprint_is_not_of_the_transport(transport: dict[str, Any]) -> None:
    assert fingerprint(message(**transport)) == fingerprint(message())


def test_every_field_of_a_message_is_content_or_transport() -> None:
    """A new field must be put on one side."""
    content = {"subject", "text", "part", "receipt", "location", "attachments"}
    of_the_id = {"kind", "sender", "provider_id", "edited_at"}
    transport = {"recipient", "sent_at", "quoted", "thread", "automated", "authentication", "raw", "raw_type"}
    assert set(msgspec.structs.asdict(message())) == content | of_the_id | transport
