"""A soak kills every role in turn, and says when too little went wrong."""

from __future__ import annotations

import itertools
import random
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.soak.trouble import Trouble
from tests.crash.fleet import SIX, THREE

ENOUGH = {
    **{f"killed {role}": 10 for role in THREE},
    "paused": 1,
    "clock stepped": 1,
    "broker away": 1,
    "PostgreSQL away": 1,
}


def trouble(seconds: float) -> Trouble:
    fleet: Any = SimpleNamespace(names=SIX, role_of=lambda name: name.partition("-")[0])
    nothing: Any = None
    return Trouble(fleet, {}, nothing, nothing, nothing, seconds=seconds, chance=random.Random(1), say=print)


def test_each_role_is_killed_before_one_is_killed_again() -> None:
    victims = list(itertools.islice(trouble(600).victims(), 12))
    for start in range(0, 12, 3):
        assert {name.partition("-")[0] for name in victims[start : start + 3]} == set(THREE)
    assert set(victims[:6]) == set(victims[6:]) == set(SIX)


@pytest.mark.parametrize(
    ("seconds", "happened", "missed"),
    [
        pytest.param(600, {}, [], id="thirty kills in ten minutes are enough"),
        pytest.param(640, {}, ["30 kills instead of 32"], id="kills that a longer one would have"),
        pytest.param(180, {"broker away": 0}, ["never: broker away"], id="a kind of trouble that never came"),
        pytest.param(180, {"killed intake": 0}, ["never: killed intake"], id="a role that nobody killed"),
    ],
)
def test_what_is_missing(seconds: float, happened: dict[str, int], missed: list[str]) -> None:
    one = trouble(seconds)
    one.counts.update(ENOUGH | happened)
    assert one.missed() == missed
