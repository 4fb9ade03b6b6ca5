"""Silence, shown by simulation: seeded random traffic, weeks of it, and how often and how soon it is called silent."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from gateway.health.silence import DAYS, HOUR, LEAST_NEEDED, Usual, level, silent, typical, weekends

DAY = 24 * HOUR
WEEK = 7 * DAY
START = 1_760_000_400.0 // DAY * DAY
"""Some midnight."""
WEEKEND = weekends(ZoneInfo("Asia/Jakarta"))
BEAT, LOOK = 5.0, 2.0
"""Seconds between two heartbeats, and between two looks of the watch: what a silence may go unseen besides."""

Rate = Callable[[float], float]
"""Messages a minute at a time of the day (seconds)."""


def steady(per_minute: float) -> Rate:
    return lambda _at: per_minute


def night(per_minute: float) -> Rate:
    """By day the whole rate, from 21 to 5 o'clock a twentieth, from one second to the next."""
    return lambda at: per_minute if 5 * HOUR <= at % DAY < 21 * HOUR else per_minute / 20


def wave(per_minute: float) -> Rate:
    """The same rise and fall as a gentle wave."""
    return lambda at: per_minute * (0.525 - 0.475 * math.cos(2 * math.pi * at / DAY))


def arrivals(rate: Rate, most: float, days: float, seed: int, start: float = START) -> list[float]:
    """When messages come: an inhomogeneous Poisson process, by thinning one of ``most`` a minute."""
    chance = random.Random(seed)
    at, found, end = start, [], start + days * DAY
    while (at := at + chance.expovariate(most / 60)) < end:
        if chance.random() * most < rate(at - START):
            found.append(at)
    return found


class Ear:
    """What the watch makes of a channel's messages, learning anew every hour as it does."""

    def __init__(self, times: list[float], most: float = 0.0) -> None:
        self.times = times
        self._most = most
        self._hours = Counter(int(at // HOUR) for at in times)
        self._usual: tuple[int, Usual] = (0, Usual({}, WEEKEND))

    def usual(self, now: float) -> Usual:
        hour = int(now // HOUR)
        if self._usual[0] != hour:
            known = {one: self._hours[one] for one in range(hour - DAYS * 24, hour) if one in self._hours}
            self._usual = (hour, Usual(known, WEEKEND))
        return self._usual[1]

    def silent(self, last: float, now: float) -> bool:
        return silent(self.usual(now), last, now, self.received)

    def received(self, begin: float, end: float) -> int:
        return bisect_left(self.times, end) - bisect_left(self.times, begin)

    def alarms(self, since: float) -> list[float]:
        """The gaps after ``since`` that were called silent by the last heartbeat before they ended."""
        first = bisect_left(self.times, since)
        pairs = zip(self.times[first:], self.times[first + 1 :], strict=False)
        # However the rates are learnt, what is needed at least cannot be expected of much shorter ones.
        worth_a_look = LEAST_NEEDED * 0.8 * 60 / self._most
        long = ((last, then // BEAT * BEAT) for last, then in pairs if then - last > worth_a_look)
        return [last for last, beat in long if self.silent(last, beat)]


@pytest.mark.parametrize(
    ("rate", "most", "weeks"),
    [
        (steady(6.0), 6.0, 2),
        (steady(1.0), 1.0, 8),
        (steady(1 / 30), 1 / 30, 30),
        (night(6.0), 6.0, 2),
        (night(1.0), 1.0, 8),
        (wave(6.0), 6.0, 2),
    ],
    ids=["6 a minute", "1 a minute", "2 an hour", "6, still nights", "1, still nights", "6, a wave"],
)
def test_random_traffic_is_called_silent_at_most_once_a_week(rate: Rate, most: float, weeks: int) -> None:
    ear = Ear(arrivals(rate, most, 14 + 7 * weeks, seed=7), most)
    found = ear.alarms(START + 14 * DAY)
    # One a week is the mean that is allowed; chance adds to it.
    assert len(found) <= weeks + 2 * math.sqrt(weeks)


@pytest.mark.parametrize("days", [4, 7, 28])
def test_with_a_few_days_of_history_alarms_are_no_more_frequent(days: int) -> None:
    """A rate learnt from little is uncertain, and that counts."""
    found = 0
    for seed in range(8):
        times = arrivals(steady(0.5), 0.5, days + 3, seed)
        found += len(Ear(times, 0.5).alarms(START + days * DAY))
    assert found <= 8 * 3 / 7 + 2 * math.sqrt(8 * 3 / 7)


@pytest.mark.parametrize(("rate", "most"), [(steady(6.0), 6.0), (night(9.0), 9.0)], ids=["6", "9, still nights"])
def test_a_dead_channel_of_six_messages_a_minute_is_seen_within_two_minutes(rate: Rate, most: float) -> None:
    ear = Ear(arrivals(rate, most, DAYS + 1, seed=3))
    chance = random.Random(5)
    for _ in range(20):
        dead_at = START + DAYS * DAY + (6 + 14 * chance.random()) * HOUR
        last = ear.times[bisect_left(ear.times, dead_at) - 1]
        # A heartbeat tells of what was heard up to it, and the watch looks at it a little later.
        beat = dead_at + BEAT * chance.random()
        while not ear.silent(last, beat):
            beat += BEAT
            assert beat < dead_at + 600
        assert beat + LOOK - dead_at <= 120


def test_a_dead_channel_of_a_message_an_hour_is_seen_within_half_a_day() -> None:
    times = arrivals(steady(1 / 60), 1 / 60, DAYS, seed=2)
    assert not Ear(times).silent(times[-1], times[-1] + 3 * HOUR)
    assert Ear(times).silent(times[-1], times[-1] + 12 * HOUR)


@pytest.mark.parametrize("days", [0, 0.5, 2.9])
def test_a_new_channel_is_never_called_silent(days: float) -> None:
    times = [START, *arrivals(steady(6.0), 6.0, days, seed=1)]
    assert not Ear(times).silent(times[-1], times[-1] + 2 * HOUR)


def test_hours_without_history_expect_nothing() -> None:
    """The channel is open by day only: a night without a message is as it always is."""

    def by_day(at: float) -> float:
        return 6.0 if 8 * HOUR <= at % DAY < 16 * HOUR else 0.0

    times = arrivals(by_day, 6.0, DAYS, seed=4)
    last = times[-1]
    assert not Ear(times).silent(last, last + 15 * HOUR)
    assert Ear(times).silent(last, last + 17 * HOUR)


@pytest.mark.parametrize("ago", [1, 2, 7, 14])
def test_one_burst_teaches_nothing(ago: int) -> None:
    """A flood on one of the last days: a hundred times the rate, for three hours."""
    quiet = arrivals(steady(0.5), 0.5, DAYS, seed=6)
    begin = START + (DAYS - ago) * DAY + 9 * HOUR
    flood = arrivals(steady(50.0), 50.0, 3 / 24, seed=6, start=begin)
    calm, flooded = (Ear(sorted(times)).usual(START + DAYS * DAY) for times in (quiet, [*quiet, *flood]))
    hour = int((START + DAYS * DAY + 10 * HOUR) // HOUR)
    assert flooded.rate(hour).per_second <= 1.3 * calm.rate(hour).per_second


def test_the_end_of_a_burst_is_no_silence() -> None:
    quiet = arrivals(steady(0.5), 0.5, DAYS, seed=8)
    flood = arrivals(steady(50.0), 50.0, 1 / 24, seed=8, start=START + DAYS * DAY)
    ear = Ear([*quiet, *flood])
    assert not ear.silent(flood[-1], flood[-1] + 5 * 60)


def test_a_holiday_s_own_level_counts() -> None:
    """A tenth of the usual since the morning: the usual rate is not to be expected."""
    usual = arrivals(steady(6.0), 6.0, DAYS, seed=9)
    holiday = arrivals(steady(0.6), 0.6, 0.5, seed=9, start=START + DAYS * DAY)
    ear = Ear([*usual, *holiday])
    assert not ear.silent(holiday[-1], holiday[-1] + 5 * 60)
    assert ear.silent(holiday[-1], holiday[-1] + 30 * 60)


def test_weekends_are_compared_with_weekends() -> None:
    def rate(at: float) -> float:
        return 0.6 if WEEKEND(int((START + at) // HOUR)) else 6.0

    times = arrivals(rate, 6.0, DAYS, seed=10)
    now = next(START + DAYS * DAY + d * DAY for d in range(7) if WEEKEND(int((START + (DAYS + d) * DAY) // HOUR) + 10))
    usual = Usual(Counter(int(at // HOUR) for at in times), WEEKEND)
    assert usual.rate(int(now // HOUR) + 10).per_second * 60 == pytest.approx(0.6, rel=0.2)


@pytest.mark.parametrize(
    ("same_kind", "all_days", "per_hour", "learnt_from"),
    [
        ([10, 10], [10, 10], 0.0, 0),
        ([10, 20, 12], [10, 20, 12], 12.0, 12),
        ([10, 900, 12, 11], [10, 900, 12, 11], 11.5, 23),
        ([0, 0, 0, 40], [0, 0, 0, 40], 0.0, 0),
        ([5], [5, 30, 40], 5.0, 5),
    ],
    ids=["too few days", "the middle of three", "without the burst", "mostly nothing", "a kind not seen yet"],
)
def test_the_typical_hour(same_kind: list[int], all_days: list[int], per_hour: float, learnt_from: int) -> None:
    rate = typical(same_kind, all_days)
    assert rate.per_second * HOUR == pytest.approx(per_hour)
    assert rate.learnt_from == learnt_from


@pytest.mark.parametrize(
    ("received", "expected", "recent"),
    [(100, 100.0, 1.0), (75, 100.0, 1.0), (500, 100.0, 1.0), (20, 100.0, 0.2), (0, 0.0, 1.0)],
    ids=["as usual", "by chance", "more", "far less", "nothing expected"],
)
def test_the_recent_level(received: int, expected: float, recent: float) -> None:
    assert level(received, expected) == pytest.approx(recent)


def test_what_is_silent_stays_so_until_a_message_comes() -> None:
    times = arrivals(steady(6.0), 6.0, DAYS, seed=11)
    ear, last = Ear(times), times[-1]
    assert not silent(ear.usual(last), last, last + 100, ear.received)
    assert silent(ear.usual(last), last, last + 100, ear.received, already=True)
