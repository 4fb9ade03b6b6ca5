"""A channel's health from its parts, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.delivery.breaker import Breaker
from gateway.health import ChannelHealth, channel_health, worst


class SenderLike:
    """What health reads off a sender."""

    def __init__(self, *failures: str, credentials: str = "") -> None:
        self.breaker = Breaker(failures=3, probe=60)
        self.credentials_refused = credentials
        for reason in failures:
            self.breaker.failed(reason)
        if credentials:
            self.breaker.failed(credentials, at_once=True)


ABLE, UNABLE = (True, ""), (False, "disk full")
WELL = SenderLike()
FAILING = SenderLike("500")
BROKEN = SenderLike("500", "500", "500")
LOCKED_OUT = SenderLike(credentials="401")


@pytest.mark.parametrize(
    ("receives", "able", "sender", "health"),
    [
        (True, ABLE, WELL, ChannelHealth("healthy", "healthy", "healthy", "healthy")),
        (True, UNABLE, WELL, ChannelHealth("down", "down", "healthy", "healthy", "disk full")),
        (True, ABLE, FAILING, ChannelHealth("degraded", "healthy", "degraded", "healthy", "500")),
        (True, ABLE, BROKEN, ChannelHealth("down", "healthy", "down", "healthy", "500")),
        (True, ABLE, LOCKED_OUT, ChannelHealth("down", "healthy", "down", "down", "401")),
        (True, ABLE, None, ChannelHealth("healthy", "healthy", "unknown", "unknown")),
        (False, ABLE, WELL, ChannelHealth("healthy", "unknown", "healthy", "healthy")),
        (False, UNABLE, BROKEN, ChannelHealth("down", "unknown", "down", "healthy", "500")),
    ],
)
def test_a_channel_is_its_worst_part(
    receives: bool, able: tuple[bool, str], sender: Any, health: ChannelHealth
) -> None:
    assert channel_health(receives=receives, can_append=able, sender=sender) == health


def test_the_worst_of_all_channels() -> None:
    well = ChannelHealth("healthy", "healthy", "healthy", "healthy")
    bad = ChannelHealth("degraded", "healthy", "degraded", "healthy", "500")
    assert worst({}) == "healthy"
    assert worst({"a": well, "b": bad}) == "degraded"
