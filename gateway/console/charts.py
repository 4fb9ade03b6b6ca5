"""Charts as SVG, drawn by the server: no script, no outside request, a title and a description for those who listen.

What a chart shows stands beside it as a table, which the template hides from the eye alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 240, 40
"""Of a chart's own coordinates; the page scales it."""


def sparkline(values: Sequence[int], *, name: str, title: str, description: str) -> Markup:
    """A small area chart of counts, oldest first, from zero up.

    ``name`` tells the chart from the others of its page: it becomes part of ids. Without a value above zero the
    line lies on the ground.
    """
    top = max(values, default=0) or 1
    step = WIDTH / max(len(values) - 1, 1)
    points = [f"{at * step:.1f},{HEIGHT - 1 - value / top * (HEIGHT - 3):.1f}" for at, value in enumerate(values)]
    line = " ".join(points)
    return Markup(
        '<svg class="sparkline" role="img" viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
        ' aria-labelledby="{name}-title {name}-desc" focusable="false">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>'
        '<polygon class="area" points="0,{height} {line} {width},{height}"/>'
        '<polyline class="line" points="{line}" vector-effect="non-scaling-stroke"/></svg>'
    ).format(width=WIDTH, height=HEIGHT, name=name, title=title, description=description, line=line)
