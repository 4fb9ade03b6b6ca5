"""Charts as SVG, drawn by the server: no script, no outside request, and words for those who listen.

The stretch of time that still runs is a bar of its own beside the line: it has only begun, and at the end of the line
it would look like a fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup

WIDTH, HEIGHT = 480, 80
"""Of a chart's own coordinates; the page scales it. Whole numbers are exact enough, and thousands stand on a page."""
LINE_WIDTH = 468
"""What the line takes of it; behind that is the bar."""
_GROUND, _ABOVE = 2, 4
"""How high above the ground zero is drawn, and how much is free above the most: so that the line is seen there."""
_OUTSIDE = 8
"""How far out of sight the area under the line is closed, so that only its upper edge is drawn."""
_BAR = 8
_SVG = Markup(
    '<svg class="sparkline" role="img" viewBox="0 0 %d %d" preserveAspectRatio="none" focusable="false">'
    '<title>%s</title><svg aria-hidden="true" width="%d" height="%d"><polyline points="%s"/></svg>'
    '<rect x="%d" y="%d" width="%d" height="%d"/></svg>'
)


def sparkline(values: Sequence[int], *, name: str) -> Markup:
    """A small area chart of counts, oldest first, from zero up; the last of them is of the time that still runs.

    ``name`` says what is shown, with the figures that matter. Without a value above zero the line lies on the ground.
    """
    *over, running = values or (0,)
    top = max(values, default=0) or 1
    height = _height(running, top)
    bar = (WIDTH - _BAR, HEIGHT - height, _BAR, height)
    return _SVG % (WIDTH, HEIGHT, name, LINE_WIDTH, HEIGHT, _area(tuple(over), top), *bar)


@lru_cache(maxsize=1024)
def _area(values: tuple[int, ...], top: int) -> str:
    """The points around what lies under the line. What is over stays as it is from one drawing to the next."""
    if not values:
        return ""
    step = LINE_WIDTH / max(len(values) - 1, 1)
    heights = [HEIGHT - _height(value, top) for value in values]
    points = " ".join([f"{int(place * step)},{y}" for place, y in enumerate(heights)])
    left, right, below = -_OUTSIDE, LINE_WIDTH + _OUTSIDE, HEIGHT + _OUTSIDE
    return f"{left},{below} {left},{heights[0]} {points} {right},{heights[-1]} {right},{below}"


def _height(value: int, top: int) -> int:
    return _GROUND + value * (HEIGHT - _GROUND - _ABOVE) // top
