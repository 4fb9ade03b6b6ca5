"""The stand-in: it refuses what Telegram refuses, and what citizens do at it reaches the channel."""

from __future__ import annotations

from typing import Any

import pytest

from channels.base import InboundMessage, Thread
from channels.http import HttpClient, HttpResponse
from channels.telegram.standin import StandIn
from channels.telegram.standins import shapes
from tests.channels.telegram.kit import TOKEN
from tests.channels.telegram.world import SARI, Gateway, account, hooked, pair, reply

GROUP = shapes.group(-1001234567890)


async def call(standin: StandIn, method: str, /, *, token: str = TOKEN, **parameters: Any) -> HttpResponse:
    async with HttpClient() as http:
        return await http.request("POST", f"{standin.url}/bot{token}/{method}", json=parameters)


@pytest.mark.parametrize(
    ("method", "parameters", "status", "said"),
    [
        ("sendMessage", {"chat_id": 5}, 400, "text is required"),
        ("sendMessage", {"chat_id": 5, "text": " "}, 400, "message text is empty"),
        ("sendMessage", {"chat_id": 5, "text": "🌊" * 2049}, 400, "message is too long"),
        ("sendMessage", {"chat_id": "five", "text": "a"}, 400, "can't parse"),
        ("sendMessage", {"chat_id": 5, "text": "a", "parse_mode": "HTML"}, 400, "unexpected parameter parse_mode"),
        ("sendMessage", {"chat_id": 5, "text": "a", "message_thread_id": 9}, 400, "thread not found"),
        ("sendMessage", {"chat_id": 5, "text": "a", "reply_parameters": {"message_id": 9}}, 400, "replied not found"),
        (
            "sendMessage",
            {"chat_id": 5, "text": "a", "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": ""}]]}},
            400,
            "can't parse",
        ),
        ("getFile", {"file_id": "none"}, 400, "wrong file_id"),
        ("getUpdates", {"limit": 0}, 400, "limit"),
        ("getUpdates", {"allowed_updates": "message"}, 400, "can't parse"),
        ("setWebhook", {"url": "ftp://x", "secret_token": "x"}, 400, "bad webhook"),
        ("setWebhook", {"url": "https://x.id"}, 400, "secret"),
        ("deleteWebhook", {"drop_pending_updates": "maybe"}, 400, "can't parse"),
        ("banChatMember", {}, 404, "Not Found"),
    ],
)
async def test_it_refuses(method: str, parameters: dict[str, Any], status: int, said: str) -> None:
    async with StandIn(account()) as standin:
        response = await call(standin, method, **parameters)
        assert (response.status, response.json()["error_code"]) == (status, status)
        assert said in response.json()["description"]


async def test_it_knows_its_accounts_tokens() -> None:
    async with StandIn(account()) as standin:
        assert (await call(standin, "getMe")).status == 200
        assert (await call(standin, "getMe", token="1708:wrong")).status == 401
    async with StandIn() as standin:
        assert (await call(standin, "getMe", token="any")).status == 200


async def test_polling_and_a_webhook_exclude_each_other() -> None:
    async with StandIn(account()) as standin:
        await call(standin, "setWebhook", url="https://gateway.example.go.id", secret_token="s")
        assert (await call(standin, "getUpdates")).status == 409
        await call(standin, "deleteWebhook")
        assert (await call(standin, "getUpdates")).json() == {"ok": True, "result": []}


async def test_updates_are_kept_until_they_are_acknowledged() -> None:
    async with StandIn(account()) as standin:
        for word in ("satu", "dua", "tiga"):
            await standin.text("", SARI, word)
        first = (await call(standin, "getUpdates")).json()["result"]
        again = (await call(standin, "getUpdates", limit=2)).json()["result"]
        assert again == first[:2]
        rest = (await call(standin, "getUpdates", offset=again[-1]["update_id"] + 1)).json()["result"]
        assert rest == first[2:]
        assert (await call(standin, "getUpdates")).json()["result"] == rest
        assert (await call(standin, "getUpdates", offset=-1)).json()["result"] == rest


async def test_kinds_that_were_not_asked_for_do_not_come() -> None:
    async with StandIn(account()) as standin:
        await standin.block("", SARI)
        assert (await call(standin, "getUpdates")).json()["result"] == []
        await call(standin, "getUpdates", allowed_updates=["my_chat_member"])
        await standin.text("", SARI, "halo")
        await standin.block("", SARI)
        assert ["my_chat_member" in one for one in (await call(standin, "getUpdates")).json()["result"]] == [True]


async def test_what_citizens_do_arrives_at_the_webhook() -> None:
    async with pair(hooked()) as (standin, channel), Gateway(channel) as gateway:
        await channel.register()
        posted = await standin.text(gateway.url, SARI, "Jalan rusak")
        await standin.edit(gateway.url, posted.message, "Jalan sangat rusak")
        await standin.album(gateway.url, SARI, "Tiga foto", 3)
        await standin.text(gateway.url, SARI, "@lapor1708_bot lampu mati", chat=GROUP)
        await standin.text(gateway.url, SARI, "kata orang", chat=GROUP)
        await channel.send(reply(purpose="acknowledgement"))
        await standin.press(gateway.url, standin.sent[0], "anonymous")
        await standin.block(gateway.url, SARI)
        assert posted.status == 200
        told = [(one.kind, one.text, one.automated) for one in gateway.messages]
        assert told == [
            ("message", "Jalan rusak", ""),
            ("edit", "Jalan sangat rusak", ""),
            ("part", "Tiga foto", ""),
            ("part", "", ""),
            ("part", "", ""),
            ("message", "lampu mati", ""),
            ("message", "Rahasiakan identitas saya.", ""),
            ("message", "", "blocked"),
        ]
        first, edit = gateway.messages[:2]
        assert first.provider_id == edit.provider_id
        assert len({one.part.ref for one in gateway.messages[2:5] if one.part}) == 1
        assert gateway.messages[6].thread.replies_to == (f"{SARI}:{standin.sent[0].id}",)


async def test_a_webhook_with_another_secret_is_refused() -> None:
    async with pair(hooked()) as (standin, channel), Gateway(channel) as gateway:
        standin.world.webhook = {"url": gateway.url, "secret_token": "another"}
        assert (await standin.text(gateway.url, SARI, "Jalan rusak")).status == 401
        assert gateway.messages == []


@pytest.mark.parametrize("from_", [SARI, "+6281234567890", "warga-1"])
async def test_a_reply_names_the_citizen_as_they_were_written(from_: str) -> None:
    async with pair() as (standin, channel):
        await standin.text("", from_, "Jalan rusak")
        (source,) = channel.sources()
        (message,) = (await source.fetch("")).items
        assert isinstance(message, InboundMessage)
        thread = Thread(conversation=message.thread.conversation, replies_to=(message.provider_id or "",))
        await channel.send(reply(to=message.sender.address, thread=thread))
        (heard,) = await standin.wait_for(lambda sent: len(sent) == 1)
        assert (heard.to, heard.sender) == (from_, "lapor1708_bot")
