"""Sending: doubles recognised, quotas kept apart, files fetched only where X keeps them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web

from channels.base import Attachment, OutboundMessage, Sent, Thread
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from channels.http import HttpClient
from channels.twitter import media
from channels.twitter.standin import StandIn
from tests.channels.host import Provider, answer
from tests.channels.twitter.account import opened, settings
from tests.channels.twitter.test_standin import no_raw

POST = Thread("1", ("1",), public=True)
DUPLICATE = {"detail": "You are not allowed to create a Tweet with duplicate content.", "status": 403}


def message(delivery: str = "d-1", thread: Thread = POST) -> OutboundMessage:
    return OutboundMessage(delivery=delivery, to="5", text="Nomor 482 913 7065", thread=thread, number="4829137065")


async def test_a_double_after_an_uncertain_attempt_was_sent() -> None:
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(502, text="<html>"), answer(403, DUPLICATE)]
        with pytest.raises(Uncertain):
            await channel.send(message())
        assert await channel.send(msgspec.structs.replace(message(), repeated=True)) == Sent(())


async def test_a_double_of_another_reply_is_refused() -> None:
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(502, text="<html>"), answer(403, DUPLICATE)]
        with pytest.raises(Uncertain):
            await channel.send(message("d-1"))
        with pytest.raises(Refused) as caught:
            await channel.send(message("d-2"))
        assert caught.value.reason == "duplicate"


@pytest.mark.parametrize(
    ("thread", "error"),
    [
        pytest.param(Thread(), Refused, id="beside a public reply: only this message"),
        pytest.param(Thread("1-5", ("dm:7",)), Misconfigured, id="in answer to a direct message: the channel"),
    ],
)
async def test_an_app_that_may_not_write_directly_goes_on_posting(thread: Thread, error: type[ChannelError]) -> None:
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(403, {"detail": "Your app lacks the scope dm.write", "title": "Forbidden"})]
        with pytest.raises(error) as caught:
            await channel.send(message("d-1", thread))
        assert caught.value.reason == "permission"


async def test_a_used_up_quota_is_not_asked_again_and_leaves_the_other_way_open() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        posted = await x.text("", "5", "jalan rusak")
        way = "POST /2/dm_conversations/with/{participant_id}/messages"
        x.door.limits[way] = 1
        await channel.send(message("d-1", Thread()))
        x.fault = None
        for _ in range(2):
            with pytest.raises(RetryLater) as caught:
                await channel.send(message("d-2", Thread()))
            assert (caught.value.reason, caught.value.whole_channel) == ("quota", False)
            assert 0 < (caught.value.retry_after or 0) <= 900
        await channel.send(message("d-3", Thread(posted.id, (posted.id,), public=True)))
        x.door.limits["POST /2/tweets"] = 0
        with pytest.raises(RetryLater) as caught:
            await channel.send(message("d-4", Thread(posted.id, (posted.id,), public=True)))
        assert caught.value.whole_channel
        left = {quota.endpoint: quota.left for quota in channel.quotas()}
        assert left["POST /2/dm_conversations/with/:participant_id/messages"] == 0


async def test_a_429_tells_when_x_may_be_asked_again() -> None:
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(429, headers={"x-rate-limit-reset": "1"})]
        with pytest.raises(RetryLater) as caught:
            await channel.send(message())
        assert caught.value.retry_after == 1.0
        asked = len(x.requests)
        with pytest.raises(RetryLater):
            await channel.send(message())
        assert len(x.requests) == asked


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("You have been blocked from performing this action.", "blocked"),
        ("You are not authorized to see this post: it is protected.", "protected"),
        ("User has been suspended.", "author_suspended"),
    ],
)
async def test_why_a_citizen_cannot_be_answered(words: str, reason: str) -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        posted = await x.text("", "5", "jalan rusak")
        x.door.refused["5"] = words
        with pytest.raises(Refused) as caught:
            await channel.send(message(thread=Thread(posted.id, (posted.id,), public=True)))
        assert caught.value.reason == reason


async def test_a_post_that_was_taken_back_or_never_spoke_to_us() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        posted = await x.text("", "5", "jalan rusak")
        other = x.platform.post(x.platform.user("6"), "bukan untuk kami")
        await x.delete("", posted.id)
        reasons = []
        for id_ in (posted.id, other.id):
            with pytest.raises(Refused) as caught:
                await channel.send(message(thread=Thread(id_, (id_,), public=True)))
            reasons.append(caught.value.reason)
        assert reasons == ["deleted", "not_allowed"]


class TestFiles:
    @pytest.mark.parametrize(
        "url",
        [
            "http://pbs.twimg.com/media/a.jpg",
            "https://pbs.twimg.com.example.org/media/a.jpg",
            "https://pbs.twimg.com:8443/media/a.jpg",
            "https://pbs.twimg.com@169.254.169.254/a.jpg",
            "https://user@pbs.twimg.com/a.jpg",
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:22/",
            "https://[::1]/",
            "file:///etc/passwd",
            "//pbs.twimg.com/a.jpg",
            "",
            "https://",
            "https://pbs.twimg.com:99999/",
            "https://ton.x.com.example.org/1.1/ton/data/dm/1/2/a.jpg",
            "https://ton.x.com/1.1/ton/data/dm/1/2/../../../a.jpg",
        ],
    )
    async def test_no_other_host_is_asked(self, url: str) -> None:
        async with opened("https://api.x.com") as channel:
            with pytest.raises(Refused) as caught:
                await read(channel, url)
            assert caught.value.reason == "foreign_host"

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("https://pbs.twimg.com/media/a.jpg", media.Place("https://pbs.twimg.com/media/a.jpg", login=False)),
            (
                "https://PBS.twimg.com/media/a.jpg?x=1",
                media.Place("https://PBS.twimg.com/media/a.jpg?x=1", login=False),
            ),
            (
                "https://ton.twitter.com/1.1/ton/data/dm/11/22/a_b.jpg",
                media.Place("https://api.x.com/2/dm_conversations/media/11/22/a_b.jpg", login=True),
            ),
        ],
    )
    def test_where_x_s_own_files_are_asked_for(self, url: str, place: media.Place) -> None:
        assert media.place_of(url, settings()) == place

    async def test_a_file_of_a_direct_message_is_fetched_with_our_token_and_a_public_one_without(self) -> None:
        async with Provider() as x, opened(x.url) as channel:
            x.answers = [answer(200, text="data")]
            assert await read(channel, "https://ton.x.com/1.1/ton/data/dm/11/22/a.jpg") == b"data"
            assert await read(channel, f"{x.url}/media/a.jpg") == b"data"
            private, public = x.requests
            assert private.path == "/2/dm_conversations/media/11/22/a.jpg"
            assert private.headers["authorization"].startswith("Bearer ")
            assert "authorization" not in public.headers

    @pytest.mark.parametrize(
        ("given", "error", "reason"),
        [
            (answer(404), Refused, "gone"),
            (answer(403), Refused, "gone"),
            (answer(302, headers={"location": "http://127.0.0.1:1/"}), Refused, "redirect"),
            (answer(429), RetryLater, "http_429"),
            (answer(503), RetryLater, "http_503"),
            (answer(401), Refused, "gone"),
        ],
        ids=lambda value: str(value.status) if isinstance(value, web.Response) else None,
    )
    async def test_a_file_that_does_not_come(self, given: web.Response, error: type[ChannelError], reason: str) -> None:
        async with Provider() as x, opened(x.url) as channel:
            x.answers = [given]
            with pytest.raises(error) as caught:
                await read(channel, f"{x.url}/media/a.jpg")
            assert (type(caught.value), caught.value.reason) == (error, reason)

    async def test_our_login_is_refused(self) -> None:
        async with Provider() as x, opened(x.url) as channel:
            x.answers = [answer(401)]
            with pytest.raises(Misconfigured):
                await read(channel, "https://ton.x.com/1.1/ton/data/dm/11/22/a.jpg")

    async def test_a_file_without_end_is_cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(media, "MAX_FILE", 100_000)
        async with Provider() as x, opened(x.url) as channel:
            x.answers = [answer(200, text="x" * 200_000)]
            with pytest.raises(Refused) as caught:
                await read(channel, f"{x.url}/media/a.jpg")
            assert caught.value.reason == "too_large"


async def read(channel: Any, url: str) -> bytes:
    file = Attachment("a.jpg", "image/jpeg", reference=url)
    return b"".join([piece async for piece in channel.download(file, no_raw)])


async def test_an_answer_over_the_bound_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.twitter.client.MAX_BODY", 1000)
    async with Provider() as x, opened(x.url) as channel, HttpClient():
        x.answers = [answer(201, {"data": {"id": "1", "text": "x" * 2000}})]
        with pytest.raises(Uncertain):
            await channel.send(message())
