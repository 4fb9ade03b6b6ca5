"""Golden fixtures of receipts; messages and replies are held by the contract of all channels."""

from __future__ import annotations

import json

import msgspec
import pytest

from channels.sms import SmsChannel, SmsSettings
from tests.channels.goldens import Golden, goldens, label
from tests.channels.host import FakeHost, request
from tests.channels.sms.accounts import SECRETS


@pytest.mark.parametrize("golden", goldens("sms", "status"), ids=label)
def test_status(golden: Golden) -> None:
    channel = SmsChannel("sms", SmsSettings.model_validate(golden.settings), FakeHost())
    messages = list(channel.parse_status(request(status=True, **golden.case["request"])))
    written = [{k: v for k, v in one.items() if k != "raw"} for one in json.loads(msgspec.json.encode(messages))]
    assert written == golden.case["expect"]
    if "raw" in golden.case:
        assert [message.raw.decode() for message in messages] == golden.case["raw"]
    assert not [secret for message in messages for secret in SECRETS if secret in message.raw.decode("latin-1")]
