"""Changes of health in, notices out: what a sink is told, how often, and what never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts.rules import (
    MANY,
    Change,
    Ledger,
    Notice,
    Stand,
    end,
    following,
    forget_old,
    over,
    subject,
    take,
    told,
)

PATIENCE = 300.0
DAY = 86400.0
START = 1_000_000.0


def change(number: int, at: float, state: str, channel: str = "sms", part: str = "", reason: str = "") -> Change:
    return Change(number, START + at, channel, part, state, reason)


def short(notice: Notice) -> str:
    """``down``, ``down>healthy`` when over, ``down-silent`` where the sink knew the trouble as down."""
    known = f"{notice.was}-" if notice.was else ""
    return f"{known}{notice.state}{'' if notice.firing else f'>{notice.then}'}"


def tell(ledger: Ledger) -> list[str]:
    said = []
    while notices := following(ledger):
        said += [short(notice) for notice in notices]
        told(ledger, notices)
    return said


# Each row: looks, each at a second and with the states that turned up since the last one, and what each look told.
Look = tuple[float, Sequence[tuple[float, str]], list[str]]
STORIES: Mapping[str, Sequence[Look]] = {
    "down is told at once, and once when over": [
        (0, [(0, "down")], ["down"]),
        (60, [], []),
        (90, [(90, "healthy")], ["down>healthy"]),
        (500, [], []),
    ],
    "silent is told at once": [(0, [(0, "silent")], ["silent"]), (9, [(9, "healthy")], ["silent>healthy"])],
    "degraded is told once it has lasted": [
        (0, [(0, "degraded")], []),
        (299, [], []),
        (300, [], ["degraded"]),
        (301, [], []),
        (400, [(400, "healthy")], ["degraded>healthy"]),
    ],
    "degraded for a short while is not told": [
        (0, [(0, "degraded")], []),
        (200, [(200, "healthy")], []),
        (900, [], []),
    ],
    "degraded anew begins to last anew": [
        (0, [(0, "degraded")], []),
        (200, [(200, "healthy"), (250, "degraded")], []),
        (400, [], []),
        (550, [], ["degraded"]),
    ],
    "degraded, then down: down at once": [
        (0, [(0, "degraded")], []),
        (10, [(10, "down")], ["down"]),
        (900, [], []),
    ],
    "down, then silent, is one trouble that changes": [
        (0, [(0, "down")], ["down"]),
        (60, [(60, "silent")], ["down-silent"]),
        (90, [(90, "healthy")], ["silent>healthy"]),
    ],
    "down, for a while degraded, down again: nothing new": [
        (0, [(0, "down")], ["down"]),
        (60, [(60, "degraded")], []),
        (90, [(90, "down")], []),
        (900, [(900, "healthy")], ["down>healthy"]),
    ],
    "down, then degraded to stay": [
        (0, [(0, "down")], ["down"]),
        (60, [(60, "degraded")], []),
        (360, [], ["down-degraded"]),
        (400, [(400, "healthy")], ["degraded>healthy"]),
    ],
    "down, degraded, healthy soon": [
        (0, [(0, "down")], ["down"]),
        (60, [(60, "degraded")], []),
        (70, [(70, "healthy")], ["down>healthy"]),
    ],
    "what began and ended between two looks is told once": [(9, [(0, "down"), (5, "healthy")], ["down>healthy"])],
    "what changed between two looks is told as it is now": [(9, [(0, "down"), (5, "silent")], ["silent"])],
    "back to what was told, between two looks": [
        (0, [(0, "down")], ["down"]),
        (9, [(5, "silent"), (6, "down")], []),
        (20, [(20, "healthy")], ["down>healthy"]),
    ],
    "changed and over between two looks: what was told is over": [
        (0, [(0, "down")], ["down"]),
        (9, [(5, "silent"), (6, "healthy")], ["down>healthy"]),
    ],
    "two troubles between two looks are two notices": [
        (9, [(0, "down"), (1, "healthy"), (2, "down")], ["down>healthy", "down"]),
        (20, [(20, "healthy")], ["down>healthy"]),
    ],
    "paused by an operator ends it": [(0, [(0, "down")], ["down"]), (9, [(9, "paused")], ["down>paused"])],
    "unknown is neither trouble nor its end": [
        (0, [(0, "down")], ["down"]),
        (9, [(9, "unknown")], []),
        (20, [(20, "down")], []),
        (30, [(30, "healthy")], ["down>healthy"]),
    ],
    "healthy from the start": [(0, [(0, "unknown"), (1, "healthy")], [])],
    "a change of more than a day ago is not news": [(2 * DAY, [(0, "silent"), (1, "down")], [])],
    "nor is its end": [(2 * DAY, [(0, "down")], []), (2 * DAY + 9, [(2 * DAY + 5, "healthy")], [])],
    "the end of what was told is told, however late": [
        (0, [(0, "down")], ["down"]),
        (3 * DAY, [(DAY, "healthy")], ["down>healthy"]),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_story_of_one_channel(story: Sequence[Look]) -> None:
    ledger, number = Ledger(), 0
    for at, states, expected in story:
        changes = []
        for seconds, state in states:
            number += 1
            changes.append(change(number, seconds, state))
        take(ledger, changes, now=START + at, patience=PATIENCE, standing={})
        assert tell(ledger) == expected, f"at {at}"
    assert ledger.upto == number


def test_what_still_holds_is_told_however_old() -> None:
    ledger = Ledger()
    standing = {"sms/": Stand("down", START), "wa/": Stand("healthy", START + 1)}
    old = [change(1, 0, "down"), change(2, 0, "down", "wa"), change(3, 1, "healthy", "wa")]
    take(ledger, old, now=START + 2 * DAY, patience=PATIENCE, standing=standing)
    assert [notice.channel for notice in ledger.queue] == ["sms"]
    assert ledger.queue[0].since == START


def test_a_notice_tells_since_when_why_and_of_which_changes() -> None:
    ledger = Ledger()
    take(ledger, [change(7, 3, "down", reason="http_500")], now=START + 9, patience=PATIENCE, standing={})
    (notice,) = following(ledger)
    assert (notice.channel, notice.since, notice.until, notice.reason) == ("sms", START + 3, None, "http_500")
    assert (notice.changes, notice.began) == ([7], 7)
    assert ledger.waiting() == {7}

    told(ledger, [notice])
    take(ledger, [change(9, 60, "silent")], now=START + 60, patience=PATIENCE, standing={})
    (notice,) = following(ledger)
    assert (notice.was, notice.was_since, notice.since) == ("down", START + 3, START + 60)
    assert (notice.changes, notice.began) == ([9], 7)

    told(ledger, [notice])
    take(ledger, [change(12, 90, "healthy")], now=START + 90, patience=PATIENCE, standing={})
    (notice,) = following(ledger)
    assert (notice.state, notice.since, notice.until) == ("silent", START + 60, START + 90)
    assert (notice.changes, notice.began) == ([12], 7)


def test_each_channel_and_role_has_troubles_of_its_own() -> None:
    ledger = Ledger()
    changes = [
        change(1, 0, "down"),
        change(2, 0, "down", "wa"),
        change(3, 0, "down", "", "dispatch"),
        change(4, 0, "down", "", "deliver"),
        change(5, 1, "healthy", "", "dispatch"),
    ]
    take(ledger, changes, now=START + 1, patience=PATIENCE, standing={})
    assert [(n.channel, n.part, short(n)) for n in ledger.queue] == [
        ("sms", "", "down"),
        ("wa", "", "down"),
        ("", "dispatch", "down>healthy"),
        ("", "deliver", "down"),
    ]


@pytest.mark.parametrize(("count", "messages"), [(1, [1]), (MANY, [1] * MANY), (MANY + 1, [MANY + 1]), (40, [40])])
def test_many_at_a_time_are_one_message(count: int, messages: list[int]) -> None:
    ledger = Ledger()
    changes = [change(i, 0, "down", f"sms-{i}") for i in range(1, count + 1)]
    take(ledger, changes, now=START, patience=PATIENCE, standing={})
    said = []
    while notices := following(ledger):
        said.append(len(notices))
        told(ledger, notices)
    assert said == messages


def test_what_could_not_be_told_within_a_day_is_let_go_unless_it_holds() -> None:
    ledger = Ledger()
    changes = [
        change(1, 0, "down"),
        change(2, 0, "down", "wa"),
        change(3, 5, "healthy", "wa"),
        change(4, 0, "silent", "email"),
    ]
    take(ledger, changes, now=START, patience=PATIENCE, standing={})
    states = {"sms/": "down", "wa/": "healthy", "email/": "unknown"}
    standing = {name: Stand(state, START) for name, state in states.items()}
    assert forget_old(ledger, now=START + DAY - 1, standing=standing) == []
    gone = forget_old(ledger, now=START + DAY + 6, standing=standing)
    assert [notice.channel for notice in gone] == ["wa", "email"]
    assert tell(ledger) == ["down"]
    # Nobody heard that it began, so nobody hears that it is over.
    take(ledger, [change(5, DAY + 9, "healthy", "email")], now=START + DAY + 9, patience=PATIENCE, standing=standing)
    assert tell(ledger) == []


def test_what_stands_well_without_a_change_that_says_so_is_over() -> None:
    """The watch passes over what was unknown and is well again, and what is not configured any more."""
    ledger = Ledger()
    names = ("well", "paused", "away", "down", "unknown", "")
    changes = [change(i, 0, "down", name, "dispatch" if not name else "") for i, name in enumerate(names, start=1)]
    take(ledger, [*changes, change(9, 0, "degraded", "brief")], now=START, patience=PATIENCE, standing={})
    tell(ledger)
    standing = {
        "well/": Stand("healthy", START + 50),
        "paused/": Stand("paused", START + 60),
        "down/": Stand("down", START),
        "unknown/": Stand("unknown", START + 70),
        "/dispatch": Stand("healthy", START + 80),
    }
    found = over(ledger, standing)
    assert sorted(found) == ["/dispatch", "away/", "brief/", "paused/", "well/"]
    end(ledger, found, now=START + 90, standing=standing)
    assert [(n.channel, n.part, short(n), n.until) for n in ledger.queue] == [
        ("well", "", "down>healthy", START + 50),
        ("paused", "", "down>paused", START + 60),
        ("away", "", "down>gone", START + 90),
        ("", "dispatch", "down>healthy", START + 80),
    ]
    assert (list(ledger.open), over(ledger, standing)) == (["down/", "unknown/"], [])


def test_a_ledger_is_kept_whole() -> None:
    ledger = Ledger()
    changes = [change(1, 0, "down"), change(2, 0, "degraded", "wa"), change(3, 1, "down", "", "intake", "gone")]
    take(ledger, changes, now=START, patience=PATIENCE, standing={})
    again = msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger)
    assert again == ledger
    assert (ledger.waiting(), again.upto) == ({1, 2, 3}, 3)


STATES = ("healthy", "degraded", "down", "silent", "paused", "unknown")


@given(
    st.lists(st.tuples(st.sampled_from(["sms", "wa"]), st.sampled_from(STATES), st.integers(1, 400)), max_size=30),
    st.data(),
)
def test_however_it_is_looked_at_troubles_begin_and_end_in_turn(
    steps: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """Whatever the changes and whenever they are seen and told: no state twice in a row, no end without a beginning,
    and what a sink was told last is how things stand."""
    ledger, now, changes, heard = Ledger(), START, list[Change](), dict[str, list[Notice]]()

    def hear() -> None:
        notices = following(ledger)
        for notice in notices:
            heard.setdefault(subject(notice.channel, notice.part), []).append(notice)
        told(ledger, notices)

    for number, (channel, state, wait) in enumerate(steps, start=1):
        now += wait
        changes.append(Change(number, now, channel, "", state))
        if data.draw(st.booleans(), label="look"):
            take(ledger, changes, now=now, patience=PATIENCE, standing={})
            changes = []
        if data.draw(st.booleans(), label="tell"):
            hear()
    take(ledger, changes, now=now + PATIENCE, patience=PATIENCE, standing={})
    while ledger.queue:
        hear()

    for notices in heard.values():
        for before, after in pairwise(notices):
            if before.firing and after.firing:
                assert after.was == before.state != after.state
            elif before.firing:
                assert (after.state, after.since) == (before.state, before.since)
            else:
                assert not after.was
        assert all(not n.was for n in notices[:1])
    firing = {name: notices[-1].state for name, notices in heard.items() if notices[-1].firing}
    assert firing == {name: trouble.state for name, trouble in ledger.open.items()}
