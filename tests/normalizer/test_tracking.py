"""The form of tracking numbers, and the drawing of new ones."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from normalizer import tracking

DRAWN = 1_000_000


@pytest.fixture(scope="module")
def drawn() -> list[str]:
    return tracking.draw(DRAWN)


def damm(digits: str) -> int:
    """The interim digit of Damm's table, typed once more, as an oracle: 0 for a number with its check digit."""
    table = "0317598642709215486342068713591750983426612304597836742095815869720134894536201794386172052581436790"
    interim = 0
    for digit in digits:
        interim = int(table[10 * interim + int(digit)])
    return interim


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        pytest.param("4829137065", True, id="as we write it"),
        pytest.param("4829137066", False, id="last digit wrong"),
        pytest.param("4829173065", False, id="neighbours swapped"),
        pytest.param("482 913 7065", False, id="in groups: that is how it is shown, not what it is"),
        pytest.param("482913706", False, id="a digit short"),
        pytest.param("48291370655", False, id="a digit long"),
        pytest.param("", False, id="nothing"),
        pytest.param("482913706O", False, id="a letter"),
        pytest.param("４８２９１３７０６５", False, id="full-width digits"),
        pytest.param("482913706²", False, id="a superscript"),
    ],
)
def test_valid(number: str, valid: bool) -> None:
    assert tracking.valid(number) is valid


@pytest.mark.parametrize("start", ["0812345678", "6281234567", "0000000000"])
def test_what_begins_like_a_phone_is_never_valid(start: str) -> None:
    numbers = [start[:-1] + str(last) for last in range(10)]
    assert any(damm(number) == 0 for number in numbers), "one of the ten has the right check digit"
    assert not any(map(tracking.valid, numbers))


def test_shown_in_groups() -> None:
    assert tracking.shown("4829137065") == "482 913 7065"


def test_the_check_digit_is_the_one_of_damm() -> None:
    assert tracking.check_digit("572") == "4"  # the worked example of the literature
    assert all(damm(number) == 0 for number in tracking.draw(1000))


def test_every_wrong_digit_and_every_swap_of_neighbours_is_caught(drawn: list[str]) -> None:
    for number in drawn[:2000]:
        for at, digit in itertools.product(range(10), "0123456789"):
            wrong = number[:at] + digit + number[at + 1 :]
            assert tracking.valid(wrong) is (wrong == number)
        for at in range(9):
            swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
            assert tracking.valid(swapped) is (swapped == number)


def test_a_million_numbers_are_valid_and_none_repeats(drawn: list[str]) -> None:
    assert len(set(drawn)) == len(drawn) == DRAWN
    assert all(map(tracking.valid, drawn))


def test_no_number_is_drawn_twice_even_from_a_space_that_is_nearly_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_SPACE", 50)
    assert len(set(tracking.draw(50))) == 50


@pytest.mark.parametrize(
    ("nth", "number"),
    [
        pytest.param(0, "100000000", id="the first"),
        pytest.param(519_999_999, "619999999", id="the last before 62"),
        pytest.param(520_000_000, "630000000", id="the first after 62"),
        pytest.param(889_999_999, "999999999", id="the last"),
    ],
)
def test_the_whole_space_is_drawn_from(monkeypatch: pytest.MonkeyPatch, nth: int, number: str) -> None:
    spaces = []

    def randbelow(space: int) -> int:
        spaces.append(space)
        return nth

    monkeypatch.setattr("normalizer.tracking.secrets.randbelow", randbelow)
    assert tracking.draw(1) == [number + tracking.check_digit(number)]
    assert spaces == [890_000_000]


def test_digits_are_spread_evenly(drawn: list[str]) -> None:
    """Chi-square against the uniform draw; the bounds are passed by chance less than once in 10^12 runs."""
    leading = Counter(number[0] for number in drawn)
    expected = {str(d): DRAWN * (90 if d == 6 else 100) / 890 for d in range(1, 10)}
    assert chi_square(leading, expected) < 80  # 8 degrees of freedom
    for at in range(2, 10):
        assert chi_square(Counter(n[at] for n in drawn), dict.fromkeys("0123456789", DRAWN / 10)) < 85  # 9 of them


def test_known_numbers_do_not_give_the_next(drawn: list[str]) -> None:
    """Neither steps, nor ratios, nor digits carried over: neighbours in the order of drawing have nothing in common."""
    values = [int(number[:-1]) for number in drawn]
    steps = Counter(b - a for a, b in itertools.pairwise(values))
    assert max(steps.values()) <= 20  # a constant or small set of steps would pile up in thousands
    assert sum(b > a for a, b in itertools.pairwise(values)) == pytest.approx(DRAWN / 2, abs=DRAWN * 0.01)
    same = sum(x == y for a, b in itertools.pairwise(drawn[:100_000]) for x, y in zip(a[2:], b[2:], strict=True))
    assert same == pytest.approx(100_000 * 8 / 10, rel=0.05)


def chi_square(seen: Counter[str], expected: dict[str, float]) -> float:
    assert seen.keys() == expected.keys()
    return sum((seen[key] - count) ** 2 / count for key, count in expected.items())


@pytest.mark.parametrize("between", ["", ".", "-"], ids=["in one", "dots", "hyphens"])
@pytest.mark.parametrize("letters", [("0", "O", "1", "I"), ("0", "o", "1", "l")], ids=["large", "small"])
def test_every_number_is_read_through_its_look_alikes(between: str, letters: tuple[str, str, str, str]) -> None:
    zero, o, one, i = letters
    typed = {}
    for number in tracking.draw(2000):
        grouped = between.join((number[:3], number[3:6], number[6:]))
        typed[number] = grouped.replace(zero, o).replace(one, i)
    unread = [
        text for number, text in typed.items() if tracking.find(f"Tambahan {text}: depan masjid").numbers != (number,)
    ]
    assert unread == []
