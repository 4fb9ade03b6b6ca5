"""The books of an outage find what is refused, lost, out of order or doubled."""

from __future__ import annotations

import pytest

from benchmarks.numbered import Away, Books, Found, Message, Phase, answered, balance

GOOD = Books(refused=0, lost=0, reordered=0, doubled=0, copies=0)


def wrote(phase: Phase, sender: int, number: int, status: str = "200", seconds: float = 0.01) -> Message:
    return Message(Away.KILLED, phase, sender, number, seconds=seconds, status=status)


def found(*records: str) -> list[Found]:
    """``0-1``: the second message of the first sender; ``0-1'``: another event of it."""
    return [Found(f"killed-{record.rstrip(chr(39))}", record) for record in records]


@pytest.mark.parametrize(
    ("records", "books", "balanced"),
    [
        pytest.param(["0-0", "1-0", "0-1", "0-2"], GOOD, True, id="all in order"),
        pytest.param(["1-0", "0-0", "0-1", "0-2"], GOOD, True, id="each sender has an order of their own"),
        pytest.param(["0-0", "1-0", "0-2"], Books(0, 1, 0, 0, 0), False, id="one lost"),
        pytest.param(["0-0", "1-0", "0-2", "0-1"], Books(0, 0, 1, 0, 0), False, id="one out of order"),
        pytest.param(["0-0", "1-0", "0-1", "0-2", "0-1"], Books(0, 0, 0, 0, 1), True, id="a late copy"),
        pytest.param(["0-0", "1-0", "0-1", "0-1'", "0-2"], Books(0, 0, 0, 1, 0), False, id="two events of one message"),
        pytest.param(["9-9", "0-0", "1-0", "0-1", "0-2"], GOOD, True, id="what others wrote"),
    ],
)
def test_the_books(records: list[str], books: Books, *, balanced: bool) -> None:
    messages = [wrote(Phase.AWAY, *place) for place in ((0, 0), (1, 0), (0, 1), (0, 2))]
    assert balance(messages, found(*records)) == books
    assert books.balanced is balanced


@pytest.mark.parametrize("records", [["0-0"], ["0-0", "0-1"]], ids=["it is gone", "it was written all the same"])
def test_a_refused_message_is_not_lost_and_still_told(records: list[str]) -> None:
    books = balance([wrote(Phase.AWAY, 0, 0), wrote(Phase.AWAY, 0, 1, status="503")], found(*records))
    assert books == Books(1, 0, 0, 0, 0)
    assert not books.balanced


def test_answers_are_told_phase_by_phase() -> None:
    messages = [wrote(Phase.BEFORE, n, 0, seconds=0.001) for n in range(10)]
    messages += [wrote(Phase.AWAY, n, 1, seconds=n / 1000) for n in range(1, 101)]
    messages += [wrote(Phase.AWAY, 101, 1, status="closed", seconds=5.0)]
    before, away = answered(messages)
    assert (before.phase, before.messages, before.refused, before.longest) == (Phase.BEFORE, 10, 0, 1.0)
    assert (away.phase, away.messages, away.refused) == (Phase.AWAY, 101, 1)
    assert (away.p50, away.p99, away.longest) == (51.0, 100.0, 5000.0)
