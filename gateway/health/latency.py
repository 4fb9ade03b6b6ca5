"""Replies by the time they took: counts for each bucket of ``reply_latency_seconds``, and percentiles of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway.metrics import LATENCY_BUCKETS

BUCKETS = len(LATENCY_BUCKETS) + 1
"""The last bucket has what took longer than any bound."""


def written(counts: Sequence[int]) -> str:
    """As it is stored; ``""`` where nothing was counted."""
    return msgspec.json.encode(list(counts)).decode() if any(counts) else ""


def read(text: str) -> list[int]:
    """What was stored; nothing of a version with other buckets."""
    if not text:
        return []
    try:
        counts = msgspec.json.decode(text, type=list[int])
    except msgspec.DecodeError:
        return []
    return counts if len(counts) == BUCKETS else []


def summed(texts: Iterable[str]) -> list[int]:
    """The sums of what was stored, bucket by bucket; empty where nothing was counted."""
    given = [text for text in texts if text]
    try:
        # Thousands a page: one document is read in a third of the time.
        found = msgspec.json.decode(f"[{','.join(given)}]", type=list[list[int]])
    except msgspec.DecodeError:
        found = [read(text) for text in given]
    kept = [counts for counts in found if len(counts) == BUCKETS]
    return list(map(sum, zip(*kept, strict=True)))


def percentile(counted: Iterable[Sequence[int]], share: float) -> float | None:
    """The time within which ``share`` of the replies went out, in seconds; ``None`` where there were none.

    Within a bucket they count as evenly spread. Of what took longer than the last bound only that bound is known.
    """
    sums = [0] * BUCKETS
    for counts in counted:
        for place, count in enumerate(counts):
            sums[place] += count
    wanted = sum(sums) * share
    if not wanted:
        return None
    below = 0.0
    for place, count in enumerate(sums):
        if count and below + count >= wanted and place < len(LATENCY_BUCKETS):
            low = LATENCY_BUCKETS[place - 1] if place else 0.0
            return low + (LATENCY_BUCKETS[place] - low) * (wanted - below) / count
        below += count
    return float(LATENCY_BUCKETS[-1])
