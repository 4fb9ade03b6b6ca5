"""What cannot be read is refused with a reason, never with another error; what can be read a little is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import InboundMessage, Request
from channels.errors import Malformed
from channels.forms import FORM, parse_fields
from channels.sms.inbound import clean, decode, part_of, time_of
from tests.channels.host import request
from tests.channels.sms.accounts import DIALECTS, channel

JSON = "application/json"


def reason(dialect: str, *, status: bool = False, **given: Any) -> str:
    one = channel(dialect)
    with pytest.raises(Malformed) as caught:
        (one.parse_status if status else one.parse)(request(status=status, **given))
    return caught.value.reason


@pytest.mark.parametrize(
    ("dialect", "given", "expected"),
    [
        ("kannel", {}, "no_sender"),
        ("kannel", {"query": "text=halo"}, "no_sender"),
        ("kannel", {"query": "from=&text=halo"}, "no_sender"),
        ("kannel", {"query": "from=%20%20&text=halo"}, "no_sender"),
        ("kannel", {"query": "from=%00&text=halo"}, "no_sender"),
        ("kannel", {"method": "POST", "content_type": FORM}, "no_sender"),
        ("kannel", {"document": {"from": "+6281234567890", "text": "halo"}}, "not_a_form"),
        ("kannel", {"method": "POST", "body": "from=1", "content_type": "text/plain"}, "not_a_form"),
        ("kannel", {"method": "POST", "body": "a=&" * 300, "content_type": FORM}, "too_many_fields"),
        ("twilio", {"form": {"Body": "halo"}}, "no_sender"),
        ("twilio", {"document": {"From": "+6281234567890"}}, "not_a_form"),
        ("vonage", {"query": "text=halo"}, "no_sender"),
        ("vonage", {"document": {"text": "halo"}}, "no_sender"),
        ("vonage", {"document": [1]}, "wrong_shape"),
        ("vonage", {"document": {"msisdn": {"number": 1}}}, "wrong_shape"),
        ("vonage", {"method": "POST", "body": "{", "content_type": JSON}, "not_json"),
        ("vonage", {"method": "POST", "body": "<xml/>", "content_type": "text/xml"}, "not_a_form"),
        ("infobip", {"method": "POST", "content_type": JSON}, "empty_body"),
        ("infobip", {"document": {}}, "wrong_shape"),
        ("infobip", {"document": {"results": {}}}, "wrong_shape"),
        ("infobip", {"document": {"results": [{"text": "halo"}]}}, "no_sender"),
        ("infobip", {"document": {"results": ["x", None]}}, "no_sender"),
        ("infobip", {"form": {"from": "+6281234567890"}}, "not_json"),
        ("generic", {"method": "POST"}, "empty_body"),
        ("generic", {"document": {"text": "halo"}}, "no_sender"),
        ("generic", {"document": {"from": "", "text": "halo"}}, "no_sender"),
        ("generic", {"document": {"from": True}}, "wrong_shape"),
        ("generic", {"document": {"from": "+6281234567890", "text": ["halo"]}}, "wrong_shape"),
        ("generic", {"document": "halo"}, "wrong_shape"),
        ("generic", {"form": {"from": "+6281234567890"}}, "not_json"),
        ("generic", {"method": "POST", "body": b"\xff\xfe", "content_type": JSON}, "not_json"),
        ("generic", {"method": "POST", "body": "[" * 100_000, "content_type": JSON}, "not_json"),
        ("generic", {"method": "POST", "body": '{"from": "1"} trailing', "content_type": JSON}, "not_json"),
        ("zenziva", {"query": "from=%2B6281234567890"}, "outbound_only"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_message(dialect: str, given: dict[str, Any], expected: str) -> None:
    assert reason(dialect, **given) == expected


@pytest.mark.parametrize(
    ("dialect", "given", "expected"),
    [
        ("kannel", {}, "no_status"),
        ("kannel", {"query": "delivery=d-1&status="}, "no_status"),
        ("kannel", {"query": "delivery=d-1&status=%25d"}, "no_status"),
        ("kannel", {"query": "delivery=d-1&status=%C2%B2"}, "no_status"),
        ("kannel", {"query": "delivery=d-1&status=99999999999"}, "no_status"),
        ("kannel", {"query": "status=1"}, "no_delivery"),
        ("twilio", {"form": {"MessageSid": "SM1"}}, "no_status"),
        ("twilio", {"form": {"MessageStatus": "sent"}}, "no_delivery"),
        ("vonage", {"query": "messageId=1"}, "no_status"),
        ("vonage", {"query": "status=delivered"}, "no_delivery"),
        ("infobip", {"document": {"results": [{"messageId": "1"}]}}, "no_status"),
        ("infobip", {"document": {"results": [{"status": {"groupName": "PENDING"}}]}}, "no_delivery"),
        ("generic", {"document": {"delivery": "d-1", "status": "maybe"}}, "no_status"),
        ("generic", {"document": {"status": "delivered"}}, "no_delivery"),
        ("zenziva", {"query": "status=1"}, "outbound_only"),
    ],
    ids=str,
)
def test_receipt(dialect: str, given: dict[str, Any], expected: str) -> None:
    assert reason(dialect, status=True, **given) == expected


def test_broken_utf8_inside_json_is_no_error() -> None:
    body = b'{"from": "+6281234567890", "text": "jalan \xff\xfe rusak"}'
    (message,) = channel("generic").parse(request(method="POST", body=body, content_type=JSON))
    assert message.text == "jalan \ufffd\ufffd rusak"
    assert message.raw == body


def test_ids_and_addresses_are_bounded_and_on_one_line() -> None:
    """An index of the store must hold them, whatever a provider sends."""
    query = {"from": "?" * 5000, "id": "a" * 5000, "to": "1708\r\nX: y" + "b" * 5000}
    (one,) = channel("kannel").parse(request(query=query))
    (other,) = channel("kannel").parse(request(query=query | {"id": "a" * 4999 + "b"}))
    assert len(one.sender.address) <= 64
    assert one.provider_id is not None
    assert len(one.provider_id) <= 200
    assert one.provider_id != other.provider_id
    assert "\n" not in one.recipient
    assert len(one.recipient) <= 64


def test_a_megabyte_of_text_is_read_as_it_is() -> None:
    """Bounding the body is the intake's; a dialect neither cuts nor stumbles."""
    text = "aduh " * 200_000
    (message,) = channel("kannel").parse(request(form={"from": "+6281234567890", "text": text}))
    assert message.text == text


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-11-20 03:04:05", "2026-11-20T03:04:05+00:00"),
        ("2026-11-20T10:04:05+07:00", "2026-11-20T03:04:05+00:00"),
        ("2026-11-20T03:04:05.000+0000", "2026-11-20T03:04:05+00:00"),
        ("2026-11-20T03:04:05Z", "2026-11-20T03:04:05+00:00"),
        ("1795143845", "2026-11-20T03:04:05+00:00"),
        (1795143845, "2026-11-20T03:04:05+00:00"),
        (1795143845.5, "2026-11-20T03:04:05.500000+00:00"),
        ("1795143845000", "2026-11-20T03:04:05+00:00"),
        ("", None),
        (None, None),
        ("yesterday", None),
        ("2026-13-40 99:99:99", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9" * 400, None),
        (10**5000, None),
        (float("nan"), None),
        (True, None),
        ([1], None),
        ({"at": 1}, None),
        ("\udcff", None),
        ("20261120030405", None),
        ("-1", None),
    ],
    ids=lambda value: str(value)[:30] if not isinstance(value, int) or value < 10**20 else "a huge number",
)
def test_times(value: object, instant: str | None) -> None:
    found = time_of(value)
    assert (found.isoformat() if found else None) == instant


@pytest.mark.parametrize(
    ("ref", "index", "total", "sense"),
    [
        ("r", 1, 2, True),
        ("r", "2", "2", True),
        ("r", 255, 255, True),
        (178, 1, 3, True),
        ("r", 0, 2, False),
        ("r", 3, 2, False),
        ("r", -1, 2, False),
        ("r", 1, 1, False),
        ("r", 1, 256, False),
        ("", 1, 2, False),
        (None, 1, 2, False),
        ("r", None, 2, False),
        ("r", "one", 2, False),
        ("r", 1.5, 2, False),
        ("r", [1], 2, False),
        ("r", "1" * 5000, 2, False),
    ],
    ids=str,
)
def test_parts(ref: object, index: object, total: object, sense: bool) -> None:
    assert (part_of(ref, index, total) is not None) is sense


texts = st.text(alphabet=st.characters(), max_size=40) | st.text(max_size=40)


def whole(message: InboundMessage) -> None:
    """A message that everything after the channel can write down."""
    for text in (message.text, message.sender.address, message.recipient, message.provider_id or ""):
        text.encode()


@given(
    data=st.binary(max_size=60), charset=texts | st.sampled_from(["GSM", "UTF-16BE", "UTF-16", "8-BIT", "windows-1252"])
)
def test_any_bytes_in_any_charset_become_text(data: bytes, charset: str) -> None:
    decode(data.decode("utf-8", "surrogateescape"), charset).encode()


@given(texts)
def test_clean_text_is_valid_and_the_valid_is_left_alone(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned


FIELDS = ["from", "to", "text", "id", "ts", "charset", "token", "From", "Body", "MessageSid", "msisdn", "messageId"]
FIELDS += [
    "concat-ref",
    "concat-part",
    "concat-total",
    "results",
    "part",
    "sent_at",
    "status",
    "delivery",
    "client-ref",
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(["+6281234567890", "2"])
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)


@given(
    dialect=st.sampled_from(DIALECTS),
    status=st.booleans(),
    method=st.sampled_from(["GET", "POST"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), texts | st.sampled_from(["+6281234567890", "2", "delivered"])),
    body=st.binary(max_size=80) | documents.map(lambda value: json.dumps(value).encode()),
    content_type=st.sampled_from(["", FORM, JSON, "text/plain"]),
)
def test_whatever_comes_is_read_or_malformed(
    dialect: str, status: bool, method: str, fields: dict[str, str], body: bytes, content_type: str
) -> None:
    one = channel(dialect)
    given_request = Request(
        method=method,
        target="/webhooks/sms?" + "&".join(f"{name}={value}" for name, value in fields.items()),
        query=fields,
        headers={},
        body=body,
        content_type=content_type,
    )
    try:
        messages = (one.parse_status if status else one.parse)(given_request)
    except Malformed:
        return
    for message in messages:
        whole(message)


@given(st.binary(max_size=120))
def test_any_query_is_read_or_malformed(encoded: bytes) -> None:
    fields = parse_fields(b"from=%2B6281234567890&" + encoded)
    (message,) = channel("kannel").parse(Request(method="GET", target="/webhooks/sms", query=fields, headers={}))
    whole(message)
