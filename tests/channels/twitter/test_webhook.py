"""The webhook mode: X's check of us, its signature, and what it sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from channels.errors import Malformed, Unverified
from tests.channels.host import request
from tests.channels.twitter.account import CONSUMER, channel
from tests.channels.twitter.kit import signed

DELETION = {"data": {"event_type": "post.delete", "payload": {"id": "1", "author_id": "2"}}}


@pytest.mark.parametrize("token", ["abc", "9b4507b3-9040-4669-9ca3-6b94edb50553", "MTIz+/_="])
def test_the_check_is_answered_with_its_hmac(token: str) -> None:
    answer = channel(mode="webhook").challenge(request(channel="twitter", query={"crc_token": token, "nonce": "x"}))
    assert answer is not None
    expected = base64.b64encode(hmac.new(CONSUMER.encode(), token.encode(), hashlib.sha256).digest()).decode()
    assert json.loads(answer.body) == {"response_token": f"sha256={expected}"}
    assert (answer.status, answer.content_type) == (200, "application/json")


@pytest.mark.parametrize("given", [{}, {"crc_token": ""}, {"token": "x"}], ids=str)
def test_another_get_is_no_check(given: dict[str, str]) -> None:
    assert channel(mode="webhook").challenge(request(channel="twitter", query=given)) is None


def test_a_post_is_no_check() -> None:
    one = request(
        channel="twitter", method="POST", query={"crc_token": "x"}, body="{}", content_type="application/json"
    )
    assert channel(mode="webhook").challenge(one) is None


@pytest.mark.parametrize("token", [json.dumps(DELETION), "{}", "[]", '"x"', "a b", "é", "x" * 201], ids=str)
def test_a_check_cannot_make_us_sign_an_event(token: str) -> None:
    # The answer to a check would be a true signature of that body.
    with pytest.raises(Malformed):
        channel(mode="webhook").challenge(request(channel="twitter", query={"crc_token": token}))


def test_a_signed_event_is_taken() -> None:
    one = signed(DELETION)
    made = channel(mode="webhook")
    made.verify(one)
    assert [message.kind for message in made.parse(one)] == ["deletion"]


def test_in_the_mode_of_mentions_nothing_is_taken() -> None:
    made = channel()
    assert made.challenge(request(channel="twitter", query={"crc_token": "x"})) is None
    with pytest.raises(Unverified):
        made.verify(signed(DELETION))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not_json"),
        ("{", "not_json"),
        ('{"data": {"event_type": "post.mention.create"', "not_json"),
        ("[" * 50_000, "not_json"),
        ("null", "wrong_shape"),
        ("[]", "wrong_shape"),
        ("{}", "wrong_shape"),
        ('{"data": []}', "wrong_shape"),
        ('{"data": {"event_type": "post.mention.create", "payload": {}}}', "no_id"),
        ('{"data": {"event_type": "post.mention.create", "payload": {"id": "1"}}}', "no_author"),
        ('{"data": {"event_type": "post.delete", "payload": {"id": "x"}}}', "no_id"),
        ('{"data": {"event_type": "dm.received", "payload": {"id": "1"}}}', "no_author"),
    ],
)
def test_what_cannot_be_read_is_malformed(body: str, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        channel(mode="webhook").parse(signed(body))
    assert caught.value.reason == reason


def test_several_events_in_one_call() -> None:
    document: Any = {"data": [DELETION["data"], {"event_type": "follow.follow", "payload": {}}]}
    kinds = [(one.kind, one.automated) for one in channel(mode="webhook").parse(signed(document))]
    assert kinds == [("deletion", ""), ("message", "unknown_activity")]
