"""What is paused stays with the provider: sources are not read, ports say "later"."""

from __future__ import annotations

import asyncio

import pytest

from channels.errors import RetryLater
from gateway.health.pauses import Pauses, pause
from gateway.intake import puller as module
from gateway.intake.ports import taker
from gateway.intake.puller import Puller
from gateway.store.engine import Store
from tests.intake.test_puller import Log, Mailbox, MailboxChannel, message


@pytest.mark.parametrize("known", [True, False], ids=["paused", "not known yet"])
async def test_a_source_is_not_read_until_it_may_be(store: Store, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses, rested = Pauses([("box", "in")] if known else [], known=known), asyncio.Event()
    monkeypatch.setattr(module, "PAUSED_REST", 0.01)
    mailbox, log = Mailbox("1", "2", "3"), Log()
    channel = MailboxChannel(mailbox)
    puller = Puller(channel, log, store=store, owner="one", lease=5.0, pauses=pauses)  # type: ignore[arg-type]
    rest = puller._rest

    async def resting(seconds: float) -> None:
        if seconds == module.PAUSED_REST:
            rested.set()
        await rest(seconds)

    puller._rest = resting  # type: ignore[method-assign]
    task = asyncio.create_task(puller.run())
    async with asyncio.timeout(20):
        await rested.wait()
        assert (mailbox.readers, log.kept) == (0, [])
        pauses.learn([])
        assert await log.until(lambda kept: len(kept) == 3) == ["1", "2", "3"]
    puller.stop()
    await task


async def test_a_port_of_the_channel_s_own_says_later() -> None:
    log, pauses = Log(), Pauses([("box", "in")], known=True)
    take = taker("box", log, pauses)  # type: ignore[arg-type]
    with pytest.raises(RetryLater, match="paused"):
        await take([message("1")])
    pauses.learn([("box", "out"), ("other", "in")])
    await take([message("1")])
    assert log.kept == ["1"]


async def test_pauses_are_read_from_the_store(store: Store) -> None:
    await pause(store, "box", "out", "sari")
    pauses = Pauses()
    await pauses.load(store)
    assert (pauses.known, pauses.holds("box", "out"), pauses.holds("box", "in")) == (True, True, False)
