"""What an attempt means for its reply, as a table; and how long the next one waits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import OutboundMessage
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from config.settings import Delivery
from gateway.delivery.breaker import Breaker, State
from gateway.delivery.outcome import backoff, settlement_of
from gateway.delivery.queue import Leased

DAY = 86400.0
CREATED = 1_000_000.0


def leased(attempts: int = 1) -> Leased:
    message = OutboundMessage(delivery="d", to="+6281234567890", text="t")
    return Leased(message, None, CREATED, CREATED, attempts, doubtful=False)


@pytest.mark.parametrize(
    ("error", "age", "outcome", "least_wait", "uncertain"),
    [
        (Refused("no such number"), 0, "refused", 0, False),
        (Misconfigured("401"), 0, "held", 15, False),
        (Misconfigured("401"), 2 * DAY, "held", 15, False),
        (RetryLater("503"), 0, "retry", 1, False),
        (RetryLater("429", retry_after=120), 0, "retry", 120, False),
        (Uncertain("timeout"), 0, "retry", 1, True),
        (RetryLater("503"), DAY - 1, "retry", 1, False),
        (RetryLater("503"), DAY, "gave_up", 0, False),
        (Uncertain("timeout"), DAY, "gave_up", 0, False),
    ],
    ids=str,
)
def test_settlement(error: ChannelError, age: float, outcome: str, least_wait: float, uncertain: bool) -> None:
    settled = settlement_of(error, leased(), CREATED + age, Delivery())
    assert (settled.outcome, settled.uncertain) == (outcome, uncertain)
    assert settled.due_in >= least_wait
    if outcome != "sent":
        assert error.reason in settled.detail


def test_a_bug_is_not_settled() -> None:
    with pytest.raises(ValueError, match="a bug"):
        settlement_of(ValueError("a bug"), leased(), CREATED, Delivery())


@given(attempts=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_backoff_grows_to_its_bound_and_never_past_it(attempts: int, chance: float) -> None:
    delivery = Delivery()
    wait = backoff(attempts, delivery, chance=chance)
    assert delivery.first_retry / 2 <= wait <= delivery.longest_retry
    assert backoff(attempts + 1, delivery, chance=chance) >= wait


class Clock:
    """A clock that stands still until told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def steps(breaker: Breaker, clock: Clock, *actions: Any) -> list[State]:
    states = []
    for action in actions:
        if action == "ok":
            breaker.succeeded()
        elif action == "fail":
            breaker.failed("500")
        elif action == "fail at once":
            breaker.failed("401", at_once=True)
        elif isinstance(action, tuple):
            breaker.failed("429", retry_after=action[1])
        else:
            clock.now += action
        states.append(breaker.state)
    return states


C, O, H = State.CLOSED, State.OPEN, State.HALF_OPEN  # noqa: E741


@pytest.mark.parametrize(
    ("actions", "states"),
    [
        (["fail", "fail", "ok", "fail", "fail"], [C, C, C, C, C]),
        (["fail", "fail", "fail"], [C, C, O]),
        (["fail", "fail", "fail", 15.0, "ok"], [C, C, O, H, C]),
        (["fail", "fail", "fail", 15.0, "fail", 14.0, 1.0], [C, C, O, H, O, O, H]),
        (["fail at once", 15.0, "ok"], [O, H, C]),
        ([("wait", 60.0), 59.0, 1.0, "ok"], [O, O, C, C]),
    ],
    ids=str,
)
def test_breaker(actions: list[Any], states: list[State], clock: Clock) -> None:
    assert steps(Breaker(failures=3, probe=15.0, clock=clock), clock, *actions) == states
