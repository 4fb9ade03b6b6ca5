"""The stand-in against the channel: every dialect through a real server, there and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from channels.base import InboundMessage, OutboundMessage, ReceiptOutcome
from channels.errors import ChannelError, Malformed, Misconfigured, Unverified
from channels.http import HttpClient
from channels.sms import SmsChannel, SmsSettings
from channels.sms.standin import Fault, StandIn
from tests.channels.host import FakeHost, request
from tests.channels.sms.accounts import DIALECTS, INBOUND, SIGNATURE, TOKEN, settings

MESSAGE = OutboundMessage(delivery="d-1 é%d&x", to="+6281234567890", text="Nomor: 482 913 7065 & “baik” 🌊")


class Gateway:
    """As much of an intake as a channel needs: it verifies, parses and answers over HTTP."""

    def __init__(self) -> None:
        self.channels: dict[str, SmsChannel] = {}
        self.messages: list[InboundMessage] = []
        self.url = ""

    async def __aenter__(self) -> Gateway:
        application = web.Application()
        application.router.add_route("*", "/webhooks/{channel}", self._take)
        application.router.add_route("*", "/webhooks/{channel}/status", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def add(self, name: str, account: SmsSettings, http: HttpClient) -> SmsChannel:
        self.channels[name] = SmsChannel(name, account, FakeHost(http, self.url))
        return self.channels[name]

    async def _take(self, incoming: web.Request) -> web.Response:
        channel = self.channels[incoming.match_info["channel"]]
        body = await incoming.read()
        given = request(
            channel=channel.name,
            status=incoming.path.endswith("/status"),
            method=incoming.method,
            query=incoming.raw_path.partition("?")[2],
            body=body,
            content_type=incoming.content_type if body else "",
            headers=incoming.headers,
        )
        try:
            channel.verify(given)
            parse = channel.parse_status if incoming.path.endswith("/status") else channel.parse
            self.messages += parse(given)
        except (Unverified, Malformed) as error:
            return web.Response(status=401 if isinstance(error, Unverified) else 400, text=error.reason)
        answer = channel.answer()
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type or None)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway() as gateway:
        yield gateway


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient() as http:
        yield http


VARIANTS: list[tuple[str, dict[str, Any]]] = [(dialect, {}) for dialect in DIALECTS]
VARIANTS += [
    ("vonage", {"signature_secret": SIGNATURE, "webhook_token": None}),
    ("kannel", {"webhook_token": "é%d %A&="}),
]
variants = pytest.mark.parametrize(("dialect", "changes"), VARIANTS, ids=lambda value: str(value))
inbound = pytest.mark.parametrize(
    ("dialect", "changes"), [one for one in VARIANTS if one[0] in INBOUND], ids=lambda value: str(value)
)


@variants
async def test_a_reply_arrives(dialect: str, changes: dict[str, Any], gateway: Gateway, http: HttpClient) -> None:
    account = settings(dialect, **changes)
    async with StandIn(account) as standin:
        channel = gateway.add("sms", account.model_copy(update=standin.overrides(account)), http)
        sent = await channel.send(MESSAGE)
        (message,) = await standin.wait_for(lambda sent: len(sent) == 1)
    assert (message.dialect, message.to, message.text) == (dialect, MESSAGE.to, MESSAGE.text)
    if dialect != "zenziva":  # it has no place for a sender and an id of ours
        assert (message.sender, message.delivery) == ("1708", MESSAGE.delivery)
    if dialect != "kannel":  # it names no message
        assert message.id in sent.provider_ids


@inbound
@pytest.mark.parametrize("outcome", ["delivered", "failed", "accepted"])
async def test_a_receipt_comes_back(
    dialect: str, changes: dict[str, Any], outcome: ReceiptOutcome, gateway: Gateway, http: HttpClient
) -> None:
    account = settings(dialect, **changes)
    async with StandIn(account) as standin:
        channel = gateway.add("sms", account.model_copy(update=standin.overrides(account)), http)
        await channel.send(MESSAGE)
        response = await standin.report(standin.sent[0], outcome)
    assert (response.status, response.body) == (200, channel.answer().body)
    (receipt,) = gateway.messages
    assert receipt.receipt is not None
    assert (receipt.kind, receipt.receipt.outcome, receipt.receipt.delivery) == ("receipt", outcome, MESSAGE.delivery)
    assert receipt.sender.address == MESSAGE.to
    assert TOKEN.encode() not in receipt.raw


@inbound
@pytest.mark.parametrize("text", ["jalan rusak di depan pasar", "banjir 🌊 & “dalam” = 1 m\nsekali %d", "", "@" * 400])
async def test_a_citizen_s_text_arrives(
    dialect: str, changes: dict[str, Any], text: str, gateway: Gateway, http: HttpClient
) -> None:
    account = settings(dialect, **changes)
    gateway.add("sms", account, http)
    at = datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)
    async with StandIn(account) as standin:
        response = await standin.text(f"{gateway.url}/webhooks/sms", "+6281234567890", text, id="m-1", at=at)
    assert response.status == 200
    assert "".join(message.text for message in gateway.messages) == text
    assert {message.sender.address for message in gateway.messages} == {"+6281234567890"}
    assert {message.sent_at for message in gateway.messages} == {None if dialect == "twilio" else at}
    whole = len(gateway.messages) == 1
    assert [message.kind for message in gateway.messages] == (
        ["message"] if whole else ["part"] * len(gateway.messages)
    )
    assert whole or dialect == "vonage"
    assert len({message.provider_id for message in gateway.messages}) == len(gateway.messages)


@inbound
async def test_a_text_without_an_id(dialect: str, changes: dict[str, Any], gateway: Gateway, http: HttpClient) -> None:
    account = settings(dialect, **changes)
    gateway.add("sms", account, http)
    async with StandIn(account) as standin:
        await standin.text(f"{gateway.url}/webhooks/sms", "+6281234567890", "halo", id="")
    assert gateway.messages[0].provider_id is None


@pytest.mark.parametrize("dialect", INBOUND)
async def test_a_stranger_s_text_does_not(dialect: str, gateway: Gateway, http: HttpClient) -> None:
    gateway.add("sms", settings(dialect), http)
    stranger = settings(dialect, webhook_token="guess", password="guess", signature_secret="guess")
    async with StandIn(stranger) as standin:
        response = await standin.text(f"{gateway.url}/webhooks/sms", "+6281234567890", "halo")
    assert response.status == 401
    assert gateway.messages == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_wrong_credentials_are_refused_as_the_provider_does(dialect: str, http: HttpClient) -> None:
    wrong = settings(dialect, password="wrong", api_key="wrong", signature_secret="wrong")
    async with StandIn(settings(dialect)) as standin:
        channel = SmsChannel("sms", wrong.model_copy(update=standin.overrides(wrong)), FakeHost(http))
        with pytest.raises(Misconfigured) as caught:
            await channel.send(MESSAGE)
        assert standin.sent == []
    assert caught.value.reason == "credentials"


async def test_nothing_comes_in_from_zenziva() -> None:
    async with StandIn(settings("zenziva")) as standin:
        with pytest.raises(ValueError, match="nothing comes in"):
            await standin.text("http://127.0.0.1:1/", "+6281234567890", "halo")


class TestFaults:
    @staticmethod
    async def outcomes(standin: StandIn, http: HttpClient, count: int) -> list[str]:
        account = standin.accounts[0]
        channel = SmsChannel("sms", account.model_copy(update=standin.overrides(account)), FakeHost(http))
        found = []
        for number in range(count):
            try:
                await channel.send(OutboundMessage(delivery=f"d-{number}", to="+6281234567890", text="halo"))
            except ChannelError as error:
                found.append(error.reason)
            else:
                found.append("sent")
        return found

    async def test_a_fault_counts_down(self, http: HttpClient) -> None:
        async with StandIn(settings("kannel")) as standin:
            standin.fault = Fault(kind="status", status=500, times=2)
            assert await self.outcomes(standin, http, 4) == ["http_500", "http_500", "sent", "sent"]
            assert len(standin.sent) == 2

    @pytest.mark.parametrize(("probability", "reason"), [(0.0, "sent"), (1.0, "http_500")])
    async def test_a_fault_by_chance(self, probability: float, reason: str, http: HttpClient) -> None:
        async with StandIn(settings("kannel")) as standin:
            standin.fault = Fault(kind="status", probability=probability)
            assert await self.outcomes(standin, http, 3) == [reason] * 3

    async def test_a_message_that_is_taken_and_not_acknowledged(self, http: HttpClient) -> None:
        async with StandIn(settings("kannel")) as standin:
            standin.fault = Fault(kind="status", status=503, retry_after=4, taken=True, times=1)
            assert await self.outcomes(standin, http, 2) == ["http_503", "sent"]
            assert [message.delivery for message in standin.sent] == ["d-0", "d-1"]

    async def test_a_slow_provider(self, http: HttpClient) -> None:
        async with StandIn(settings("kannel")) as standin:
            standin.fault = Fault(kind="slow", delay=0.01)
            assert await self.outcomes(standin, http, 1) == ["sent"]

    async def test_one_that_hangs_does_not_hold_up_the_end(self) -> None:
        async with HttpClient(timeout=30.0) as patient, StandIn(settings("kannel")) as standin:
            standin.fault = Fault(kind="hang", taken=True)
            task = asyncio.create_task(self.outcomes(standin, patient, 1))
            await standin.wait_for(lambda sent: len(sent) == 1)
        assert await task == ["uncertain"]


async def test_waiting_for_what_does_not_come() -> None:
    def never(sent: Sequence[object]) -> bool:
        return len(sent) > 0

    async with StandIn(settings("kannel")) as standin:
        with pytest.raises(TimeoutError):
            await standin.wait_for(never, timeout=0.05)
