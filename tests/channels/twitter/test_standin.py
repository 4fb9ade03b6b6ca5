"""The channel and its stand-in together, and both held against X's own description."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from channels.base import InboundMessage, OutboundMessage, Thread
from channels.errors import Misconfigured, Refused, RetryLater, Uncertain
from channels.http import HttpClient
from channels.receiving import Item
from channels.standin import Fault
from channels.twitter import TwitterChannel
from channels.twitter.standin import StandIn
from normalizer.normalize import Normalizer
from tests.channels.twitter.account import RENEWED, opened, settings
from tests.channels.twitter.spec import check_answer, check_request, needs_spec
from tests.channels.twitter.witness import Witness


def message(item: Item) -> InboundMessage:
    assert isinstance(item, InboundMessage)
    return item


def answer_to(one: InboundMessage, text: str, *, delivery: str = "d-1", number: str = "") -> OutboundMessage:
    replies_to = (one.provider_id or "", *one.thread.replies_to)
    thread = Thread(one.thread.conversation, replies_to, public=one.thread.public)
    return OutboundMessage(delivery=delivery, to=one.sender.address, text=text, thread=thread, number=number)


async def read(channel: TwitterChannel, name: str) -> list[InboundMessage]:
    source = next(one for one in channel.sources() if one.name == name)
    return [message(item) for item in (await source.fetch("")).items]


async def test_a_mention_is_read_and_answered_in_its_thread() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        posted = await x.text("", "@budi", "Jalan rusak & gelap")
        (complaint,) = await read(channel, "mentions")
        assert (complaint.text, complaint.provider_id) == ("Jalan rusak & gelap", posted.id)
        sent = await channel.send(answer_to(complaint, "Nomor 482 913 7065"))
        (heard,) = await x.wait_for(lambda sent: len(sent) == 1)
        assert (heard.to, heard.text, heard.in_reply_to) == ("@budi", "Nomor 482 913 7065", posted.id)
        assert not heard.private
        assert sent.provider_ids == (heard.id,)
        await x.reply("", "@budi", heard.id, "masih rusak")
        follow_up = (await read(channel, "mentions"))[-1]
        assert follow_up.text == "masih rusak"
        assert follow_up.thread == Thread(posted.id, (heard.id, posted.id), public=True)


async def test_a_direct_message_is_read_and_answered_privately() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        await x.text("", "5550001", "ada pungli", private=True)
        (complaint,) = await read(channel, "messages")
        assert complaint.sender.address == "5550001"
        await channel.send(answer_to(complaint, "Nomor 482 913 7065"))
        (heard,) = x.sent
        assert (heard.to, heard.private, heard.text) == ("5550001", True, "Nomor 482 913 7065")
        own = (await read(channel, "messages"))[-1]
        assert own.automated == "own"


async def test_all_a_citizen_can_do() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        first = await x.text("", "budi", "jalan rusak", media={"a.jpg": b"photo"})
        other = x.platform.post(x.platform.user("siti"), "lampu mati")
        await x.quote("", "budi", other.id, "ini juga")
        await x.retweet("", "siti", first.id)
        await x.edit("", first.id, "@lapor1708 jalan Thamrin rusak")
        gone = await x.text("", "tono", "salah kirim")
        await x.delete("", gone.id)
        quote, retweet, edit = await read(channel, "mentions")
        assert quote.quoted == f"lampu mati\nhttps://x.com/siti/status/{other.id}"
        assert retweet.automated == "retweet"
        assert (edit.kind, edit.provider_id, edit.text) == ("edit", first.id, "jalan Thamrin rusak")
        (photo,) = edit.attachments
        assert b"".join([piece async for piece in channel.download(photo, no_raw)]) == b"photo"


async def no_raw() -> bytes:
    raise AssertionError("the raw payload is not needed")


@needs_spec
async def test_every_request_and_every_answer_is_as_x_describes_them() -> None:
    async with StandIn(settings()) as x, Witness(x.url) as witness, opened(witness.url) as channel:
        other = x.platform.post(x.platform.user("siti"), "lampu mati")
        for number in range(130):
            await x.text("", "budi", f"laporan {number} #jalan", at=datetime.now(UTC) - timedelta(minutes=200 - number))
        photo = await x.text("", "budi", "foto", media={"a.jpg": b"photo"})
        await x.quote("", "budi", other.id, "ini")
        await x.reply("", "budi", photo.id, "@lapor1708 lagi")
        await x.edit("", photo.id, "@lapor1708 foto baru")
        for number in range(3):
            await x.text("", "5550001", f"pesan {number}", private=True)
        mentions, messages = channel.sources()
        first = await mentions.fetch("")
        assert len(first.items) == 133
        await mentions.fetch(first.cursor)
        (direct, *_) = [message(item) for item in (await messages.fetch("")).items]
        complaint = message(first.items[0])
        await channel.send(answer_to(complaint, "Nomor 482 913 7065"))
        await channel.send(answer_to(direct, "Nomor 482 913 7065"))
        assert await channel.probe() == "X takes the token of @lapor1708"
        with pytest.raises(Refused):
            await channel.send(answer_to(complaint, "Nomor 482 913 7065"))
        x.door.refused["5550001"] = "You do not have permission to DM one or more participants."
        with pytest.raises(Refused):
            await channel.send(answer_to(direct, "Nomor 482 913 7066"))
        x.door.limits["POST /2/tweets"] = 0
        with pytest.raises(RetryLater):
            await channel.send(answer_to(complaint, "Nomor 482 913 7067"))
        x.door.tokens.clear()
        with pytest.raises(Misconfigured):
            await channel.probe()
        templates = set()
        for one in witness.seen:
            templates.add(check_request(one.method, one.path, one.query, one.body))
            check_answer(one.method, one.path, one.status, one.content_type, one.answer)
        assert {one.status for one in witness.seen} == {200, 201, 401, 403, 429}
        assert templates == {
            "/2/users/{id}/mentions",
            "/2/users/me",
            "/2/dm_events",
            "/2/tweets",
            "/2/dm_conversations/with/{participant_id}/messages",
        }
        assert any("start_time" in one.query for one in witness.seen)
        assert any("pagination_token" in one.query for one in witness.seen)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ({"tweet.fields": "id"}, "tweet.fields"),
        ({"since": "1"}, "since"),
        ({"start_time": "2026-11-20 03:04"}, "start_time"),
    ],
    ids=str,
)
async def test_the_stand_in_takes_no_parameter_that_x_does_not_know(query: dict[str, str], refused: str) -> None:
    async with StandIn(settings()) as x, HttpClient() as http:
        url = f"{x.url}/2/users/{x.account.user_id}/mentions"
        token = next(iter(x.door.tokens))
        answer = await http.request("GET", url, params=query, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.json()["parameter"]) == (400, refused)


@pytest.mark.parametrize(
    ("fault", "error", "posted"),
    [
        (Fault(kind="status", status=503, times=1), RetryLater, 0),
        (Fault(kind="reset", times=1), Uncertain, 0),
        (Fault(kind="reset", taken=True, times=1), Uncertain, 1),
        (Fault(kind="status", status=502, taken=True, times=1), Uncertain, 1),
    ],
    ids=["not taken", "broken", "broken after it was taken", "502 after it was taken"],
)
async def test_a_reply_that_failed_is_sent_again_and_never_stands_there_twice(
    fault: Fault, error: type[Exception], posted: int
) -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        await x.text("", "budi", "jalan rusak")
        (complaint,) = await read(channel, "mentions")
        x.fault = fault
        with pytest.raises(error) as caught:
            await channel.send(answer_to(complaint, "Nomor 482 913 7065"))
        assert type(caught.value) is error
        assert len(x.sent) == posted
        again = msgspec.structs.replace(answer_to(complaint, "Nomor 482 913 7065"), repeated=error is Uncertain)
        sent = await channel.send(again)
        assert len(x.sent) == 1
        assert len(sent.provider_ids) == 1 - posted


async def test_in_the_webhook_mode_events_are_signed_and_taken() -> None:
    async with StandIn(settings(mode="webhook")) as x, opened(x.url, mode="webhook") as channel:
        taken, url, stop = await listening(channel)
        posted = await x.text(url, "budi", "jalan rusak")
        await x.text(url, "5550001", "ada pungli", private=True)
        await x.reply(url, "budi", posted.id, "@lapor1708 lagi")
        await x.edit(url, posted.id, "@lapor1708 jalan Thamrin rusak")
        assert posted.status == 200
        await x.delete(url, posted.id)
        assert [(one.kind, one.text, one.thread.public) for one in taken] == [
            ("message", "jalan rusak", True),
            ("message", "ada pungli", False),
            ("message", "@budi lagi", True),
            ("edit", "jalan Thamrin rusak", True),
            ("deletion", "", False),
        ]
        await stop()


async def test_what_a_webhook_brought_is_the_same_event_when_it_is_read() -> None:
    normalizer = Normalizer("twitter", "twitter", secret=b"key")
    now = datetime.now(UTC)
    async with StandIn(settings(mode="webhook")) as x, opened(x.url, mode="webhook", catch_up="5m") as channel:
        taken, url, stop = await listening(channel)
        other = x.platform.post(x.platform.user("siti"), "lampu mati")
        await x.text(url, "budi", "jalan rusak", media={"a.jpg": b"photo"})
        await x.quote(url, "budi", other.id, "ini juga")
        await x.text(url, "5550001", "ada pungli", private=True)
        mentions, messages = [await source.fetch("") for source in channel.sources()]
        assert (mentions.rest, messages.rest) == (300, 300)
        found = [message(item) for item in (*mentions.items, *messages.items)]
        assert [normalizer.event(one, now).id for one in found] == [normalizer.event(one, now).id for one in taken]
        await stop()


async def test_a_webhook_alone() -> None:
    async with opened("http://127.0.0.1:1", mode="webhook", catch_up=0) as channel:
        assert channel.sources() == ()


async def listening(channel: TwitterChannel):  # type: ignore[no-untyped-def]
    """A gateway that takes webhooks: verified, then parsed."""
    from aiohttp import web

    from channels.base import Request

    taken: list[InboundMessage] = []

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        one = Request(method="POST", target=request.path_qs, query={}, headers=headers, body=body)
        channel.verify(one)
        taken.extend(channel.parse(one))
        return web.Response()

    application = web.Application()
    application.router.add_post("/webhooks/twitter", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return taken, f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/twitter", runner.cleanup


async def test_a_channel_with_renewed_tokens() -> None:
    async with StandIn(settings(**RENEWED)) as x, opened(x.url, **RENEWED) as channel:
        assert "lapor1708" in await channel.probe()
        x.door.tokens.clear()  # X ends the token before its time
        assert "lapor1708" in await channel.probe()
        assert x.door.renewals == 2
