"""The rules by which what processes tell becomes the state of a channel, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from gateway.health.instances import InstanceState, state_of
from gateway.health.judging import Damper, Found, parts, reason_of_nobody, replaced, roles, whole
from gateway.health.parts import Part
from gateway.health.told import ChannelTold, Told, decode, encode

ZONE = ZoneInfo("Asia/Jakarta")
WELL, SLOW, AWAY = Part("healthy"), Part("degraded", "429"), Part("down", "500")
UNPROVEN = Part("degraded", "to prove", unproven=True)
NOBODY = Found("down", "no process of the role deliver runs")
HEALTHY, UNKNOWN = Found("healthy"), Found("unknown")


@dataclass
class Process:
    role: str
    state: InstanceState
    started_at: float = 0.0
    beat_at: float = 0.0


@pytest.mark.parametrize(
    ("age", "left_at", "state"),
    [(0.0, None, "running"), (20.0, None, "running"), (20.1, None, "missing"), (900.0, 5.0, "left")],
)
def test_a_process_runs_while_its_heart_beats(age: float, left_at: float | None, state: str) -> None:
    assert state_of(age, left_at, 20.0) == state


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([], UNKNOWN),
        ([ChannelTold()], UNKNOWN),
        ([ChannelTold(sending=WELL), ChannelTold()], HEALTHY),
        ([ChannelTold(sending=WELL), ChannelTold(sending=SLOW)], Found("degraded", "429")),
        ([ChannelTold(sending=SLOW), ChannelTold(sending=AWAY)], Found("down", "500")),
        ([ChannelTold(sending=UNPROVEN), ChannelTold()], Found("degraded", "to prove")),
        ([ChannelTold(sending=UNPROVEN), ChannelTold(sending=WELL)], HEALTHY),
        ([ChannelTold(sending=UNPROVEN), ChannelTold(sending=WELL), ChannelTold(sending=AWAY)], Found("down", "500")),
    ],
    ids=[
        "nobody",
        "none that sends",
        "one knows",
        "one is slow",
        "the worst counts",
        "one has to prove it",
        "another proves it",
        "another is down",
    ],
)
def test_a_part_is_what_the_worst_of_those_who_know_it_says(told: list[ChannelTold], found: Found) -> None:
    assert parts(told, {}, {})["sending"] == found


@pytest.mark.parametrize(
    ("told", "paused", "found"),
    [
        ([], {}, NOBODY),
        ([ChannelTold(sending=WELL)], {}, HEALTHY),
        ([ChannelTold(sending=AWAY)], {"out": "by sari: works"}, Found("paused", "paused by sari: works")),
        ([ChannelTold(sending=WELL)], {"in": "by sari"}, HEALTHY),
    ],
    ids=["its role is missing", "somebody does it still", "paused", "the other way is paused"],
)
def test_a_missing_role_and_a_pause(told: list[ChannelTold], paused: dict[str, str], found: Found) -> None:
    assert parts(told, {"deliver": NOBODY}, paused)["sending"] == found


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (("healthy", "healthy", "healthy"), "healthy"),
        (("healthy", "unknown", "unknown"), "healthy"),
        (("unknown", "unknown", "unknown"), "unknown"),
        (("degraded", "healthy", "healthy"), "degraded"),
        (("degraded", "paused", "healthy"), "paused"),
        (("silent", "paused", "healthy"), "silent"),
        (("silent", "paused", "down"), "down"),
    ],
    ids="/".join,
)
def test_a_channel_is_its_worst_part(states: tuple[str, str, str], state: str) -> None:
    names = ("receiving", "sending", "credentials")
    found = whole({n: Found(s, f"{n} is {s}") for n, s in zip(names, states, strict=True)})  # type: ignore[arg-type]
    worst = names[states.index(state)]
    assert found == Found(state, "" if state == "healthy" else f"{worst} is {state}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("processes", "states"),
    [
        ([], {}),
        ([Process("all", "running")], {"intake": "healthy", "dispatch": "healthy", "deliver": "healthy"}),
        ([Process("intake", "running"), Process("deliver", "missing")], {"intake": "healthy", "deliver": "down"}),
        ([Process("deliver", "missing"), Process("deliver", "running")], {"deliver": "healthy"}),
        ([Process("deliver", "left")], {"deliver": "unknown"}),
        ([Process("deliver", "left"), Process("deliver", "missing")], {"deliver": "down"}),
        (
            [Process("all", "missing"), Process("dispatch", "running")],
            {"intake": "down", "dispatch": "healthy", "deliver": "down"},
        ),
    ],
    ids=["new", "one for all", "one role is missing", "another does it", "it left", "one left, one is missing", "all"],
)
def test_a_role_is_down_when_the_last_of_its_processes_is_missing(
    processes: list[Process], states: dict[str, str]
) -> None:
    assert {role: found.state for role, found in roles(processes, ZONE).items()} == states


def test_a_missing_process_is_forgotten_once_another_was_started_in_its_place() -> None:
    missing = Process("deliver", "missing", started_at=10, beat_at=100)
    assert replaced([missing, Process("deliver", "running", started_at=50)]) == []
    assert replaced([missing, Process("intake", "running", started_at=150)]) == []
    assert replaced([missing, Process("deliver", "running", started_at=150)]) == [missing]


@pytest.mark.parametrize(
    ("states", "state"),
    [(["running", "missing"], None), (["missing", "left"], "down"), (["left"], "unknown"), ([], "unknown")],
)
def test_what_is_said_while_no_process_runs(states: list[InstanceState], state: str | None) -> None:
    found = reason_of_nobody([Process("all", one) for one in states], ZONE)
    assert (found.state if found else None) == state


@pytest.mark.parametrize(
    ("was", "state", "held"),
    [
        (None, "healthy", 0.0),
        (None, "down", 0.0),
        ("healthy", "down", 0.0),
        ("healthy", "silent", 0.0),
        ("healthy", "degraded", 7.5),
        ("degraded", "healthy", 15.0),
        ("down", "degraded", 15.0),
        ("down", "healthy", 15.0),
        ("healthy", "paused", 0.0),
        ("paused", "degraded", 0.0),
        ("healthy", "unknown", 20.0),
    ],
)
def test_how_long_a_state_has_to_hold(was: str | None, state: str, held: float) -> None:
    damper, found = Damper(settle=15.0, forget=20.0), Found(state)  # type: ignore[arg-type]
    key = ("sms", "sending")
    if held:
        assert damper.change(key, was, found, 100.0) is None
        assert damper.change(key, was, found, 100.0 + held - 0.1) is None
    assert damper.change(key, was, found, 100.0 + held) == 100.0


def test_what_comes_and_goes_is_not_told() -> None:
    damper, key = Damper(settle=15.0, forget=20.0), ("sms", "sending")
    for at in range(0, 300, 10):
        assert damper.change(key, "down", HEALTHY, at) is None
        assert damper.change(key, "down", Found("down"), at + 5) is None


def test_on_the_way_up_each_better_state_counts_for_the_waiting() -> None:
    damper, key = Damper(settle=15.0, forget=20.0), ("sms", "sending")
    assert damper.change(key, "down", Found("degraded"), 0.0) is None
    assert damper.change(key, "down", HEALTHY, 10.0) is None
    assert damper.change(key, "down", HEALTHY, 15.0) == 0.0


def test_what_is_told_comes_back_and_what_another_version_tells_is_nothing() -> None:
    told = Told(at=5.0, channels={"sms": ChannelTold(receiving=AWAY, last_in=4.0)}, log_lag=3)
    assert decode(encode(told)) == told
    assert decode('{"channels": 7}') == Told()
