"""The buckets that X's headers fill."""

from __future__ import annotations

import pytest

from channels.base import Quota
from channels.errors import RetryLater
from channels.twitter.quota import UNKNOWN_RESET, Quotas

POST = "POST /2/tweets"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def headers(left: int, *, limit: int = 100, reset: float = 1_000_900, window: str = "x-rate-limit") -> dict[str, str]:
    return {f"{window}-limit": str(limit), f"{window}-remaining": str(left), f"{window}-reset": f"{reset:.0f}"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quotas(clock: Clock) -> Quotas:
    return Quotas(clock)


def test_before_the_first_answer_nothing_is_known(quotas: Quotas) -> None:
    quotas.take(POST, whole_channel=True)
    assert quotas.list() == ()
    assert quotas.rest(POST, 15, 1) == 15


def test_the_whole_window_may_go_in_one_burst(quotas: Quotas) -> None:
    quotas.told(POST, 201, headers(99))
    for _ in range(99):
        quotas.take(POST, whole_channel=True)
    with pytest.raises(RetryLater) as caught:
        quotas.take(POST, whole_channel=True)
    assert (caught.value.reason, caught.value.retry_after, caught.value.whole_channel) == ("quota", 900, True)


def test_a_new_window_is_full(quotas: Quotas, clock: Clock) -> None:
    quotas.told(POST, 201, headers(0))
    assert quotas.wait(POST) == 900
    clock.now += 900
    assert quotas.wait(POST) == 0
    assert quotas.list() == ()


def test_one_endpoint_does_not_spend_another_s(quotas: Quotas) -> None:
    quotas.told(POST, 201, headers(0))
    quotas.take("GET /2/users/me", whole_channel=False)


def test_answers_out_of_order_give_nothing_back(quotas: Quotas) -> None:
    quotas.told(POST, 201, headers(3))
    quotas.told(POST, 201, headers(7))
    assert quotas.list() == (Quota(POST, 3, 100, 1_000_900),)
    quotas.told(POST, 201, headers(99, reset=1_001_800))
    assert quotas.list()[0].left == 99


def test_the_tightest_of_several_windows_holds(quotas: Quotas) -> None:
    day = headers(1, limit=1440, reset=1_050_000, window="x-user-limit-24hour")
    quotas.told(POST, 201, headers(50) | day)
    assert quotas.list() == (Quota(POST, 1, 1440, 1_050_000),)
    quotas.take(POST, whole_channel=True)
    assert quotas.wait(POST) == 50_000


def test_a_429_without_headers_waits_a_while(quotas: Quotas, clock: Clock) -> None:
    quotas.told(POST, 429, {})
    assert quotas.wait(POST) == UNKNOWN_RESET
    clock.now += UNKNOWN_RESET
    assert quotas.wait(POST) == 0


@pytest.mark.parametrize(
    ("left", "need", "rest"),
    [(300, 1, 15), (60, 1, 15), (30, 1, 30), (30, 3, 90), (1, 1, 900), (0, 1, 900)],
)
def test_what_is_left_is_spread_over_the_window(quotas: Quotas, left: int, need: int, rest: float) -> None:
    quotas.told(POST, 200, headers(left))
    assert quotas.rest(POST, 15, need) == rest


@pytest.mark.parametrize(
    "odd",
    [
        {"x-rate-limit-limit": "many", "x-rate-limit-remaining": "-1", "x-rate-limit-reset": ""},
        {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0"},
        headers(0, reset=0),
    ],
    ids=str,
)
def test_odd_headers_stop_nothing(quotas: Quotas, odd: dict[str, str]) -> None:
    quotas.told(POST, 200, odd)
    assert quotas.wait(POST) == 0


def test_a_reset_in_years_is_one_day(quotas: Quotas) -> None:
    quotas.told(POST, 200, headers(0, reset=9_999_999_999))
    assert quotas.wait(POST) == 86400
