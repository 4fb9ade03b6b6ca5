"""Counts by the minute, read off the process's own metrics, and percentiles of what they hold."""

from __future__ import annotations

import pytest

from gateway.health.latency import BUCKETS, percentile, read, summed, written
from gateway.health.tally import Tally
from gateway.metrics import LATENCY_BUCKETS, Metrics

MINUTE = 1_760_000_040.0 // 60 * 60


def test_only_what_was_added_counts_and_for_its_minute() -> None:
    metrics = Metrics()
    metrics.messages_received.labels("sms").inc(7)
    tally = Tally(metrics)
    tally.count(MINUTE)
    metrics.messages_received.labels("sms").inc(2)
    metrics.replies_sent.labels("sms").inc()
    metrics.replies_failed.labels("sms", "http_500").inc()
    metrics.replies_failed.labels("sms", "timeout").inc()
    metrics.reply_latency.labels("sms").observe(0.3)
    tally.count(MINUTE + 60)
    first, second = tally.rows("me")
    assert (first["minute"], first["received"], first["latencies"]) == (MINUTE, 7, "")
    assert (second["minute"], second["received"], second["sent"], second["failed"]) == (MINUTE + 60, 2, 1, 2)
    assert sum(read(second["latencies"])) == 1


def test_a_row_holds_the_whole_minute_so_that_writing_it_twice_does_no_harm() -> None:
    metrics = Metrics()
    tally = Tally(metrics)
    for _ in range(3):
        metrics.messages_received.labels("sms").inc()
        tally.count(MINUTE + 5)
    (row,) = tally.rows("me")
    assert row["received"] == 3
    tally.written([row])
    assert tally.rows("me") == []
    metrics.messages_received.labels("sms").inc()
    tally.count(MINUTE + 50)
    assert [one["received"] for one in tally.rows("me")] == [4]


def test_what_could_not_be_written_waits() -> None:
    metrics = Metrics()
    tally = Tally(metrics)
    for minute in range(5):
        metrics.messages_received.labels("sms").inc()
        tally.count(MINUTE + 60 * minute)
    assert len(tally.rows("me")) == 5
    tally.written(tally.rows("me"))
    tally.count(MINUTE + 600)
    assert tally.rows("me") == []


def test_a_clock_that_is_set_back_writes_over_nothing() -> None:
    metrics = Metrics()
    tally = Tally(metrics)
    metrics.messages_received.labels("sms").inc(5)
    tally.count(MINUTE)
    tally.written(tally.rows("me"))
    tally.count(MINUTE + 60)
    metrics.messages_received.labels("sms").inc()
    tally.count(MINUTE)
    assert [(one["minute"], one["received"]) for one in tally.rows("me")] == [(MINUTE + 60, 1)]


@pytest.mark.parametrize(
    ("seconds", "p50", "p95"),
    [
        ([], None, None),
        ([0.3] * 100, 0.25 + 0.25 * 0.5, 0.25 + 0.25 * 0.95),
        ([0.3] * 90 + [45.0] * 10, 0.25 + 0.25 * 50 / 90, 30 + 30 * 0.5),
        ([1e6] * 10, 86400.0, 86400.0),
    ],
    ids=["none", "one bucket", "a slow tenth", "longer than any bound"],
)
def test_percentiles(seconds: list[float], p50: float | None, p95: float | None) -> None:
    metrics = Metrics()
    tally = Tally(metrics)
    for one in seconds:
        metrics.reply_latency.labels("sms").observe(one)
    tally.count(MINUTE)
    counted = [read(row["latencies"]) for row in tally.rows("me")]
    assert percentile(counted, 0.5) == pytest.approx(p50)
    assert percentile(counted, 0.95) == pytest.approx(p95)


def test_counts_of_other_buckets_are_passed_over() -> None:
    assert read(written([1] * BUCKETS)) == [1] * BUCKETS
    assert [read(text) for text in ("", "[1, 2]", "no")] == [[], [], []]
    assert len(LATENCY_BUCKETS) + 1 == BUCKETS


@pytest.mark.parametrize(
    "other", ["", "[1, 2]", "no", "[]", '["a"]'], ids=["none", "other buckets", "no JSON", "empty", "no counts"]
)
def test_what_was_stored_is_summed_bucket_by_bucket(other: str) -> None:
    assert summed([written([1] * BUCKETS), other, written(range(BUCKETS))]) == list(range(1, BUCKETS + 1))
    assert summed([other]) == []
