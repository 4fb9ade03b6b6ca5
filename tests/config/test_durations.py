from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.durations import LARGEST, LONGEST, format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("90s", 90),
        ("10m", 600),
        ("24h", 86400),
        ("30d", 30 * 86400),
        ("1.5h", 5400),
        (" 10 M ", 600),
        ("15", 15),
        (15, 15),
        (0.25, 0.25),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_as_seconds(written: Any, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "s", "10x", "-5s", "1h30m", "ten", "1e3s", "٣s", True, None, [], math.nan, math.inf]
)
def test_what_is_no_duration_is_told_the_form(written: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a duration such as"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["3651d", "9" * 400 + "d", LONGEST + 1])
def test_a_duration_has_an_upper_bound(written: Any) -> None:
    with pytest.raises(ValueError, match="must be at most 3650d"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "0s"), (0.5, "500ms"), (1.0, "1s"), (90.0, "90s"), (600.0, "10m"), (86400.0, "24h"), (30 * 86400.0, "30d")],
)
def test_a_duration_is_shown_as_people_write_it(seconds: float, written: str) -> None:
    assert format_duration(seconds) == written


@given(st.integers(min_value=0, max_value=int(LONGEST)))
@example(160_428_660)
def test_a_shown_duration_reads_back(seconds: int) -> None:
    assert parse_duration(format_duration(float(seconds))) == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("64KiB", 65536),
        ("64kb", 64000),
        ("1.5MiB", 1572864),
        ("1GiB", 1024**3),
        ("10", 10),
        ("10 B", 10),
        (4096, 4096),
    ],
)
def test_a_size_is_read_as_bytes(written: Any, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "GiB", "1 furlong", "-1", 1.5, True, None])
def test_what_is_no_size_is_told_the_form(written: Any) -> None:
    with pytest.raises(ValueError, match="must be a size such as"):
        parse_size(written)


@pytest.mark.parametrize("written", ["2000TiB", "9" * 400, LARGEST + 1])
def test_a_size_has_an_upper_bound(written: Any) -> None:
    with pytest.raises(ValueError, match="must be at most 1024TiB"):
        parse_size(written)


@given(st.integers(min_value=0, max_value=1024**3))
def test_a_shown_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size
