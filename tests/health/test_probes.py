"""Asking providers whether they take our credentials."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channels.base import NOTHING_TO_ASK, Channel
from channels.errors import Misconfigured, Refused, RetryLater
from channels.http import HttpClient
from channels.sms import SPEC
from gateway.channelset import load_channels
from gateway.health.journal import Journal
from gateway.health.parts import UNKNOWN, Part, credentials_of
from gateway.health.probes import Probes
from gateway.store.engine import Store
from tests.channels.host import FakeHost
from tests.inside import settings

WELL, REFUSED = Part("healthy"), Part("down", "401", refused=True)


class Asked:
    """A channel whose provider says one thing after the other."""

    def __init__(self, channel: Channel, *answers: str | Exception) -> None:
        self.channel = channel
        self.answers = list(answers)
        self.times = 0
        channel.probe = self.probe  # type: ignore[method-assign]

    async def probe(self) -> str:
        self.times += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    config = load_channels(settings(tmp_path))["sms"]
    return SPEC.make("sms", config.settings, FakeHost(HttpClient()))


def probes(store: Store, channel: Channel, owner: str = "one") -> Probes:
    return Probes({"sms": channel}, store=store, owner=owner, every=0.01, timeout=1.0, journal=Journal())


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("knows us", WELL),
        (Misconfigured("401"), Part("down", "credentials: 401", refused=True)),
        (RetryLater("away", reason="connection"), Part("degraded", "cannot be asked: connection: away")),
        (Refused("no", reason="http_404"), Part("degraded", "cannot be asked: http_404: no")),
        (ZeroDivisionError(), Part("degraded", "cannot be asked: the probe failed")),
        (RetryLater("slow down", reason="throttled"), None),
        (RetryLater("used up", reason="quota"), None),
    ],
    ids=["yes", "no", "away", "strange", "a bug", "throttled", "out of quota"],
)
async def test_what_an_answer_says_of_the_credentials(
    store: Store, channel: Channel, answer: str | Exception, found: Part | None
) -> None:
    Asked(channel, answer)
    asking = probes(store, channel)
    await asking.probe(channel)
    assert asking.found.get("sms") == found
    assert "sms" in asking.at


async def test_one_process_asks_again_and_again(store: Store, channel: Channel) -> None:
    asked = Asked(channel, Misconfigured("401"), "knows us")
    first, second = probes(store, channel), probes(store, channel, "two")
    tasks = [asyncio.create_task(one.run()) for one in (first, second)]
    async with asyncio.timeout(20):
        while asked.times < 5:
            await asyncio.sleep(0.005)
    first.stop()
    second.stop()
    await asyncio.gather(*tasks)
    assert {*first.found.values()} | {*second.found.values()} == {WELL}


async def test_who_cannot_be_asked_is_asked_once(store: Store, channel: Channel) -> None:
    asked = Asked(channel, NOTHING_TO_ASK)
    asking = probes(store, channel)
    async with asyncio.timeout(20):
        await asking.run()
    assert (asked.times, asking.found) == (1, {})


@pytest.mark.parametrize(
    ("receiving", "sending", "probed", "credentials"),
    [
        (WELL, WELL, None, WELL),
        (WELL, WELL, REFUSED, REFUSED),
        (WELL, Part("down", "403", refused=True), WELL, Part("down", "403", refused=True)),
        (REFUSED, WELL, WELL, REFUSED),
        (WELL, UNKNOWN, None, UNKNOWN),
    ],
    ids=["at work", "by the probe", "at sending", "at reading", "nobody knows"],
)
def test_credentials_are_as_the_last_refusal_or_the_probe_says(
    receiving: Part, sending: Part, probed: Part | None, credentials: Part
) -> None:
    assert credentials_of(receiving, sending, probed) == credentials
