"""Charts: what is drawn is what was counted, and it is told in words too."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from gateway.console.charts import HEIGHT, WIDTH, sparkline
from gateway.console.moments import ago, lasted

SVG = "{http://www.w3.org/2000/svg}"


def drawn(values: list[int]) -> tuple[ElementTree.Element, list[tuple[float, float]]]:
    svg = ElementTree.fromstring(str(sparkline(values, name="sms-hour", title="<SMS>", description="3 & 4")))
    line = svg.find("polyline")
    assert line is not None
    return svg, [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def test_the_line_runs_from_edge_to_edge_and_the_most_is_the_highest() -> None:
    _, points = drawn([0, 5, 10, 5])
    assert (points[0][0], points[-1][0]) == (0, WIDTH)
    heights = [y for _, y in points]
    assert min(heights) == heights[2]
    assert heights[0] == max(heights)
    assert heights[1] == heights[3] == pytest.approx((heights[0] + heights[2]) / 2, abs=0.1)


@pytest.mark.parametrize("values", [[], [0], [0, 0, 0], [7], [1] * 60], ids=str)
def test_every_chart_stays_within_its_frame(values: list[int]) -> None:
    _, points = drawn(values)
    assert len(points) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_chart_is_an_image_with_a_title_and_a_description() -> None:
    svg, _ = drawn([1, 2])
    named = svg.attrib["aria-labelledby"].split()
    told = {element.attrib["id"]: element.text for element in svg if "id" in element.attrib}
    assert svg.attrib["role"] == "img"
    assert [told[name] for name in named] == ["<SMS>", "3 & 4"]


@pytest.mark.parametrize(
    ("seconds", "english", "indonesian"),
    [
        (3, "just now", "baru saja"),
        (-60, "just now", "baru saja"),
        (40, "less than a minute ago", "kurang dari semenit yang lalu"),
        (60, "1 minute ago", "1 menit yang lalu"),
        (7300, "2 hours ago", "2 jam yang lalu"),
        (200_000, "2 days ago", "2 hari yang lalu"),
    ],
)
def test_how_long_ago(seconds: float, english: str, indonesian: str) -> None:
    assert (ago(1000.0, 1000.0 + seconds, "en"), ago(1000.0, 1000.0 + seconds, "id")) == (english, indonesian)


def test_what_never_was_and_what_was_not_measured() -> None:
    assert ago(None, 1.0, "en") == "not yet"
    assert [lasted(one) for one in (None, 0.42, 12.3, 210.0)] == ["–", "0.4 s", "12 s", "3.5 min"]
