"""Sending: how a text is cut, how each chat keeps its pace, and what a failure means."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.base import Thread
from channels.errors import Misconfigured, Refused, RetryLater, Uncertain
from channels.standin import Fault
from channels.telegram import TelegramSettings
from channels.telegram.outbound import MAX_UNITS, Moves, place_of
from channels.telegram.outbound import pieces as pieces_of
from channels.telegram.pacing import EVERY, GROUP_TURNS, LONGEST_WAIT, REMEMBERED, Pacer
from channels.telegram.standins import shapes
from channels.telegram.standins.shapes import units
from tests.channels.host import FakeKept, Provider, answer
from tests.channels.telegram.world import SARI, account, at, hooked, pair, reply

GROUP = -1001234567890


class TestPieces:
    @given(st.text(alphabet=st.one_of(st.sampled_from(" \n🌊é"), st.characters(codec="utf-8")), max_size=6000))
    @example("🌊" * 2049)
    @example("a" * 4096 + "b")
    @example("kata " * 2000)
    def test_nothing_is_lost_and_each_fits(self, text: str) -> None:
        if not text.strip():
            with pytest.raises(Refused, match="empty"):
                pieces_of(text)
            return
        pieces = pieces_of(text)
        assert "".join("".join(pieces).split()) == "".join(text.split())
        assert all(0 < units(piece) <= MAX_UNITS and piece == piece.strip() for piece in pieces)

    def test_a_short_text_is_one(self) -> None:
        assert pieces_of(" Nomor:\n482 913 7065 ") == ["Nomor:\n482 913 7065"]

    def test_it_is_cut_at_a_line_rather_than_a_word(self) -> None:
        first, second = pieces_of("kata " * 600 + "\n" + "lagi " * 600)
        assert (first[:4], first[-4:], second[:4]) == ("kata", "kata", "lagi")

    def test_a_character_of_two_units_is_not_cut(self) -> None:
        assert [len(piece) for piece in pieces_of("a" + "🌊" * 2048)] == [2048, 1]


class TestPlaces:
    @pytest.mark.parametrize("chat", ["", "0", "+6281234567890", "@lapor", "5 5", "٥", "9" * 30])
    def test_what_is_no_chat_is_refused(self, chat: str) -> None:
        with pytest.raises(Refused) as caught:
            place_of(reply(to=chat, thread=Thread()))
        assert caught.value.reason == "chat_not_found"

    @pytest.mark.parametrize(
        ("replies_to", "reply_to", "press"),
        [
            pytest.param((f"{SARI}:7", f"{SARI}:3"), 7, "", id="the nearest message"),
            pytest.param((f"{SARI}:press:abc", f"{SARI}:3"), 3, "abc", id="a button's press, and its message"),
            pytest.param(("-55:7", f"{SARI}:3"), 3, "", id="another chat's message is passed over"),
            pytest.param(("update:7",), 0, "", id="no message at all"),
            pytest.param(("odd", "", ":", "a:b:c"), 0, "", id="nothing of ours"),
        ],
    )
    def test_what_it_replies_to(self, replies_to: tuple[str, ...], reply_to: int, press: str) -> None:
        place = place_of(reply(thread=Thread(conversation=SARI, replies_to=replies_to)))
        assert (place.reply_to, place.press) == (reply_to, press)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestPacing:
    def test_one_message_a_second_in_a_chat(self) -> None:
        pacer = Pacer(Clock())
        assert [pacer.turn(5) for _ in range(4)] == [0.0, EVERY, 2 * EVERY, 3 * EVERY]
        with pytest.raises(RetryLater) as caught:
            pacer.turn(5)
        error = caught.value
        assert (error.reason, error.retry_after, error.whole_channel) == ("throttled", 4 * EVERY, False)

    def test_another_chat_does_not_wait(self) -> None:
        pacer = Pacer(Clock())
        for _ in range(4):
            pacer.turn(5)
        assert pacer.turn(6) == 0.0

    def test_twenty_a_minute_in_a_group(self) -> None:
        clock = Clock()
        pacer = Pacer(clock)
        for _ in range(GROUP_TURNS):
            assert pacer.turn(GROUP) == 0.0
            clock.now += EVERY
        with pytest.raises(RetryLater) as caught:
            pacer.turn(GROUP)
        assert caught.value.retry_after == 60 - GROUP_TURNS * EVERY
        clock.now += 60 - GROUP_TURNS * EVERY - LONGEST_WAIT
        assert pacer.turn(GROUP) == LONGEST_WAIT

    def test_a_private_chat_knows_no_minute(self) -> None:
        clock = Clock()
        pacer = Pacer(clock)
        for _ in range(3 * GROUP_TURNS):
            assert pacer.turn(5) == 0.0
            clock.now += EVERY

    def test_a_chat_is_held_and_let_go(self) -> None:
        clock = Clock()
        pacer = Pacer(clock)
        pacer.hold(5, 30)
        with pytest.raises(RetryLater):
            pacer.turn(5)
        assert pacer.turn(6) == 0.0
        clock.now += 30
        assert pacer.turn(5) == 0.0

    def test_it_forgets_chats_that_are_at_rest_and_keeps_those_that_wait(self) -> None:
        clock = Clock()
        pacer = Pacer(clock)
        pacer.hold(1, 3600)
        for chat in range(2, REMEMBERED + 50):
            pacer.turn(chat)
        clock.now += 61
        pacer.turn(0)
        assert len(pacer._chats) < 10
        with pytest.raises(RetryLater):
            pacer.turn(1)


class TestMoves:
    async def test_every_process_learns_of_a_move(self) -> None:
        kept = FakeKept()
        await Moves(kept).remember(-4321, GROUP)
        assert await Moves(kept).now(-4321) == GROUP

    @pytest.mark.parametrize("chat", [5, GROUP])
    async def test_what_cannot_move_is_not_looked_up(self, chat: int) -> None:
        class Away(FakeKept):
            async def get(self, name: str) -> str:
                raise RetryLater("the store is away")

        assert await Moves(Away()).now(chat) == chat
        with pytest.raises(RetryLater):
            await Moves(Away()).now(-4321)


async def test_throttled_in_one_chat_the_others_go_on() -> None:
    async with pair() as (standin, channel):
        standin.world.throttled[5] = time.monotonic() + 30
        with pytest.raises(RetryLater) as caught:
            await channel.send(reply(chat=5))
        assert (caught.value.reason, caught.value.whole_channel) == ("throttled", False)
        assert (await channel.send(reply(chat=6))).provider_ids == ("6:1",)
        with pytest.raises(RetryLater):
            await channel.send(reply(chat=5))
        # Held by us: Telegram, which would make the time longer, is not asked again.
        assert [call.parameters["chat_id"] for call in standin.calls] == [5, 6]


async def test_a_long_text_arrives_whole_with_the_buttons_last() -> None:
    text = "kata " * 1000
    async with pair() as (standin, channel):
        sent = await channel.send(reply(text, purpose="acknowledgement"))
        assert [f"{one.chat}:{one.id}" for one in standin.sent] == list(sent.provider_ids)
        assert " ".join(one.text for one in standin.sent).split() == text.split()
        assert [bool(one.keyboard) for one in standin.sent] == [False, True]


@pytest.mark.parametrize("status", [500, 401, 403])
async def test_half_a_reply_is_uncertain(status: int) -> None:
    yes = {"ok": True, "result": {"message_id": 1}}
    async with Provider() as provider, at(provider.url) as channel:
        provider.answers = [answer(document=yes), answer(status)]
        with pytest.raises(Uncertain):
            await channel.send(reply("kata " * 1000))


async def test_a_reply_lands_in_its_topic_and_under_its_message() -> None:
    async with pair() as (standin, channel):
        group = shapes.group(GROUP, forum=True)
        posted = await standin.text("", SARI, "@lapor1708_bot lampu mati", chat=group, topic=40)
        answered = posted.message["message_id"]
        thread = Thread(conversation=str(GROUP), replies_to=(f"{GROUP}:{answered}",), topic="40", public=True)
        await channel.send(reply(thread=thread, purpose="acknowledgement"))
        (heard,) = standin.sent
        assert (heard.to, heard.reply_to, heard.topic, heard.keyboard) == (SARI, answered, 40, [])


async def test_a_topic_that_is_gone_costs_the_topic_not_the_reply() -> None:
    async with pair() as (standin, channel):
        await channel.send(reply(thread=Thread(conversation=str(GROUP), topic="40", public=True)))
        assert [call.status for call in standin.calls] == [400, 200]
        assert standin.sent[0].topic == 0


async def test_a_message_that_was_deleted_is_answered_nevertheless() -> None:
    async with pair() as (standin, channel):
        await channel.send(reply(thread=Thread(conversation=SARI, replies_to=(f"{SARI}:99",))))
        assert [call.status for call in standin.calls] == [200]


async def test_a_move_that_telegram_tells_is_kept() -> None:
    async with pair() as (standin, channel):
        standin.world.moved[-4321] = GROUP
        await channel.send(reply(chat=-4321))
        await channel.send(reply(chat=-4321))
        assert [call.status for call in standin.calls] == [400, 200, 200]
        assert channel.host.kept("telegram").values == {"moved:-4321": str(GROUP)}  # type: ignore[attr-defined]


async def test_a_citizen_who_blocks_the_bot_is_out_of_reach_until_they_write_again() -> None:
    async with pair() as (standin, channel):
        await standin.block("", SARI)
        with pytest.raises(Refused) as caught:
            await channel.send(reply())
        assert caught.value.reason == "blocked"
        await standin.text("", SARI, "saya kembali")
        assert (await channel.send(reply())).provider_ids


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        pytest.param(Fault(kind="status", status=502), RetryLater, "http_502", id="502"),
        pytest.param(Fault(kind="status", status=429, retry_after=9), RetryLater, "throttled", id="429"),
        pytest.param(Fault(kind="status", status=401), Misconfigured, "credentials", id="401"),
        pytest.param(Fault(kind="reset"), Uncertain, "uncertain", id="the connection breaks"),
        pytest.param(Fault(kind="reset", taken=True), Uncertain, "uncertain", id="it breaks behind the message"),
    ],
)
async def test_what_a_fault_means(fault: Fault, error: type[Exception], reason: str) -> None:
    async with pair() as (standin, channel):
        standin.fault = fault
        with pytest.raises(error) as caught:
            await channel.send(reply())
        assert (type(caught.value), caught.value.reason) == (error, reason)  # type: ignore[attr-defined]
        assert len(standin.sent) == int(fault.taken)


async def test_no_answer_in_time_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.telegram.api.CALL_SECONDS", 0.05)
    async with pair() as (standin, channel):
        standin.fault = Fault(kind="hang")
        with pytest.raises(Uncertain):
            await channel.send(reply())


async def test_nobody_listens() -> None:
    async with at("http://127.0.0.1:1") as channel:
        with pytest.raises(RetryLater) as caught:
            await channel.send(reply())
        assert (type(caught.value), caught.value.reason) == (RetryLater, "connection")


async def test_a_port_that_speaks_no_http() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.go.id ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as channel:
        with pytest.raises(Uncertain):
            await channel.send(reply())


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with pair() as (standin, channel):
        await channel.send(reply())
        assert len(standin.sent) == 1


@pytest.mark.parametrize("settings", [account(), hooked()], ids=["polling", "webhook"])
async def test_who_answers_a_press(settings: TelegramSettings) -> None:
    """With a webhook, the reply to the press does it; a poller does it by itself."""
    async with pair(settings) as (standin, channel):
        thread = Thread(conversation=SARI, replies_to=(f"{SARI}:press:4382", f"{SARI}:1"))
        await channel.send(reply(thread=thread))
        expected = [{"callback_query_id": "4382"}] if settings.mode == "webhook" else []
        assert standin.world.answered == expected


async def test_a_press_that_is_too_old_to_answer_does_not_fail_the_reply() -> None:
    async with Provider() as provider, at(provider.url, hooked()) as channel:
        provider.answers = [
            answer(400, {"ok": False, "error_code": 400, "description": "Bad Request: query is too old"}),
            answer(document={"ok": True, "result": {"message_id": 1}}),
        ]
        thread = Thread(conversation=SARI, replies_to=(f"{SARI}:press:4382",))
        assert (await channel.send(reply(thread=thread))).provider_ids == (f"{SARI}:1",)


async def test_a_press_that_nobody_takes_does_not_hold_the_reply_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.telegram.outbound.COURTESY_SECONDS", 0.05)
    async with pair(hooked()) as (standin, channel):
        standin.fault = Fault(kind="hang", times=1)
        thread = Thread(conversation=SARI, replies_to=(f"{SARI}:press:4382",))
        assert (await channel.send(reply(thread=thread))).provider_ids
        assert standin.world.answered == []


async def test_closing_is_done_once_or_never() -> None:
    async with pair() as (_standin, channel):
        await channel.close()  # nothing was opened
        await channel.send(reply())
        await channel.close()
