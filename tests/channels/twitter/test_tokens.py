"""Tokens: renewed before their end or when X refuses them, once, whoever asks; and never in a log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

import pytest

from channels.errors import Misconfigured, RetryLater, Uncertain
from channels.standin import Fault
from channels.twitter.standin import StandIn
from channels.twitter.tokens import RenewedToken
from tests.channels.host import FakeHost
from tests.channels.twitter.account import ACCOUNT, REFRESH, RENEWED, SECRETS, TOKEN, opened, settings


async def test_two_processes_do_not_both_rotate() -> None:
    # Two channels with a session each, over one store: as two processes are.
    async with StandIn(settings(**RENEWED)) as x, AsyncExitStack() as stack:
        store = FakeHost()
        channels = []
        for _ in range(2):
            host = FakeHost()
            host.stores = store.stores
            channels.append(await stack.enter_async_context(opened(x.url, host=host, **RENEWED)))
        await asyncio.gather(*(channel.probe() for channel in channels for _ in range(5)))
        assert x.door.renewals == 1
        x.door.tokens.clear()
        await asyncio.gather(*(channel.probe() for channel in channels for _ in range(5)))
        assert x.door.renewals == 2


async def test_a_restart_goes_on_with_the_kept_pair() -> None:
    async with StandIn(settings(**RENEWED)) as x:
        host = FakeHost()
        async with opened(x.url, host=host, **RENEWED) as channel:
            await channel.probe()
        async with opened(x.url, host=host, **RENEWED) as channel:
            await channel.probe()
        assert x.door.renewals == 1


async def test_another_refresh_token_in_the_settings_begins_anew() -> None:
    async with StandIn(settings(**RENEWED)) as x:
        host = FakeHost()
        async with opened(x.url, host=host, **RENEWED) as channel:
            await channel.probe()
        x.door.refresh_tokens = {"given-anew"}
        x.door.tokens.clear()
        async with opened(x.url, host=host, **RENEWED) as channel:
            with pytest.raises(Misconfigured) as caught:
                await channel.probe()
            assert caught.value.reason == "revoked"
        async with opened(x.url, host=host, **(RENEWED | {"refresh_token": "given-anew"})) as channel:
            await channel.probe()


async def test_a_token_is_renewed_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with StandIn(settings(**RENEWED)) as x, opened(x.url, **RENEWED) as channel:
        tokens = channel._tokens
        assert isinstance(tokens, RenewedToken)
        first = await tokens.current()
        assert await tokens.current() == first
        monkeypatch.setattr("channels.twitter.tokens.EARLY", 7201.0)
        assert await tokens.current() != first


async def test_what_is_kept_and_is_no_pair_is_not_used() -> None:
    async with StandIn(settings(**RENEWED)) as x:
        host = FakeHost()
        host.kept("twitter").values["oauth2"] = "{nonsense"
        async with opened(x.url, host=host, **RENEWED) as channel:
            await channel.probe()


async def test_a_public_client_has_no_secret() -> None:
    public = RENEWED | {"client_secret": None}
    async with StandIn(settings(**public)) as x, opened(x.url, **public) as channel:
        await channel.probe()


@pytest.mark.parametrize("kind", ["reset", "status"])
async def test_a_token_service_that_fails_leaves_a_reply_certain(kind: str) -> None:
    async with StandIn(settings(**RENEWED)) as x, opened(x.url, **RENEWED) as channel:
        x.fault = Fault(kind=kind, status=500)  # type: ignore[arg-type]
        with pytest.raises(RetryLater) as caught:
            await channel.probe()
        assert not isinstance(caught.value, Uncertain)


async def test_a_fixed_token_that_x_refuses_is_revoked() -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        x.door.tokens.clear()
        with pytest.raises(Misconfigured) as caught:
            await channel.probe()
        assert caught.value.reason == "revoked"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Your account is suspended and is not permitted to access this feature.", "suspended"),
        ("To protect our users from spam, this account is temporarily locked.", "locked"),
        ("Something else", "forbidden"),
    ],
)
async def test_a_probe_tells_what_is_wrong_with_the_account(words: str, reason: str) -> None:
    async with StandIn(settings()) as x, opened(x.url) as channel:
        x.door.refused[""] = words
        with pytest.raises(Misconfigured) as caught:
            await channel.probe()
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("changes", "reason"), [({"user_id": "42"}, "wrong_account"), ({"handle": "another"}, "wrong_handle")]
)
async def test_a_probe_tells_that_the_token_is_another_accounts(changes: dict[str, Any], reason: str) -> None:
    async with StandIn(settings()) as x, opened(x.url, **changes) as channel:
        with pytest.raises(Misconfigured) as caught:
            await channel.probe()
        assert caught.value.reason == reason


async def test_no_token_and_no_text_is_in_any_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    given: tuple[dict[str, Any], ...] = ({}, RENEWED)
    for changes in given:
        async with StandIn(settings(**changes)) as x, opened(x.url, **changes) as channel:
            await x.text("", "budi", "jalan rahasia rusak")
            await channel.sources()[0].fetch("")
            await channel.probe()
            x.door.tokens.clear()
            x.door.refresh_tokens.clear()
            with pytest.raises(Misconfigured):
                await channel.probe()
    assert not [secret for secret in (*SECRETS, "access-1", "refresh-1", "rahasia") if secret in caplog.text]


async def test_that_proof_would_see_the_leak(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("tweepy.asynchronous.client")
    stopped = logger.filters[:]
    try:
        logger.filters.clear()
        async with StandIn(settings()) as x, opened(x.url) as channel:
            await channel.probe()
    finally:
        logger.filters[:] = stopped
    assert TOKEN in caplog.text


def test_the_settings_show_no_secret() -> None:
    shown = repr(settings()) + repr(settings(**RENEWED)) + str(settings(**RENEWED).model_dump())
    assert ACCOUNT["handle"] in shown
    assert REFRESH not in shown
    assert not [secret for secret in SECRETS if secret in shown]
