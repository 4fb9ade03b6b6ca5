"""Rounds are a pace apart, and none waits after a rest."""

from __future__ import annotations

import asyncio

import pytest

from gateway.pace import Pace


class Clock:
    """A loop's time that moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("works", "begin"),
    [
        pytest.param([0.0, 0.0, 0.0], [0.0, 0.02, 0.04], id="short-rounds-are-a-pace-apart"),
        pytest.param([0.005, 0.015], [0.0, 0.02], id="their-own-length-counts"),
        pytest.param([0.5, 0.5], [0.0, 0.5], id="long-ones-follow-at-once"),
    ],
)
async def test_rounds_begin(works: list[float], begin: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace(0.02)
    begun = []
    for work in works:
        await pace.turn()
        begun.append(round(clock.now - 1000.0, 6))
        clock.now += work
    assert begun == begin
