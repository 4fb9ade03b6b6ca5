"""``/ops``: how everything stands, a card a channel, live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.console.charts import sparkline
from gateway.console.labels import label
from gateway.console.live import Fragments, Live
from gateway.console.moments import ago, lasted
from gateway.console.page import count, fragment, language_of, macros
from gateway.console.shared import Shared
from gateway.console.shell import Console, needs, page
from gateway.console.words import word
from gateway.health.overview import ChannelView, overview
from gateway.health.overview import Overview as Stands

FEW = 5
"""Minutes that a row of the table beside the hour's chart holds."""


class Overview:
    """The overview as a page, and as the fragments that its stream sends: drawn once a reading and language."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shared = Shared(self._read)
        self._drawn_of: Stands | None = None
        self._drawn: dict[str, Fragments] = {}

    @needs("viewer")
    async def show(self, request: web.Request) -> web.Response:
        """``GET /ops``."""
        drawn = self._draw(request, await self._shared.get(), language_of(request))
        return page(request, "pages/overview", drawn=drawn, channels=list(self._console.channels))

    async def draw(self, viewers: Mapping[str, web.Request]) -> Mapping[str, Fragments]:
        """The page's fragments by language, of one reading for all."""
        stands = await self._shared.get()
        return {language: self._draw(request, stands, language) for language, request in viewers.items()}

    async def close(self, _app: web.Application) -> None:
        """End what is still being read; for ``on_cleanup``."""
        await self._shared.close()

    async def _read(self) -> Stands:
        console = self._console
        return await overview(console.store, console.settings, console.channels, console.now(), day=console.day)

    def _draw(self, request: web.Request, stands: Stands, language: str) -> Fragments:
        """Nothing of the request but its language may be in what is drawn: the next viewer is given the same."""
        if self._drawn_of is not stands:
            self._drawn_of, self._drawn = stands, {}
        if language not in self._drawn:
            self._drawn[language] = _fragments(request, stands, language)
        return self._drawn[language]


def routes(pages: Overview, live: Live) -> list[web.RouteDef]:
    """The page and its stream."""

    @needs("viewer")
    async def stream(request: web.Request) -> web.StreamResponse:
        """``GET /ops/live``."""
        return await live.stream(request, language_of(request))

    return [web.get("/ops", pages.show), web.get("/ops/live", stream)]


def charts_of(channel: ChannelView, *, language: str) -> list[dict[str, Any]]:
    """The two charts of a channel: what was received in the last hour and in the last day."""
    found = []
    for name, values in (("hour", channel.hour), ("day", channel.day)):
        title = word(language, f"overview.chart_{name}", channel=channel.name)
        figures_of = {"total": sum(values), "most": max(values), "running": values[-1]}
        shown = {key: count(value, language=language) for key, value in figures_of.items()}
        svg = sparkline(values, name=f"{title}: {word(language, f'overview.chart_{name}_said', **shown)}")
        caption = word(language, f"overview.caption_{name}")
        found.append({"name": name, "svg": svg, "title": title, "caption": caption})
    return found


def tables_of(channel: ChannelView, at: float, zone: ZoneInfo) -> dict[str, list[tuple[str, int]]]:
    """The same as rows, by the chart's name: when a stretch of time began, and what was received in it."""
    return {
        "hour": _rows(channel.hour, at, seconds=60, few=FEW, zone=zone),
        "day": _rows(channel.day, at, seconds=3600, few=1, zone=zone),
    }


def _rows(values: Sequence[int], at: float, *, seconds: int, few: int, zone: ZoneInfo) -> list[tuple[str, int]]:
    first = int(at // seconds) - len(values) + 1
    return [
        (f"{datetime.fromtimestamp((first + place) * seconds, zone):%H:%M}", sum(values[place : place + few]))
        for place in range(0, len(values), few)
    ]


def _fragments(request: web.Request, stands: Stands, language: str) -> Fragments:
    context = {
        "stands": stands,
        "ago": partial(ago, now=stands.at, language=language),
        "lasted": lasted,
        "label": partial(label, language),
        "chart": partial(charts_of, language=language),
    }
    whole = {name: fragment(request, f"pages/_{name}", **context) for name in ("vitals", "processes", "changes")}
    card = macros(request, "pages/_card", **context).card
    return {**whole, **{f"channel-{channel.name}": str(card(channel)) for channel in stands.channels}}
