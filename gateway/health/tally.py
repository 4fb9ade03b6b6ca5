"""Counting by the minute: how far the process's own metrics have moved on since they were last looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from gateway.health.latency import BUCKETS, written
from gateway.metrics import Metrics

MINUTE = 60
LONGEST_KEPT = 24 * 60
"""Minutes of a channel that are kept while the store is away."""


class _Minute:
    """The sums of one channel in one minute."""

    __slots__ = ("counts", "latencies")

    def __init__(self) -> None:
        self.counts = {"received": 0, "sent": 0, "failed": 0}
        self.latencies = [0] * BUCKETS

    def shown(self) -> tuple[int, ...]:
        return (*self.counts.values(), *self.latencies)


class Tally:
    """The minutes that are not in the store as they stand now."""

    def __init__(self, metrics: Metrics) -> None:
        self._counters: Mapping[str, MetricWrapperBase] = {
            "received": metrics.messages_received,
            "sent": metrics.replies_sent,
            "failed": metrics.replies_failed,
        }
        self._histogram = metrics.reply_latency
        self._seen: dict[tuple[str, str], float] = {}
        self._buckets: dict[str, list[float]] = {}
        self._minutes: dict[tuple[str, int], _Minute] = {}
        self._written: dict[tuple[str, int], tuple[int, ...]] = {}
        self._minute = 0

    def count(self, now: float) -> None:
        """Look at the metrics; what they moved on by counts for the minute of ``now`` (Unix seconds)."""
        # A clock that is set back must not write over a minute that is told already.
        self._minute = max(self._minute, int(now // MINUTE) * MINUTE)
        for what, counter in self._counters.items():
            for channel, value in _sums(counter).items():
                added = value - self._seen.get((what, channel), 0.0)
                if added > 0:
                    self._seen[what, channel] = value
                    self._of(channel).counts[what] += round(added)
        for channel, buckets in _buckets(self._histogram).items():
            before = self._buckets.get(channel, [0.0] * BUCKETS)
            if buckets != before:
                self._buckets[channel] = buckets
                latencies = self._of(channel).latencies
                for place in range(BUCKETS):
                    latencies[place] += round(buckets[place] - before[place])

    def rows(self, instance: str) -> list[dict[str, Any]]:
        """The rows of ``traffic`` to be written."""
        return [
            {
                "channel": channel,
                "minute": at,
                "instance": instance,
                **minute.counts,
                "latencies": written(minute.latencies),
            }
            for (channel, at), minute in self._minutes.items()
            if self._written.get((channel, at)) != minute.shown()
        ]

    def written(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """These rows stand; minutes that are over need not be kept any longer."""
        for row in rows:
            key = (row["channel"], row["minute"])
            self._written[key] = self._minutes[key].shown()
        for key in [key for key in self._minutes if key[1] < self._minute and key in self._written]:
            del self._minutes[key]
            del self._written[key]

    def _of(self, channel: str) -> _Minute:
        found = self._minutes.get((channel, self._minute))
        if found is None:
            found = self._minutes[channel, self._minute] = _Minute()
            self._minutes.pop((channel, self._minute - LONGEST_KEPT * MINUTE), None)
        return found


def _sums(counter: MetricWrapperBase) -> dict[str, float]:
    """A counter's values by channel, over its other labels."""
    found: dict[str, float] = {}
    for family in counter.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                channel = sample.labels["channel"]
                found[channel] = found.get(channel, 0.0) + sample.value
    return found


def _buckets(histogram: MetricWrapperBase) -> dict[str, list[float]]:
    """How many were observed in each bucket alone, by channel."""
    found: dict[str, list[float]] = {}
    for family in histogram.collect():
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                up_to = found.setdefault(sample.labels["channel"], [])
                up_to.append(sample.value)
    return {channel: [b - a for a, b in zip([0.0, *up_to], up_to, strict=False)] for channel, up_to in found.items()}
