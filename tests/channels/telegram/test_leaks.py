"""The token stands in every URL: no log line and no error shows it, and none shows what a citizen wrote."""

from __future__ import annotations

import logging
import traceback

import httpx
import pytest

from channels.errors import ChannelError
from channels.standin import Fault
from channels.telegram.api import LEAKING
from tests.channels.telegram.kit import SECRET, TOKEN
from tests.channels.telegram.world import SARI, account, at, hooked, pair, reply

WORDS = "rumah-saya-di-gang-kelinci"
HIDDEN = (TOKEN, SECRET, SARI, WORDS)


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Every log line of any library, with the levels as they were before any channel was made."""
    for name in LEAKING:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]
    caplog.set_level(logging.DEBUG)
    return caplog


async def test_without_us_httpx_logs_the_token(everything: pytest.LogCaptureFixture) -> None:
    """If this fails, the library has changed, and the level that we set may be in vain."""
    async with pair() as (standin, _channel), httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{standin.url}/bot{TOKEN}/getMe")
    assert TOKEN in everything.text


async def test_no_log_line_shows_a_token_or_a_citizen(everything: pytest.LogCaptureFixture) -> None:
    async with pair(hooked()) as (standin, channel):
        await channel.register()
        await channel.send(reply(WORDS))
    async with pair() as (standin, channel):
        await standin.photo("", SARI, WORDS)
        (source,) = channel.sources()
        await source.fetch("")
        assert [piece async for piece in channel.api.file("photo1")]
        standin.fault = Fault(kind="status", status=500)
        with pytest.raises(ChannelError):
            await channel.send(reply(WORDS))
    assert not [hidden for hidden in HIDDEN if hidden in everything.text]


@pytest.mark.parametrize(
    "fault", [*(Fault(kind="status", status=s) for s in (400, 401, 403, 404, 429, 500)), Fault(kind="reset")]
)
async def test_no_error_shows_it_nor_what_caused_it(fault: Fault) -> None:
    async with pair() as (standin, channel):
        standin.fault = fault
        for doing in (channel.send(reply(WORDS)), channel.probe()):
            with pytest.raises(ChannelError) as caught:
                await doing
            shown = "".join(traceback.format_exception(caught.value))
            assert not [hidden for hidden in HIDDEN if hidden in shown]


@pytest.mark.parametrize("api_url", ["http://127.0.0.1:1", "http://[", "http://127.0.0.1:99999"])
async def test_an_address_that_does_not_work_shows_nothing(api_url: str) -> None:
    async with at(api_url, account()) as channel:
        with pytest.raises(ChannelError) as caught:
            await channel.send(reply(WORDS))
        assert TOKEN not in "".join(traceback.format_exception(caught.value))
