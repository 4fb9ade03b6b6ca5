"""Reading the mentions and direct messages: everything once, oldest first, whatever comes between."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from channels.base import InboundMessage
from channels.errors import Misconfigured, RetryLater
from channels.receiving import Item, Source, Unreadable
from channels.standin import Fault
from channels.twitter import TwitterChannel
from channels.twitter.standin import StandIn
from tests.channels.host import Provider, answer
from tests.channels.twitter.account import HANDLE, USER_ID, opened, settings

NOW = datetime.now(UTC)


def source_of(channel: TwitterChannel, name: str = "mentions") -> Source:
    return next(one for one in channel.sources() if one.name == name)


def texts(items: Sequence[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, InboundMessage)]


async def all_of(source: Source, cursor: str) -> tuple[list[Item], str]:
    """Read until the source wants to rest."""
    found: list[Item] = []
    while True:
        fetched = await source.fetch(cursor)
        found += fetched.items
        cursor = fetched.cursor
        if fetched.rest > 0:
            return found, cursor


async def posts(x: StandIn, count: int, *, since: timedelta, private: bool = False) -> list[str]:
    """That many mentions, evenly over the time since then; returns their texts, oldest first."""
    made = [f"laporan {number}" for number in range(count)]
    for number, text in enumerate(made):
        await x.text("", f"u{number % 7}", text, at=NOW - since + since * number / count, private=private)
    return made


@pytest.mark.parametrize("private", [False, True], ids=["mentions", "messages"])
async def test_three_days_away_then_everything_comes_in_oldest_first(private: bool) -> None:
    name = "messages" if private else "mentions"
    async with StandIn(settings()) as x, opened(x.url) as channel:
        await x.text("", "budi", "sebelumnya", at=NOW - timedelta(days=3, hours=1), private=private)
        before, cursor = await all_of(source_of(channel, name), "")
        assert texts(before) == ["sebelumnya"]
        # The cursor as it was three days ago.
        cursor = cursor.replace(_since(cursor), (NOW - timedelta(days=3)).isoformat())
        made = await posts(x, 2345, since=timedelta(days=2), private=private)
        found, _ = await all_of(source_of(channel, name), cursor)
        assert texts(found) == made


def _since(cursor: str) -> str:
    return cursor.partition('"since":"')[2].partition('"')[0]


@pytest.mark.parametrize(("kill_every", "count"), [(1, 900), (2, 900), (3, 1500)])
async def test_killed_between_any_two_readings_loses_none(kill_every: int, count: int) -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        made = await posts(x, count, since=timedelta(days=2))
        found: list[str] = []
        cursor = ""
        source = source_of(channel)
        for reading in range(1, 60):
            if reading % kill_every == 0:
                source = source_of(channel)  # another process, with nothing but the cursor
            fetched = await source.fetch(cursor)
            found += texts(fetched.items)
            cursor = fetched.cursor
            if fetched.rest > 0:
                break
        assert list(dict.fromkeys(found)) == made


async def test_a_reading_that_did_not_become_durable_is_read_again() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        made = await posts(x, 700, since=timedelta(hours=5))
        source = source_of(channel)
        lost = await source.fetch("")
        while not lost.items:
            lost = await source.fetch(lost.cursor)
        found, _ = await all_of(source, "")
        assert texts(found) == made


async def test_a_late_mention_that_did_not_become_durable_is_read_again() -> None:
    async with Provider() as x, opened(x.url) as channel:
        # X's clock stands still, so nothing but the batch tells the cursors apart.
        date = {"Date": email.utils.format_datetime(NOW)}
        x.answers = [answer(200, {"data": [_post("9")]}, headers=date)]
        x.answers.append(answer(200, {"data": [_post("9"), _post("3")]}, headers=date))
        source = source_of(channel)
        _, cursor = await all_of(source, "")
        lost = await source.fetch(cursor)
        assert texts(lost.items) == ["halo 3"]
        again = await source.fetch(cursor)
        assert "halo 3" in texts(again.items)
        assert (await source.fetch(again.cursor)).items == []


async def test_what_was_handed_over_is_not_handed_over_at_each_reading() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        source = source_of(channel)
        made = await posts(x, 50, since=timedelta(minutes=5))
        found, cursor = await all_of(source, "")
        assert texts(found) == made
        for _ in range(3):
            again, cursor = await all_of(source, cursor)
            assert again == []


async def test_a_mention_that_shows_up_late_comes_in() -> None:
    async with StandIn(settings(overlap="10m")) as x, opened(x.url, overlap="10m") as channel:
        source = source_of(channel)
        await x.text("", "budi", "pertama")
        _, cursor = await all_of(source, "")
        await x.text("", "siti", "terlambat", at=datetime.now(UTC) - timedelta(minutes=8))
        found, cursor = await all_of(source, cursor)
        assert texts(found) == ["terlambat"]
        assert (await all_of(source, cursor))[0] == []


async def test_after_a_restart_the_overlap_is_read_again_and_is_the_same() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        await x.text("", "budi", "pertama")
        first, cursor = await all_of(source_of(channel), "")
        again, _ = await all_of(source_of(channel), cursor)
        assert again == first


@pytest.mark.parametrize("private", [False, True], ids=["mentions", "messages"])
async def test_at_the_very_first_start_older_messages_are_recorded_not_answered(private: bool) -> None:
    name = "messages" if private else "mentions"
    async with StandIn(settings()) as x, opened(x.url, backfill="2h") as channel:
        for hours in (5, 3, 1):
            await x.text("", "budi", f"{hours}", at=NOW - timedelta(hours=hours), private=private)
        found, cursor = await all_of(source_of(channel, name), "")
        marked = [(one.text, one.automated) for one in found if isinstance(one, InboundMessage)]
        assert marked == [("5", "before_start"), ("3", "before_start"), ("1", "")]
        # Not the first start any more, however long we were away.
        assert f'"answer_from":"{_answer_from(cursor)}"' in (await source_of(channel, name).fetch(cursor)).cursor


def _answer_from(cursor: str) -> str:
    return cursor.partition('"answer_from":"')[2].partition('"')[0]


async def test_an_edit_is_handed_over_as_a_version() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        source = source_of(channel)
        posted = await x.text("", "budi", "jalan rusak")
        _, cursor = await all_of(source, "")
        await x.edit("", posted.id, f"@{HANDLE} jalan Thamrin rusak")
        (edit,), _ = await all_of(source, cursor)
        assert isinstance(edit, InboundMessage)
        assert (edit.kind, edit.provider_id) == ("edit", posted.id)


async def test_without_direct_messages_only_mentions_are_read() -> None:
    async with StandIn(settings()) as x, opened(x.url, direct_messages=False) as channel:
        assert [one.name for one in channel.sources()] == ["mentions"]


@pytest.mark.parametrize("garbage", ["{", "42", '{"newest": 7}', "\x00"])
async def test_a_cursor_that_is_none_begins_anew(garbage: str) -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        await x.text("", "budi", "pertama")
        assert texts((await source_of(channel).fetch(garbage)).items) == ["pertama"]


class TestQuota:
    async def test_a_walk_goes_on_where_the_quota_stopped_it(self) -> None:
        async with StandIn(settings()) as x, opened(x.url) as channel:
            made = await posts(x, 450, since=timedelta(hours=5))
            x.door.limits["GET /2/users/{id}/mentions"] = 2
            source = source_of(channel)
            found: list[str] = []
            cursor = ""
            for window in (1, 2):
                with pytest.raises(RetryLater) as caught:
                    await source.fetch(cursor)
                assert (caught.value.reason, caught.value.whole_channel) == ("quota", False)
                assert 0 < (caught.value.retry_after or 0) <= 900
                x.door.clock = channel._quotas._clock = lambda window=window: time.time() + 1000 * window  # type: ignore[misc]
            for _ in range(2):
                fetched = await source.fetch(cursor)
                found += texts(fetched.items)
                cursor = fetched.cursor
            assert found == made

    async def test_readings_rest_longer_when_few_requests_are_left(self) -> None:
        async with StandIn(settings()) as x, opened(x.url) as channel:
            x.door.limits["GET /2/users/{id}/mentions"] = 4
            source = source_of(channel)
            rests = []
            cursor = ""
            for _ in range(3):
                fetched = await source.fetch(cursor)
                cursor = fetched.cursor
                rests.append(fetched.rest)
            assert rests == sorted(rests)
            assert rests[0] > 200
            (quota,) = channel.quotas()
            assert (quota.left, quota.limit) == (1, 4)

    async def test_with_plenty_left_readings_are_as_the_settings_say(self) -> None:
        async with StandIn(settings()) as x, opened(x.url, poll_seconds=20) as channel:
            assert (await source_of(channel).fetch("")).rest == 20


async def test_a_page_token_that_x_no_longer_knows_begins_the_walk_anew() -> None:
    first = {"data": [_post("2")], "meta": {"next_token": "page-2"}}
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(200, first), answer(400, {"title": "Invalid Request"}), answer(200, {"data": [_post("1")]})]
        source = source_of(channel)
        with pytest.raises(RetryLater) as caught:
            await source.fetch("")
        assert caught.value.reason == "page_gone"
        assert texts((await source.fetch("")).items) == ["halo 1"]


async def test_what_cannot_be_read_is_a_dead_letter_once() -> None:
    page = {"data": [_post("2"), {"id": "7", "text": "tanpa penulis"}, ["x"], _post("1")]}
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(200, page)]
        source = source_of(channel)
        fetched = await source.fetch("")
        assert texts(fetched.items) == ["halo 1", "halo 2"]
        assert [one.reason for one in fetched.items if isinstance(one, Unreadable)] == ["no_id", "no_author"]
        assert (await source.fetch(fetched.cursor)).items == []


def _post(id_: str) -> dict[str, Any]:
    return {"id": id_, "author_id": "5", "text": f"@{HANDLE} halo {id_}", "created_at": NOW.isoformat()}


def _problem(status: int, detail: str) -> web.Response:
    return answer(status, {"title": "Forbidden", "detail": detail, "type": "about:blank", "status": status})


@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        (answer(200, {"errors": [{"title": "Forbidden", "detail": "x"}]}), Misconfigured, "bad_request"),
        (answer(401, {"title": "Unauthorized"}), Misconfigured, "revoked"),
        (answer(402, {"title": "CreditsDepleted"}), Misconfigured, "credit"),
        (_problem(403, "Your account is suspended"), Misconfigured, "suspended"),
        (_problem(403, "this account is temporarily locked"), Misconfigured, "locked"),
        (_problem(403, "no reason that is known"), Misconfigured, "forbidden"),
        (answer(404, {"title": "Not Found Error"}), Misconfigured, "bad_request"),
        (answer(429, headers={"x-rate-limit-reset": "99999999999"}), RetryLater, "throttled"),
        (answer(503, text="Over capacity"), RetryLater, "http_503"),
        (answer(500, text="<html>"), RetryLater, "http_500"),
        (answer(200, text='{"data": [{"id": "1"'), RetryLater, "bad_answer"),
        (answer(200, text=""), RetryLater, "bad_answer"),
        (answer(200, text="null"), RetryLater, "bad_answer"),
        (answer(200, {"data": {"id": "1"}}), RetryLater, "bad_answer"),
        (answer(200, text="[" * 100_000), RetryLater, "bad_answer"),
        (answer(302, headers={"location": "http://127.0.0.1:9/"}), Misconfigured, "redirect"),
    ],
    ids=lambda value: f"{value.status} {str(value.body)[:40]}" if isinstance(value, web.Response) else None,
)
async def test_an_answer_that_is_no_page(given: web.Response, error: type[Exception], reason: str) -> None:
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [given]
        with pytest.raises(error) as caught:
            await source_of(channel).fetch("")
        assert caught.value.reason == reason  # type: ignore[attr-defined]
        assert type(caught.value) is error
        assert USER_ID not in str(caught.value)


async def test_an_empty_timeline_is_no_error() -> None:
    async with Provider() as x, opened(x.url) as channel:
        x.answers = [answer(200, {"meta": {"result_count": 0}})]
        assert (await source_of(channel).fetch("")).items == []


@pytest.mark.parametrize("kind", ["reset", "hang"])
async def test_a_connection_that_breaks_is_tried_again(kind: Any) -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        channel._api._timeout = channel._api._timeout.__class__(total=0.3)
        await x.text("", "budi", "pertama")
        x.fault = Fault(kind=kind, times=2)  # aiohttp repeats a GET once by itself
        with pytest.raises(RetryLater) as caught:
            await source_of(channel).fetch("")
        assert type(caught.value) is RetryLater
        x.fault = None
        assert texts((await source_of(channel).fetch("")).items) == ["pertama"]


async def test_nobody_there() -> None:
    async with StandIn(settings()) as x:
        url = x.url
    async with opened(url) as channel:
        with pytest.raises(RetryLater) as caught:
            await source_of(channel).fetch("")
        assert caught.value.reason == "connection"
