"""``/ops``: how everything stands, a card a channel, live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup

from gateway.console.charts import sparkline
from gateway.console.labels import label
from gateway.console.live import Fragments, Live
from gateway.console.moments import ago, lasted
from gateway.console.page import language_of
from gateway.console.shell import Console, fragment, needs, page
from gateway.console.words import word
from gateway.health import figures
from gateway.health.overview import ChannelView, overview
from gateway.health.overview import Overview as Stands

FEW = 5
"""Minutes that a row of the table beside the hour's chart holds."""


class Overview:
    """The overview as a page, and as the fragments that its stream sends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._day = figures.Day()

    @needs("viewer")
    async def show(self, request: web.Request) -> web.Response:
        """``GET /ops``."""
        stands = await self._read()
        return page(request, "pages/overview", **self.context(stands, language_of(request)))

    async def draw(self, viewers: Mapping[str, web.Request]) -> Mapping[str, Fragments]:
        """The page's fragments by language, of one reading for all."""
        stands = await self._read()
        return {language: self._fragments(request, stands, language) for language, request in viewers.items()}

    def context(self, stands: Stands, language: str) -> dict[str, Any]:
        """What the templates of the overview use."""
        return {
            "stands": stands,
            "ago": partial(ago, now=stands.at, language=language),
            "lasted": lasted,
            "label": partial(label, language),
            "chart": partial(charts_of, labels=labels_of(stands.at, self._console.settings.zone), language=language),
        }

    async def _read(self) -> Stands:
        console = self._console
        return await overview(console.store, console.settings, console.channels, console.now(), day=self._day)

    def _fragments(self, request: web.Request, stands: Stands, language: str) -> Fragments:
        context = self.context(stands, language)
        whole = {name: fragment(request, f"pages/_{name}", **context) for name in ("vitals", "processes", "changes")}
        cards = {
            f"channel-{channel.name}": fragment(request, "pages/_card", channel=channel, **context)
            for channel in stands.channels
        }
        return {**whole, **cards}


def routes(pages: Overview, live: Live) -> list[web.RouteDef]:
    """The page and its stream."""

    @needs("viewer")
    async def stream(request: web.Request) -> web.StreamResponse:
        """``GET /ops/live``."""
        return await live.stream(request, language_of(request))

    return [web.get("/ops", pages.show), web.get("/ops/live", stream)]


def charts_of(channel: ChannelView, *, labels: Mapping[str, Sequence[str]], language: str) -> list[dict[str, Any]]:
    """The two charts of a channel: what was received in the last hour and the last day, each with its table."""
    found = []
    for name, values, rows in (("hour", channel.hour, FEW), ("day", channel.day, 1)):
        table = [(labels[name][place], sum(values[place : place + rows])) for place in range(0, len(values), rows)]
        most = max(values, default=0)
        title = word(language, f"overview.chart_{name}", channel=channel.name)
        said = word(language, f"overview.chart_{name}_said", total=sum(values), most=most)
        svg: Markup = sparkline(values, name=f"{channel.name}-{name}", title=title, description=said)
        found.append({"name": name, "svg": svg, "title": title, "rows": table})
    return found


def labels_of(at: float, zone: ZoneInfo) -> dict[str, list[str]]:
    """When each minute of the last hour, and each hour of the last day, began: the same for every channel."""
    return {
        name: [
            datetime.fromtimestamp((int(at // seconds) - count + 1 + place) * seconds, zone).strftime("%H:%M")
            for place in range(count)
        ]
        for name, seconds, count in (("hour", 60, 60), ("day", 3600, 24))
    }
