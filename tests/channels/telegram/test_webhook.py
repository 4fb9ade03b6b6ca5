"""The webhook: proof of the secret, registration, and what polling bots answer to a caller."""

from __future__ import annotations

import pytest

from channels.errors import ChannelError, Malformed, Misconfigured, RetryLater, Unverified
from channels.standin import Fault
from channels.telegram import TelegramChannel
from channels.telegram.inbound import ALLOWED
from tests.channels.host import PUBLIC, FakeHost, request
from tests.channels.telegram.kit import HEADER, SECRET
from tests.channels.telegram.world import account, hooked, pair


def test_the_right_secret_is_let_in() -> None:
    TelegramChannel("telegram", hooked(), FakeHost()).verify(request(headers={HEADER: SECRET}, document={}))


def test_a_bot_that_is_polled_takes_no_calls() -> None:
    channel = TelegramChannel("telegram", account(webhook_secret=SECRET), FakeHost())
    with pytest.raises(Unverified):
        channel.verify(request(headers={HEADER: SECRET}, document={}))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "wrong_shape"),
        (b"null", "wrong_shape"),
        (b"{}", "no_update_id"),
        (b'{"update_id":true,"message":{}}', "no_update_id"),
        (b'{"update_id":1,"callback_query":{"id":""}}', "no_press_id"),
        (b'{"update_id":1,"my_chat_member":[]}', "wrong_shape"),
        (b'{"update_id":1,"message":{"message_id":1e9,"chat":{"id":5}}}', "no_message_id"),
    ],
)
def test_what_is_no_update_is_malformed(body: bytes, reason: str) -> None:
    channel = TelegramChannel("telegram", hooked(), FakeHost())
    with pytest.raises(Malformed) as caught:
        channel.parse(request(method="POST", body=body, content_type="application/json"))
    assert caught.value.reason == reason
    with pytest.raises(Malformed):
        channel.reread(body, "application/json")


async def test_telegram_is_told_the_webhook_and_the_secret() -> None:
    async with pair(hooked()) as (standin, channel):
        await channel.register()
        assert standin.world.webhook == {
            "url": f"{PUBLIC}/webhooks/telegram",
            "secret_token": SECRET,
            "allowed_updates": list(ALLOWED),
            "drop_pending_updates": False,
        }
        assert channel.bot.username == "lapor1708_bot"


async def test_a_bot_that_is_polled_registers_nothing() -> None:
    async with pair() as (standin, channel):
        await channel.register()
        assert standin.calls == []


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (400, Misconfigured, "webhook"),
        (401, Misconfigured, "credentials"),
        (429, RetryLater, "throttled"),
        (503, RetryLater, "http_503"),
    ],
)
async def test_a_registration_that_fails(status: int, error: type[ChannelError], reason: str) -> None:
    async with pair(hooked(username="lapor1708_bot")) as (standin, channel):
        standin.fault = Fault(kind="status", status=status)
        with pytest.raises(error) as caught:
            await channel.register()
        assert caught.value.reason == reason


async def test_the_probe_tells_the_bots_name_and_learns_it() -> None:
    async with pair() as (_standin, channel):
        assert await channel.probe() == "Telegram knows the bot as @lapor1708_bot"
        assert channel.bot.username == "lapor1708_bot"


async def test_a_probe_with_a_wrong_token() -> None:
    async with pair() as (standin, channel):
        standin.fault = Fault(kind="status", status=401)
        with pytest.raises(Misconfigured):
            await channel.probe()
