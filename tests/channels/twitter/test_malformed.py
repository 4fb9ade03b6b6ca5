"""Whatever X sends, a parser raises nothing but Malformed, and loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import InboundMessage
from channels.errors import ChannelError, Malformed, Uncertain
from channels.http import HttpResponse
from channels.receiving import Unreadable
from channels.twitter.answers import Call, document_of
from channels.twitter.direct import direct_message, older_message
from channels.twitter.inbound import Account, post_message
from channels.twitter.shapes import Includes, decode
from channels.twitter.timeline import Timeline
from channels.twitter.webhook import parse
from tests.channels.goldens import goldens
from tests.channels.twitter.account import channel

US = Account("lapor1708", "1708", hashtag="lapor")

NAMES = [
    "id",
    "author_id",
    "text",
    "created_at",
    "conversation_id",
    "data",
    "includes",
    "meta",
    "next_token",
    "users",
    "posts",
    "tweets",
    "media",
    "places",
    "media_key",
    "referenced_posts",
    "type",
    "replied_to",
    "quoted",
    "retweeted",
    "entities",
    "urls",
    "url",
    "expanded_url",
    "display_url",
    "hashtags",
    "tag",
    "attachments",
    "media_keys",
    "variants",
    "content_type",
    "bit_rate",
    "geo",
    "coordinates",
    "place_id",
    "bbox",
    "full_name",
    "note_post",
    "edit_history_post_ids",
    "event_type",
    "payload",
    "post.mention.create",
    "post.delete",
    "dm.received",
    "direct_message_events",
    "message_create",
    "sender_id",
    "message_data",
    "target",
    "recipient_id",
    "created_timestamp",
    "username",
    "name",
    "errors",
    "title",
    "detail",
    "code",
    "message_1",
    "1708",
    "3_1",
    "withheld",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(NAMES)
    | st.sampled_from(
        ["video/mp4", "@lapor1708 halo", "2026-11-20T03:04:05Z", "0001-01-01T00:00:00+14:00", "9" * 19, "\ud83d"]
    )
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=40,
)
objects = st.dictionaries(st.sampled_from(NAMES), documents, max_size=12)
events = [golden.case["activity"] for golden in goldens("twitter", "inbound") if "activity" in golden.case]
pages = [
    golden.case[name]
    for golden in goldens("twitter", "inbound")
    for name in ("mentions", "messages")
    if name in golden.case
]


@settings(max_examples=40)
@given(objects, objects, objects)
def test_a_post_of_any_shape(post: dict[str, Any], includes: dict[str, Any], given_id: dict[str, Any]) -> None:
    for shaped in (post, post | {"id": "1", "author_id": "2"}, given_id | {"id": "1", "author_id": "2"}):
        try:
            message = post_message(shaped, Includes(includes), US)
        except Malformed:
            assert shaped is post
        else:
            message.text.encode()
            assert message.raw


@settings(max_examples=40)
@given(objects, objects)
def test_a_direct_message_of_any_shape(event: dict[str, Any], includes: dict[str, Any]) -> None:
    for shaped in (event, event | {"id": "1", "sender_id": "2"}):
        try:
            direct_message(shaped, Includes(includes), US)
        except Malformed:
            assert shaped is event
        try:
            older_message(shaped, includes, US)
        except Malformed:
            continue


@given(documents | st.fixed_dictionaries({"data": documents, "includes": documents}))
def test_a_page_of_any_shape_loses_no_entry(document: Any) -> None:
    sources = channel().sources()
    page = document if isinstance(document, dict) else {"data": document}
    data = page.get("data")
    entries = data if isinstance(data, list) else []
    for source in sources:
        assert isinstance(source, Timeline)
        found = source.entries(page)
        assert all(isinstance(one.item, InboundMessage | Unreadable) for one in found)
        if source.name == "mentions":
            assert len(found) == len(entries)


@given(st.binary(max_size=200) | documents.map(lambda one: json.dumps(one).encode()))
def test_a_body_of_any_bytes(body: bytes) -> None:
    for taken in (body, b'{"data": {"event_type": "post.mention.create", "payload": ' + body + b"}}"):
        try:
            found = parse(taken, US)
        except Malformed:
            continue
        assert found
        assert all(one.raw for one in found)


@settings(max_examples=200)
@given(st.sampled_from(events), st.data())
def test_a_true_event_that_was_cut_or_flipped(event: Any, data: st.DataObject) -> None:
    body = bytearray(json.dumps(event).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    for broken in (bytes(body), bytes(body[:at])):
        try:
            parse(broken, US)
        except Malformed:
            continue


@given(
    st.integers(200, 599),
    st.binary(max_size=50)
    | documents.map(lambda one: json.dumps(one).encode())
    | st.sampled_from(pages).map(lambda p: json.dumps(p).encode()[:-9]),
    st.sampled_from(["list", "user", "post", "message"]),
)
def test_an_answer_of_any_bytes_is_good_or_an_error_of_the_contract(status: int, body: bytes, call: Call) -> None:
    error = raised(lambda: document_of(HttpResponse(status, {}, body), call))
    assert not isinstance(error, Malformed)
    assert error is not None or 200 <= status < 300
    assert call in ("post", "message") or not isinstance(error, Uncertain)


def raised(call: Callable[[], object]) -> ChannelError | None:
    try:
        call()
    except ChannelError as error:
        return error
    return None


@pytest.mark.parametrize("depth", [98, 99, 101, 500, 900, 1000, 1100, 50_000])
def test_however_deep(depth: int) -> None:
    body = b'{"data": {"event_type": "x", "payload": ' + b"[" * depth + b"]" * depth + b"}}"
    error = raised(lambda: parse(body, US))
    assert (error is None) is (depth < 99)
    assert error is None or error.reason == "not_json"


def test_numbers_that_are_too_long_are_no_ids() -> None:
    document = decode(b'{"id": 1%s}' % (b"0" * 400))
    with pytest.raises(Malformed):
        post_message(document | {"author_id": "2"}, Includes(None), US)
