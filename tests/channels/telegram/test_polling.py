"""Polling: nothing is acknowledged before the next call, and nothing in an answer stops the reading."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from channels.base import InboundMessage
from channels.errors import Misconfigured, RetryLater, Uncertain
from channels.receiving import Fetched, Unreadable
from channels.standin import Fault
from channels.telegram import TelegramChannel
from channels.telegram.inbound import ALLOWED
from channels.telegram.polling import QUICK
from channels.telegram.standins import shapes
from tests.channels.host import Provider, answer
from tests.channels.telegram.world import SARI, account, at, hooked, pair, reply


def texts(fetched: Fetched) -> list[str]:
    return [item.text for item in fetched.items if isinstance(item, InboundMessage)]


async def read(channel: TelegramChannel, cursor: str = "") -> Fetched:
    (source,) = channel.sources()
    return await source.fetch(cursor)


def test_a_channel_with_a_webhook_polls_nothing() -> None:
    assert TelegramChannel("telegram", hooked(), None).sources() == ()  # type: ignore[arg-type]


async def test_what_waits_comes_oldest_first() -> None:
    async with pair() as (standin, channel):
        for word in ("satu", "dua", "tiga"):
            await standin.text("", SARI, word)
        assert texts(await read(channel)) == ["satu", "dua", "tiga"]


async def test_a_batch_is_acknowledged_by_the_next_call_alone() -> None:
    async with pair() as (standin, channel):
        await standin.text("", SARI, "satu")
        (source,) = channel.sources()
        first = await source.fetch("")
        assert len(standin.world.queue.waiting) == 1
        await standin.text("", SARI, "dua")
        assert texts(await source.fetch(first.cursor)) == ["dua"]
        assert [one["message"]["text"] for one in standin.world.queue.waiting] == ["dua"]


async def test_a_death_between_reading_and_writing_loses_nothing_and_gives_the_same_message() -> None:
    async with pair() as (standin, channel):
        await standin.text("", SARI, "satu")
        before = await read(channel)
        async with at(standin.url) as another:
            assert list((await read(another, "")).items) == list(before.items)


async def test_more_than_one_answer_holds_comes_with_the_next() -> None:
    async with pair() as (standin, channel):
        for number in range(130):
            await standin.text("", SARI, str(number))
        first = await read(channel)
        second = await read(channel, first.cursor)
        assert texts(first) + texts(second) == [str(number) for number in range(130)]
        assert (first.rest, second.rest) == (0.0, 0.0)


async def test_it_waits_for_news() -> None:
    async with pair() as (standin, channel):
        reading = asyncio.create_task(read(channel))
        while not standin.world.queue.asked:
            await asyncio.sleep(0.001)
        await standin.text("", SARI, "akhirnya")
        assert texts(await reading) == ["akhirnya"]


async def test_it_can_be_cancelled_while_it_waits() -> None:
    async with pair() as (standin, channel):
        reading = asyncio.create_task(read(channel))
        while not standin.world.queue.asked:
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await standin.text("", SARI, "satu")
        assert texts(await read(channel)) == ["satu"]


async def test_a_cursor_that_has_served_is_dropped() -> None:
    """After a week without an update Telegram counts from anywhere, also from below."""
    async with Provider() as provider, at(provider.url, account(username="b")) as channel:
        provider.answers = [answer(document={"ok": True, "result": True}), answer(document={"ok": True, "result": []})]
        fetched = await read(channel, "700000009")
        assert (fetched.cursor, fetched.rest) == ("", QUICK)  # it did not hold the call open
        assert provider.requests[-1].form["offset"] == "700000009"
        await read(channel, fetched.cursor)
        assert "offset" not in provider.requests[-1].form


async def test_a_webhook_that_is_set_is_taken_away_first_and_drops_nothing() -> None:
    async with pair() as (standin, channel):
        standin.world.webhook = {"url": "https://old.example.go.id"}
        await standin.text("", SARI, "satu")
        assert texts(await read(channel)) == ["satu"]


async def test_it_asks_for_the_kinds_it_reads() -> None:
    async with pair() as (standin, channel):
        await standin.text("", SARI, "satu")
        await read(channel)
        assert standin.calls[-1].parameters["allowed_updates"] == list(ALLOWED)


async def test_of_two_pollers_one_is_told() -> None:
    async with pair() as (standin, channel), at(standin.url) as other:
        first = asyncio.create_task(read(channel))
        while not standin.world.queue.asked:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(read(other))
        with pytest.raises(RetryLater) as caught:
            await first
        assert caught.value.reason == "conflict"
        await standin.text("", SARI, "satu")
        assert texts(await second) == ["satu"]


async def test_the_bot_is_asked_for_its_name_once() -> None:
    async with pair() as (standin, channel):
        group = shapes.group(-1001234567890)
        await standin.text("", SARI, "@lapor1708_bot lampu mati", chat=group)
        first = await read(channel)
        await standin.text("", SARI, "lampu siapa", chat=group)
        await standin.text("", SARI, "halo")
        assert texts(first) == ["lampu mati"]
        assert texts(await read(channel, first.cursor)) == ["halo"]
        assert [call.method for call in standin.calls].count("getMe") == 1


async def test_a_group_that_moves_is_remembered_for_replies() -> None:
    async with pair() as (standin, channel):
        await standin.migrate("", SARI, -4321, -1001234567890)
        assert (await read(channel)).items == []
        sent = await channel.send(reply(chat=-4321))
        assert sent.provider_ids[0].startswith("-1001234567890:")
        assert [call.status for call in standin.calls if call.method == "sendMessage"] == [200]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        pytest.param("anonymous", {}, id="nothing to say"),
        pytest.param("add", {"show_alert": True}, id="a hint in a window"),
        pytest.param("of old", {}, id="a button of long ago"),
    ],
)
async def test_a_press_is_answered_once_it_is_durable(data: str, shown: dict[str, Any]) -> None:
    async with pair() as (standin, channel):
        await channel.send(reply(purpose="acknowledgement"))
        (source,) = channel.sources()
        await standin.press("", standin.sent[0], data)
        fetched = await source.fetch("")
        assert standin.world.answered == []
        await standin.text("", SARI, "lagi")
        await source.fetch(fetched.cursor)
        (answered,) = standin.world.answered
        assert {key: answered.get(key) for key in shown} == shown
        assert ("text" in answered) is bool(shown)


async def test_a_press_that_cannot_be_answered_stops_nothing() -> None:
    async with pair() as (standin, channel):
        await channel.send(reply(purpose="acknowledgement"))
        (source,) = channel.sources()
        await standin.press("", standin.sent[0], "add")
        fetched = await source.fetch("")
        await standin.text("", SARI, "lagi")
        standin.fault = Fault(kind="status", status=400)
        assert texts(await source.fetch(fetched.cursor)) == ["lagi"]


def batch(*updates: str) -> str:
    return '{"ok":true,"result":[' + ",".join(updates) + "]}"


GOOD = json.dumps({"update_id": 10, "message": {"message_id": 1, "chat": {"id": 5, "type": "private"}, "text": "ya"}})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param('{"update_id":9,"message":null}', "wrong_shape", id="null where a message is due"),
        pytest.param('{"update_id":9,"message":{"chat":{}}}', "no_message_id", id="a message without ids"),
        pytest.param("17", "wrong_shape", id="a number"),
        pytest.param('{"message":{}}', "no_update_id", id="no id"),
    ],
)
async def test_an_update_that_cannot_be_read_costs_only_itself(bad: str, reason: str) -> None:
    async with Provider() as provider, at(provider.url, account(username="b")) as channel:
        provider.answers = [answer(document={"ok": True, "result": True}), answer(text=batch(bad, GOOD))]
        fetched = await read(channel)
        (unreadable, message) = fetched.items
        assert isinstance(unreadable, Unreadable)
        assert (unreadable.raw, unreadable.reason) == (bad.encode(), reason)
        assert message.raw == GOOD.encode()
        assert fetched.cursor == "11"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param('{"update_id":9,"x":"\\ud83d"}', id="half a character"),
        pytest.param('{"update_id":9,"x":NaN}', id="a number that JSON does not have"),
        pytest.param('{"update_id":9,"x":1e999}', id="a number out of range"),
    ],
)
async def test_what_the_quick_reader_refuses_is_read_slowly(odd: str) -> None:
    async with Provider() as provider, at(provider.url, account(username="b")) as channel:
        provider.answers = [answer(document={"ok": True, "result": True}), answer(text=batch(odd, GOOD))]
        fetched = await read(channel)
        assert texts(fetched) == ["", "ya"]
        assert fetched.cursor == "11"


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        pytest.param(answer(text='{"ok":true,"resu'), Uncertain, "bad_answer", id="half an answer"),
        pytest.param(answer(text=""), Uncertain, "bad_answer", id="nothing"),
        pytest.param(answer(text="[]"), Uncertain, "bad_answer", id="a list"),
        pytest.param(answer(text='{"ok":true,"result":{}}'), Uncertain, "bad_answer", id="no list of updates"),
        pytest.param(answer(text="[" * 100_000), Uncertain, "bad_answer", id="deeper than any reader"),
        pytest.param(answer(text=batch("{}", "5")), RetryLater, "bad_answer", id="updates without ids"),
        pytest.param(answer(401, {"ok": False}), Misconfigured, "credentials", id="a refused token"),
        pytest.param(answer(409, {"ok": False}), RetryLater, "conflict", id="another poller"),
        pytest.param(answer(429, {"parameters": {"retry_after": 7}}), RetryLater, "throttled", id="throttled"),
        pytest.param(answer(500, text="<html>"), RetryLater, "http_500", id="a server that is ill"),
        pytest.param(answer(400, [1]), RetryLater, "bad_request", id="an error of no shape"),
        pytest.param(answer(400, {"parameters": [1], "description": 7}), RetryLater, "bad_request", id="odd parts"),
    ],
)
async def test_an_answer_that_is_none(said: Any, error: type[Exception], reason: str) -> None:
    async with Provider() as provider, at(provider.url, account(username="b")) as channel:
        provider.answers = [answer(document={"ok": True, "result": True}), said]
        with pytest.raises(error) as caught:
            await read(channel)
        assert getattr(caught.value, "reason", "") == reason


async def test_nobody_listens() -> None:
    async with at("http://127.0.0.1:1") as channel:
        with pytest.raises(RetryLater) as caught:
            await read(channel)
        assert (type(caught.value), caught.value.reason) == (RetryLater, "connection")
