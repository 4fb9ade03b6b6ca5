"""Silence: no message for so long that, at the channel's usual rate for that hour, chance does not explain it.

Messages of steady random traffic come as a Poisson process. No message comes in a gap in which E were to be expected
with the probability exp(-E), and whatever the rhythm of day and night, a week of N messages has N gaps. So a gap with
E >= ln N is met by chance once a week, and that is the bound. At six messages a minute it is reached after 110 seconds.

The usual rate is learnt from the counts of the same hour of the day on the last days of the same kind (working days,
or weekends). The highest and lowest quarter of them are left out: one burst, or one outage, teaches nothing. The rate
is only an estimate, from K messages; by the gamma distribution of what it may be in truth, the probability of the gap
is (1 + E/K)^-K rather than exp(-E), so that little history means a later alarm. Where the last hours brought far less
than usual (a holiday), that level counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

HOUR = 3600.0
DAYS = 28
"""Days that are looked back on."""
LEAST_DAYS = 3
"""A channel with fewer of them is never called silent."""
LEAST_NEEDED = 5.0
"""Messages that must be missing at least, whatever the rate."""
RECENT = 3 * HOUR
"""What counts as the recent level."""
STILL = 0.8
"""Of what was needed to call a channel silent; above it the state stays, so that it does not come and go by itself."""
STEPS = 200


class Rate(msgspec.Struct, frozen=True):
    """Messages a second, and the number of messages that this was learnt from."""

    per_second: float
    learnt_from: int


NO_RATE = Rate(0.0, 0)


def typical(same_kind: Sequence[int], all_days: Sequence[int]) -> Rate:
    """The usual rate of an hour from its counts on earlier days: those of the same kind, and all.

    While too few days of the same kind are known, the lowest of all days stands in.
    """
    if len(same_kind) >= LEAST_DAYS:
        cut = max(1, len(same_kind) // 4)
        kept = sorted(same_kind)[cut:-cut]
    elif len(all_days) >= LEAST_DAYS:
        kept = [min(all_days)]
    else:
        return NO_RATE
    return Rate(sum(kept) / len(kept) / HOUR, sum(kept))


def weekends(zone: ZoneInfo) -> Callable[[int], bool]:
    """Tells of an hour (whole hours since 1970) whether it is on a Saturday or Sunday in this zone."""

    @lru_cache(maxsize=8192)
    def weekend(hour: int) -> bool:
        return datetime.fromtimestamp(hour * HOUR, zone).weekday() >= 5

    return weekend


class Usual:
    """The usual rate of one channel at any time near ``now``.

    ``hours`` has what was received by whole hours since 1970 (an hour that is not in it brought nothing).
    """

    def __init__(self, hours: Mapping[int, int], weekend: Callable[[int], bool]) -> None:
        self._hours = hours
        # The first hour is not whole: the channel was made in it.
        self._first = min(hours) + 1 if hours else 0
        self._weekend = weekend
        self._rates: dict[int, Rate] = {}
        self._needed: dict[int, float] = {}

    def rate(self, hour: int) -> Rate:
        """The usual rate in this hour (whole hours since 1970)."""
        found = self._rates.get(hour)
        if found is None:
            found = self._rates[hour] = self._learn(hour)
        return found

    def _learn(self, hour: int) -> Rate:
        days = [day for day in range(hour - 24 * DAYS, hour, 24) if day >= self._first]
        if not self._hours or len(days) < LEAST_DAYS:
            return NO_RATE
        counts = [self._hours.get(day, 0) for day in days]
        kind = self._weekend(hour)
        same = [count for day, count in zip(days, counts, strict=True) if self._weekend(day) == kind]
        return typical(same, counts)

    def at(self, time: float) -> float:
        """Messages a second at this time: the hour's own rate, or on the way to the next hour's where that is lower.

        So neither a steep nor a gentle evening is taken for silence.
        """
        hours = time / HOUR
        hour = int(hours)
        from_middle = hours - hour - 0.5
        own = self.rate(hour).per_second
        other = self.rate(hour + 1 if from_middle > 0 else hour - 1).per_second
        return min(own, own + (other - own) * abs(from_middle))

    def expected(self, start: float, end: float) -> float:
        """How many messages usually come from ``start`` to ``end`` (Unix seconds)."""
        if end <= start:
            return 0.0
        steps = min(STEPS, max(1, math.ceil((end - start) / 60)))
        step = (end - start) / steps
        return step * math.fsum(self.at(start + (place + 0.5) * step) for place in range(steps))

    def learnt_from(self, start: float, end: float) -> int:
        """How many messages the rates of these hours were learnt from."""
        return sum(self.rate(hour).learnt_from for hour in range(int(start // HOUR), int(end // HOUR) + 1))

    def needed(self, time: float) -> float:
        """How many expected messages must be missing, for one false alarm a week: ln of a week's messages."""
        hour = int(time // HOUR)
        found = self._needed.get(hour)
        if found is None:
            day = math.fsum(self.rate(one).per_second * HOUR for one in range(hour, hour + 24))
            found = self._needed[hour] = max(LEAST_NEEDED, math.log(7 * day) if day else 0.0)
        return found


def level(received: int, expected: float) -> float:
    """How the last hours were against the usual, at most 1; 1 where chance explains the difference."""
    if expected - received <= 3 * math.sqrt(expected):
        return 1.0
    return received / expected


def silent(
    usual: Usual, start: float, end: float, received: Callable[[float, float], int], *, already: bool = False
) -> bool:
    """Whether no message from ``start`` to ``end`` (Unix seconds) is more than chance.

    ``received`` counts what came from one time to another, asked for the last hours; ``already`` tells that the channel
    was found silent before.
    """
    needed = usual.needed(end) * (STILL if already else 1.0)
    expected = usual.expected(start, end)
    if expected < needed:
        return False
    expected *= level(received(start - RECENT, start), usual.expected(start - RECENT, start))
    known = usual.learnt_from(start, end)
    return known > 0 and known * math.log1p(expected / known) >= needed
