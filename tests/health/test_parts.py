"""A channel's health from its parts, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from channels.base import Quota
from gateway.delivery.breaker import Breaker
from gateway.health.parts import (
    ANSWERS_AGAIN,
    NONE_WAITS,
    UNKNOWN,
    ChannelHealth,
    Part,
    channel_health,
    receiving_of,
    sending_of,
    worst,
)
from gateway.intake.puller import Reading

NOW = 1000.0


class SenderLike:
    """What health reads off a sender."""

    def __init__(
        self, *failures: str, credentials: str = "", after: float = 0.0, waiting: int = 1, trying: bool = False
    ) -> None:
        now = [NOW]
        self.breaker = Breaker(failures=3, probe=60, clock=lambda: now[0])
        self.last_failed = NOW
        self.waiting = waiting
        self.trying = trying
        self.credentials_refused = credentials
        for reason in failures:
            self.breaker.failed(reason)
        if credentials:
            self.breaker.failed(credentials, at_once=True)
        now[0] += after


WELL = Part("healthy")
FULL = Part("down", "disk full")


@pytest.mark.parametrize(
    ("sender", "part"),
    [
        (None, UNKNOWN),
        (SenderLike(), WELL),
        (SenderLike("500"), Part("degraded", "500")),
        (SenderLike("500", "500", "500"), Part("down", "500")),
        (SenderLike(credentials="401"), Part("down", "401", refused=True)),
    ],
)
def test_sending_is_what_the_breaker_says(sender: Any, part: Part) -> None:
    assert sending_of(sender) == part


FAILED = ("500", "500", "500")


@pytest.mark.parametrize(
    ("sender", "answered_at", "part"),
    [
        (SenderLike(*FAILED, after=59), 0, Part("down", "500")),
        (SenderLike(*FAILED, after=59, waiting=0), NOW + 1, Part("down", "500")),
        (SenderLike(*FAILED, after=60), 0, Part("down", "500")),
        (SenderLike(*FAILED, after=60), NOW - 1, Part("down", "500")),
        (SenderLike(*FAILED, after=60), NOW + 1, Part("degraded", f"{ANSWERS_AGAIN} (before: 500)", unproven=True)),
        (SenderLike(*FAILED, after=60, waiting=0), 0, Part("degraded", f"{NONE_WAITS} (before: 500)", unproven=True)),
        (SenderLike(*FAILED, after=60, waiting=0, trying=True), NOW + 1, Part("down", "500")),
        (SenderLike(credentials="401", after=60, waiting=0), NOW + 1, Part("down", "401", refused=True)),
    ],
    ids=[
        "nothing is tried yet",
        "nothing is tried yet, whatever the probe says",
        "replies wait",
        "replies wait, the probe is older",
        "the provider answers again",
        "no reply waits",
        "a reply is being tried",
        "credentials were refused",
    ],
)
def test_after_an_outage_sending_is_not_down_for_want_of_a_reply(sender: Any, answered_at: float, part: Part) -> None:
    assert sending_of(sender, answered_at) == part


@pytest.mark.parametrize(
    ("webhook", "readings", "part"),
    [
        (True, [], WELL),
        (False, [], UNKNOWN),
        (False, [Reading("standby", since=NOW)], UNKNOWN),
        (True, [Reading("standby", since=NOW)], WELL),
        (False, [Reading("reading", since=NOW)], WELL),
        (False, [Reading("reading", since=NOW), Reading("retrying", "429", NOW - 5)], Part("degraded", "429")),
        (False, [Reading("retrying", "429", NOW - 60)], Part("down", "429")),
        (True, [Reading("refused", "401", NOW)], Part("down", "401", refused=True)),
    ],
)
def test_receiving_is_the_worst_of_its_sources(webhook: bool, readings: list[Reading], part: Part) -> None:
    assert receiving_of(can_append=(True, ""), webhook=webhook, readings=readings, now=NOW) == part


def test_nothing_is_received_that_cannot_be_made_durable() -> None:
    assert receiving_of(can_append=(False, "disk full"), webhook=True, readings=[Reading("reading")]) == FULL


@pytest.mark.parametrize(
    ("receiving", "sending", "health"),
    [
        (WELL, WELL, ChannelHealth("healthy", "healthy", "healthy", "healthy")),
        (FULL, WELL, ChannelHealth("down", "down", "healthy", "healthy", "disk full")),
        (WELL, Part("degraded", "500"), ChannelHealth("degraded", "healthy", "degraded", "healthy", "500")),
        (WELL, Part("down", "500"), ChannelHealth("down", "healthy", "down", "healthy", "500")),
        (WELL, Part("down", "401", refused=True), ChannelHealth("down", "healthy", "down", "down", "401")),
        (Part("down", "401", refused=True), UNKNOWN, ChannelHealth("down", "down", "unknown", "down", "401")),
        (WELL, UNKNOWN, ChannelHealth("healthy", "healthy", "unknown", "unknown")),
        (UNKNOWN, WELL, ChannelHealth("healthy", "unknown", "healthy", "healthy")),
    ],
)
def test_a_channel_is_its_worst_part(receiving: Part, sending: Part, health: ChannelHealth) -> None:
    assert channel_health(receiving, sending) == health


def test_what_a_provider_still_allows_is_told() -> None:
    quota = Quota("mentions", 3, 300, 1_800_000_000.0)
    assert channel_health(WELL, WELL, [quota]).quotas == (quota,)


def test_the_worst_of_all_channels() -> None:
    well = ChannelHealth("healthy", "healthy", "healthy", "healthy")
    bad = ChannelHealth("degraded", "healthy", "degraded", "healthy", "500")
    assert worst({}) == "healthy"
    assert worst({"a": well, "b": bad}) == "degraded"
