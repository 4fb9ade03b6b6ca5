"""Files: in pieces, bounded, and the token of their URL in no error."""

from __future__ import annotations

import pytest
from aiohttp import web

from channels.base import Attachment
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater
from channels.standin import Fault
from channels.telegram import TelegramChannel, api
from tests.channels.host import Provider, answer
from tests.channels.telegram.kit import TOKEN
from tests.channels.telegram.world import SARI, at, pair

FILE = answer(document={"ok": True, "result": {"file_id": "a", "file_unique_id": "u", "file_path": "photos/a.jpg"}})


async def fetched(channel: TelegramChannel, reference: str, size: int = 0) -> bytes:
    async def raw() -> bytes:
        raise AssertionError("the file id is all it takes")

    attachment = Attachment("a.jpg", "image/jpeg", size, reference=reference)
    return b"".join([piece async for piece in channel.download(attachment, raw)])


async def test_a_photo_comes_whole() -> None:
    data = bytes(range(256)) * 4096
    async with pair() as (standin, channel):
        await standin.photo("", SARI, data=data)
        (source,) = channel.sources()
        (message,) = (await source.fetch("")).items
        (attachment,) = message.attachments  # type: ignore[union-attr]
        assert attachment.size == len(data)
        assert await fetched(channel, attachment.reference) == data


async def test_a_file_over_the_bound_is_not_asked_for() -> None:
    async with pair() as (standin, channel):
        with pytest.raises(Refused) as caught:
            await fetched(channel, "a", size=api.MAX_FILE + 1)
        assert (caught.value.reason, standin.calls) == ("too_big", [])


async def test_a_file_that_lies_about_its_size_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_FILE", 100_000)
    async with pair() as (standin, channel):
        standin.world.files["a"] = bytes(200_000)
        with pytest.raises(Refused) as caught:
            await fetched(channel, "a")
        assert caught.value.reason == "too_big"


async def test_a_file_that_telegram_finds_too_big() -> None:
    async with Provider() as provider, at(provider.url) as channel:
        provider.answers = [answer(400, {"ok": False, "description": "Bad Request: file is too big"})]
        with pytest.raises(Refused) as caught:
            await fetched(channel, "a")
        assert caught.value.reason == "too_big"


@pytest.mark.parametrize(
    ("answers", "error", "reason"),
    [
        pytest.param(
            [answer(400, {"description": "wrong file_id or …"})], RetryLater, "file_unavailable", id="not now"
        ),
        pytest.param([answer(document={"ok": True, "result": {}})], RetryLater, "file_unavailable", id="no path"),
        pytest.param([FILE, answer(404)], RetryLater, "http_404", id="404"),
        pytest.param([FILE, answer(500)], RetryLater, "http_500", id="500"),
        pytest.param([FILE, answer(302)], Misconfigured, "redirect", id="a redirect is not followed"),
        pytest.param([answer(401, {"ok": False})], Misconfigured, "credentials", id="a refused token"),
    ],
)
async def test_a_file_that_does_not_come(answers: list[web.Response], error: type[ChannelError], reason: str) -> None:
    async with Provider() as provider, at(provider.url) as channel:
        provider.answers = answers
        with pytest.raises(error) as caught:
            await fetched(channel, "a")
        assert (type(caught.value), caught.value.reason) == (error, reason)
        assert TOKEN not in str(caught.value)


async def test_a_connection_that_breaks_is_tried_again() -> None:
    async with pair() as (standin, channel):
        standin.world.files["a"] = b"photo"
        standin.fault = Fault(kind="reset", times=1)
        with pytest.raises(RetryLater):
            await fetched(channel, "a")
        assert await fetched(channel, "a") == b"photo"
