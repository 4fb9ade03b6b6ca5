"""Any JSON at all as an update: a message, nothing, or a reason why not; and never without its bytes."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import InboundMessage
from channels.errors import Malformed
from channels.receiving import Unreadable
from channels.telegram.inbound import Bot, migration, press, read
from channels.telegram.polling import items_of
from channels.telegram.shapes import moment, number, real, text
from normalizer.event import encode
from normalizer.normalize import Normalizer
from tests.channels.goldens import goldens

BOT = Bot(1708, "lapor1708_bot")
NORMALIZER = Normalizer("telegram", "telegram", secret=b"key")
UPDATES = [golden.case["update"] for golden in goldens("telegram", "inbound") if "update" in golden.case]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),  # lone surrogates too
    st.sampled_from(["@lapor1708_bot", "/status@lapor1708_bot", "private", -1001234567890, 2**63, -(10**30), 0]),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
FIELDS = sorted(
    {"update_id", "message", "edited_message", "callback_query", "my_chat_member", "chat", "from", "id", "text"}
    | {"message_id", "date", "photo", "media_group_id", "location", "rich_message", "blocks", "reply_to_message"}
)
NAMED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=8)
)


def holds(raw: bytes) -> None:
    """What must hold of any bytes."""
    items = items_of([raw], BOT)
    assert items == items_of([raw], BOT)
    assert len(items) <= 1
    for message in items:
        assert message.raw == raw
        if isinstance(message, Unreadable):
            assert message.reason
            with pytest.raises(Malformed):
                read(raw, BOT)
            continue
        assert message.provider_id
        assert msgspec.json.decode(msgspec.json.encode(message), type=InboundMessage) == message
        encode(NORMALIZER.event(message, datetime(2026, 11, 22, tzinfo=UTC)))
    migration(raw)
    press(raw)


@given(JSON)
def test_any_json(value: Any) -> None:
    holds(json.dumps(value).encode())


@given(NAMED.filter(lambda value: isinstance(value, dict)), st.integers(1, 2**31))
def test_any_json_with_the_fields_of_updates(value: Any, update_id: int) -> None:
    holds(json.dumps(value | {"update_id": update_id}).encode())


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    holds(raw)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.sampled_from(UPDATES), st.data())
def test_a_real_update_with_anything_in_any_place(update: dict[str, Any], data: st.DataObject) -> None:
    update = copy.deepcopy(update)
    place: Any = update
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.booleans()):
            break
        place = inner
    if isinstance(place, dict) and data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(JSON)
    holds(json.dumps(update).encode())


@given(st.sampled_from(UPDATES), st.integers(0, 400))
def test_a_real_update_cut_anywhere(update: dict[str, Any], at: int) -> None:
    holds(json.dumps(update).encode()[:at])


def test_a_message_within_a_thousand_others() -> None:
    inside: Any = "x"
    for _ in range(400):
        inside = {"blocks": [inside], "text": [inside]} if isinstance(inside, str) else {"blocks": [inside]}
    message = {"message_id": 1, "chat": {"id": 5, "type": "private"}, "rich_message": {"blocks": [inside]}}
    (found,) = read(json.dumps({"update_id": 1, "message": message}).encode(), BOT)
    assert found.text == "x\nx"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, 5), (True, 0), (2**63, 0), (-(2**63), 0), ("5", 0), (5.0, 0), (None, 0)],
)
def test_number(value: Any, expected: int) -> None:
    assert number(value) == expected


@pytest.mark.parametrize("value", [0, -5, 2**62, "1795143845", None])
def test_what_is_no_moment(value: Any) -> None:
    assert moment(value) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, "5"])
def test_what_is_no_real_number(value: Any) -> None:
    assert real(value) is None


def test_half_a_character_is_replaced() -> None:
    assert text("a\ud83db") == "a\ufffdb"
