"""Sending: what goes wrong on the wire is told apart, long texts go out in order, nobody but a phone is written to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from channels.base import OutboundMessage, Sent
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from channels.http import HttpClient
from channels.sms import SmsChannel
from channels.sms.segments import measure
from channels.sms.standin import Fault, StandIn
from tests.channels.host import FakeHost, Provider, answer
from tests.channels.sms.accounts import DIALECTS, SECRETS, channel, settings

MESSAGE = OutboundMessage(delivery="d-1", to="+6281234567890", text="Terima kasih")
LONG = "Laporan Anda sudah kami teruskan kepada dinas terkait. " * 60


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient() as http:
        yield http


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as provider:
        yield provider


def at(url: str, dialect: str, http: HttpClient) -> SmsChannel:
    """A channel whose provider is at ``url``."""
    path = urlsplit(channel(dialect).dialect.send_url or "/x").path
    return channel(dialect, http=http, send_url=url + path)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("status", "headers", "error", "reason", "retry_after", "whole_channel"),
    [
        (429, {}, RetryLater, "throttled", None, True),
        (429, {"Retry-After": "12"}, RetryLater, "throttled", 12.0, True),
        (500, {}, RetryLater, "http_500", None, False),
        (502, {}, RetryLater, "http_502", None, False),
        (503, {"Retry-After": "3"}, RetryLater, "http_503", 3.0, True),
        (408, {}, RetryLater, "http_408", None, False),
        (401, {}, Misconfigured, "credentials", None, None),
        (403, {}, Misconfigured, "credentials", None, None),
        (402, {}, Misconfigured, "credit", None, None),
        (404, {}, Misconfigured, "bad_url", None, None),
        (405, {}, Misconfigured, "bad_url", None, None),
        (301, {"Location": "https://elsewhere.example/"}, Misconfigured, "redirect", None, None),
        (400, {}, Refused, "http_400", None, None),
        (422, {}, Refused, "http_422", None, None),
    ],
)
async def test_a_status_without_words(
    dialect: str,
    status: int,
    headers: dict[str, str],
    error: type[ChannelError],
    reason: str,
    retry_after: float | None,
    whole_channel: bool | None,
    http: HttpClient,
    provider: Provider,
) -> None:
    provider.answers = [answer(status, text="<html>said by no provider</html>", headers=headers)]
    with pytest.raises(error) as caught:
        await at(provider.url, dialect, http).send(MESSAGE)
    assert type(caught.value) is error
    assert caught.value.reason == reason
    if isinstance(caught.value, RetryLater):
        assert (caught.value.retry_after, caught.value.whole_channel) == (retry_after, whole_channel)
    assert not [word for word in (*SECRETS, "81234567890") if word in str(caught.value)]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_connection_refused_is_tried_again(dialect: str, http: HttpClient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(RetryLater) as caught:
            await at(f"http://127.0.0.1:{closed.getsockname()[1]}", dialect, http).send(MESSAGE)
    assert not isinstance(caught.value, Uncertain)
    assert caught.value.reason == "connection"
    assert not [word for word in (*SECRETS, "81234567890") if word in str(caught.value)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["hang", "reset"])
@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken"])
async def test_no_answer_is_uncertain(dialect: str, kind: str, taken: bool) -> None:
    account = settings(dialect)
    async with StandIn(account) as standin, HttpClient(timeout=0.5 if kind == "hang" else 20.0) as impatient:
        standin.fault = Fault(kind=kind, taken=taken)  # type: ignore[arg-type]
        updated = account.model_copy(update=standin.overrides(account))
        with pytest.raises(Uncertain) as caught:
            await SmsChannel("sms", updated, FakeHost(impatient)).send(MESSAGE)
        if taken:
            await standin.wait_for(lambda sent: len(sent) > 0)
        assert len(standin.sent) == taken, "the client sent it twice"
    assert not [word for word in (*SECRETS, "81234567890") if word in str(caught.value)]


@pytest.mark.parametrize(
    "to", ["1708", "TELKOMSEL", "", "081234567890", "6281234567890", "+62812 +62813", "+0812345678", "???"]
)
async def test_only_a_phone_is_written_to(to: str, http: HttpClient) -> None:
    with pytest.raises(Refused) as caught:
        await channel("kannel", http=http).send(OutboundMessage(delivery="d-1", to=to, text="halo"))
    assert caught.value.reason == "not_a_number"


@pytest.mark.parametrize("text", ["", "  \n "])
async def test_an_empty_text_is_not_sent(text: str, http: HttpClient) -> None:
    with pytest.raises(Refused) as caught:
        await channel("kannel", http=http).send(OutboundMessage(delivery="d-1", to=MESSAGE.to, text=text))
    assert caught.value.reason == "empty_text"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_very_long_text_goes_out_in_order(dialect: str) -> None:
    account = settings(dialect)
    async with StandIn(account) as standin, HttpClient() as http:
        updated = account.model_copy(update=standin.overrides(account))
        sent = await SmsChannel("sms", updated, FakeHost(http)).send(
            OutboundMessage(delivery="d-1", to="+6281234567890", text=LONG)
        )
        assert "".join(message.text for message in standin.sent) == LONG
        assert len(standin.sent) == 3
        assert all(measure(message.text).count <= 10 for message in standin.sent)
        assert dialect == "kannel" or len(sent.provider_ids) >= 3


async def test_when_the_second_of_three_fails_the_doubling_will_be_counted(
    http: HttpClient, provider: Provider
) -> None:
    provider.answers = [answer(202, text="0: Accepted for delivery"), answer(503, headers={"Retry-After": "9"})]
    with pytest.raises(Uncertain) as caught:
        await at(provider.url, "kannel", http).send(OutboundMessage(delivery="d-1", to="+6281234567890", text=LONG))
    assert (caught.value.retry_after, caught.value.whole_channel) == (9.0, True)
    assert len(provider.requests) == 2


async def test_when_the_first_of_three_fails_nothing_was_sent(http: HttpClient, provider: Provider) -> None:
    provider.answers = [answer(503)]
    with pytest.raises(RetryLater) as caught:
        await at(provider.url, "kannel", http).send(OutboundMessage(delivery="d-1", to="+6281234567890", text=LONG))
    assert not isinstance(caught.value, Uncertain)


@pytest.mark.parametrize(
    ("dialect", "url"),
    [
        ("twilio", "https://api.twilio.com/2010-04-01/Accounts/AC0123456789/Messages.json"),
        ("vonage", "https://rest.nexmo.com/sms/json"),
        ("infobip", "https://api.infobip.com/sms/3/messages"),
        ("zenziva", "https://console.zenziva.net/reguler/api/sendsms/"),
    ],
)
def test_where_a_provider_is_when_the_settings_do_not_say(dialect: str, url: str) -> None:
    assert channel(dialect).dialect.call("+6281234567890", "halo", "d-1").url == url


def test_twilio_s_messaging_service() -> None:
    call = channel("twilio", sender="MG0123").dialect.call("+6281234567890", "halo", "d-1")
    assert call.form["MessagingServiceSid"] == "MG0123"
    assert "From" not in call.form


def test_percent_signs_in_a_token_survive_kannel() -> None:
    """Kannel reads %C and the like in a dlr-url as its own escapes, so they are doubled."""
    call = channel("kannel", webhook_token="é%d").dialect.call("+6281234567890", "halo", "d-1")
    assert "token=%%C3%%A9%%25d&delivery=d-1" in call.params["dlr-url"]
    assert call.params["dlr-url"].endswith("&status=%d&answer=%A")


class TestProbe:
    @pytest.mark.parametrize(("dialect", "line"), [("twilio", "active"), ("vonage", "knows"), ("infobip", "knows")])
    async def test_credentials_that_work(self, dialect: str, line: str) -> None:
        account = settings(dialect)
        async with StandIn(account) as standin, HttpClient() as http:
            updated = account.model_copy(update=standin.overrides(account))
            assert line in await SmsChannel("sms", updated, FakeHost(http)).probe()

    @pytest.mark.parametrize("dialect", ["twilio", "vonage", "infobip"])
    async def test_credentials_that_do_not(self, dialect: str) -> None:
        wrong = settings(dialect, api_key="wrong", password="wrong")
        async with StandIn(settings(dialect)) as standin, HttpClient() as http:
            updated = wrong.model_copy(update=standin.overrides(wrong))
            with pytest.raises(Misconfigured) as caught:
                await SmsChannel("sms", updated, FakeHost(http)).probe()
        assert caught.value.reason == "credentials"

    @pytest.mark.parametrize("dialect", ["kannel", "zenziva", "generic"])
    async def test_providers_without_one(self, dialect: str, http: HttpClient) -> None:
        assert "nothing to ask" in await channel(dialect, http=http).probe()

    async def test_a_suspended_twilio_account(self, http: HttpClient, provider: Provider) -> None:
        provider.answers = [answer(200, {"status": "suspended"})]
        with pytest.raises(Misconfigured):
            await at(provider.url, "twilio", http).probe()

    async def test_an_infobip_key_that_may_only_send(self, http: HttpClient, provider: Provider) -> None:
        provider.answers = [answer(403)]
        assert "may not read the balance" in await at(provider.url, "infobip", http).probe()


async def test_twenty_at_once(http: HttpClient) -> None:
    async with Provider() as provider:
        provider.answers = [answer(202, text="0: Accepted for delivery")]
        one = at(provider.url, "kannel", http)
        sent = await asyncio.gather(
            *(one.send(OutboundMessage(delivery=f"d-{n}", to="+6281234567890", text=f"n {n}")) for n in range(20))
        )
        assert sent == [Sent()] * 20
        assert sorted(received.params["text"] for received in provider.requests) == sorted(f"n {n}" for n in range(20))
