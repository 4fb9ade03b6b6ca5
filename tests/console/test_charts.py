"""Charts: what is drawn is what was counted, and it is told in words too."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from gateway.console.charts import HEIGHT, LINE_WIDTH, WIDTH, sparkline
from gateway.console.moments import ago, lasted


class Drawn:
    """A chart: the points of its line without those that close the area out of sight, and the bar behind it."""

    def __init__(self, values: list[int]) -> None:
        self.svg = ElementTree.fromstring(str(sparkline(values, name="<SMS>: 3 & 4")))
        frame, bar = self.svg.find("svg"), self.svg.find("rect")
        assert frame is not None
        assert bar is not None
        line = frame.find("polyline")
        assert line is not None
        points = [(int(x), int(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]
        self.points, self.closing = points[2:-2], points[:2] + points[-2:]
        self.bar = {name: int(text) for name, text in bar.attrib.items()}


def test_the_line_runs_from_edge_to_edge_and_the_most_is_the_highest() -> None:
    points = Drawn([0, 5, 10, 5, 1]).points
    assert (points[0][0], points[-1][0]) == (0, LINE_WIDTH)
    heights = [y for _, y in points]
    assert min(heights) == heights[2]
    assert heights[0] == max(heights)
    assert heights[1] == heights[3] == pytest.approx((heights[0] + heights[2]) / 2, abs=1)


def test_what_is_not_over_yet_is_no_fall_of_the_line_but_a_bar() -> None:
    steady = Drawn([10, 10, 10, 1])
    assert len({y for _, y in steady.points}) == 1
    assert 0 < steady.bar["height"] < HEIGHT / 5
    assert steady.bar["x"] > LINE_WIDTH
    assert steady.bar["x"] + steady.bar["width"] == WIDTH
    assert steady.bar["y"] + steady.bar["height"] == HEIGHT
    burst = Drawn([1, 1, 1, 10])
    assert burst.bar["y"] < min(y for _, y in burst.points)


@pytest.mark.parametrize("values", [[], [0], [0, 0, 0], [7], [1] * 60, [0, 10**6]], ids=str)
def test_every_chart_stays_within_its_frame(values: list[int]) -> None:
    drawn = Drawn(values)
    assert len(drawn.points) == max(len(values) - 1, 0)
    assert all(0 <= x <= LINE_WIDTH and 0 <= y <= HEIGHT for x, y in drawn.points)
    assert all(not 0 <= x <= LINE_WIDTH for x, _ in drawn.closing)
    assert 0 <= drawn.bar["y"] <= HEIGHT


def test_a_chart_is_an_image_with_a_name() -> None:
    svg = Drawn([1, 2]).svg
    assert svg.attrib["role"] == "img"
    assert svg.findtext("title") == "<SMS>: 3 & 4"


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
