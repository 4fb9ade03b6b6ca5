"""Golden fixtures of every dialect: payload to messages, reply to the exact request, answer to what it means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from channels import errors
from channels.base import InboundMessage, OutboundMessage
from channels.http import HttpClient
from channels.sms import SmsChannel, SmsSettings
from tests.channels.goldens import Golden, goldens, label
from tests.channels.host import FakeHost, Provider, answer, request
from tests.channels.sms.accounts import SECRETS


def channel_of(golden: Golden, http: HttpClient | None = None, **changes: Any) -> SmsChannel:
    return SmsChannel("sms", SmsSettings.model_validate(golden.settings | changes), FakeHost(http))


def written(messages: list[InboundMessage]) -> list[dict[str, Any]]:
    """Messages as the fixtures write them, without ``raw``."""
    found: list[dict[str, Any]] = json.loads(msgspec.json.encode(messages))
    return [{name: value for name, value in one.items() if name != "raw"} for one in found]


@pytest.mark.parametrize("golden", goldens("sms", "inbound"), ids=label)
def test_inbound(golden: Golden) -> None:
    messages = list(channel_of(golden).parse(request(**golden.case["request"])))
    assert written(messages) == golden.case["expect"]
    if "raw" in golden.case:
        assert [message.raw.decode() for message in messages] == golden.case["raw"]


@pytest.mark.parametrize("golden", goldens("sms", "status"), ids=label)
def test_status(golden: Golden) -> None:
    messages = list(channel_of(golden).parse_status(request(status=True, **golden.case["request"])))
    assert written(messages) == golden.case["expect"]
    if "raw" in golden.case:
        assert [message.raw.decode() for message in messages] == golden.case["raw"]


@pytest.mark.parametrize("golden", goldens("sms", "inbound") + goldens("sms", "status"), ids=label)
def test_no_secret_is_left_in_the_evidence(golden: Golden) -> None:
    channel = channel_of(golden)
    status = golden in goldens("sms", "status")
    parse = channel.parse_status if status else channel.parse
    for message in parse(request(status=status, **golden.case["request"])):
        assert not [secret for secret in SECRETS if secret in message.raw.decode("latin-1")]


@pytest.mark.parametrize("golden", goldens("sms", "inbound"), ids=label)
def test_redelivery_gives_the_same_messages(golden: Golden) -> None:
    first = channel_of(golden).parse(request(**golden.case["request"]))
    second = channel_of(golden).parse(request(**golden.case["request"]))
    assert list(first) == list(second)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as provider:
        yield provider


@pytest.mark.parametrize("golden", goldens("sms", "outbound"), ids=label)
async def test_outbound(golden: Golden, provider: Provider) -> None:
    provider.answers = [answer(**golden.case["answer"])]
    send_url = provider.url + urlsplit(golden.settings["send_url"]).path
    message = OutboundMessage(**golden.case["message"])
    async with HttpClient() as http:
        channel = channel_of(golden, http, send_url=send_url)
        if "raises" in golden.case:
            wanted = golden.case["raises"]
            with pytest.raises(getattr(errors, wanted["type"])) as caught:
                await channel.send(message)
            assert type(caught.value).__name__ == wanted["type"]
            assert {name: getattr(caught.value, name) for name in wanted if name != "type"} == {
                name: value for name, value in wanted.items() if name != "type"
            }
            told = str(caught.value)
            assert not [word for word in (*SECRETS, "81234567890") if word in told]
        else:
            assert list((await channel.send(message)).provider_ids) == golden.case["sent"]
    (received,) = provider.requests
    for name, value in golden.case.get("request", {}).items():
        assert getattr(received, name) == value
    for name, value in golden.case.get("request_has", {}).items():
        assert {key: getattr(received, name).get(key) for key in value} == value


def test_there_are_enough_of_them() -> None:
    assert len(goldens("sms", "inbound")) + len(goldens("sms", "status")) >= 15
    assert len(goldens("sms", "outbound")) >= 15
