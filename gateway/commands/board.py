"""What ``gateway status`` shows: the overview as tables, times in the operator's zone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from gateway.channelset import ChannelConfig
from gateway.health.overview import ChannelView, Overview, overview
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.migrate import migrate

EVERY = 2.0
DAY = 86400.0
NONE = "–"
_STYLES = {
    "healthy": "green",
    "degraded": "yellow",
    "paused": "cyan",
    "silent": "magenta",
    "down": "bold red",
    "running": "green",
    "missing": "bold red",
}


async def show_once(settings: Settings, channels: Mapping[str, ChannelConfig], *, as_json: bool) -> bool:
    """Print how everything stands; true where all is well. Raises :class:`~gateway.store.engine.StoreUnavailable`."""
    store = _store(settings)
    try:
        await migrate(store)
        found = await overview(store, settings, channels)
    finally:
        await store.close()
    if as_json:
        document = {"well": found.well, **msgspec.to_builtins(found)}
        print(msgspec.json.format(msgspec.json.encode(document)).decode())  # noqa: T201 - it is the command's output
    else:
        Console(highlight=False).print(board(found, settings.zone))
    return found.well


async def show_forever(settings: Settings, channels: Mapping[str, ChannelConfig]) -> None:
    """Show it anew every two seconds until cancelled; a store that is away for a while is told and waited for."""
    store = _store(settings)
    out = Console(highlight=False)
    try:
        await migrate(store)
        with Live(console=out, screen=out.is_terminal, auto_refresh=False) as live:
            while True:
                try:
                    found = await overview(store, settings, channels)
                except StoreUnavailable as error:
                    live.update(Text(f"the store cannot be reached: {error}", "bold red"), refresh=True)
                else:
                    live.update(board(found, settings.zone), refresh=True)
                await asyncio.sleep(EVERY)
    finally:
        await store.close()


def board(found: Overview, zone: ZoneInfo) -> Group:
    """The whole page."""
    sums = [f"log lag {found.log_lag}", f"spool {found.spool_depth}", f"outbox {found.outbox}"]
    if found.spool_age is not None:
        sums[1] += f" (oldest {_span(found.spool_age)})"
    head = Text(datetime.fromtimestamp(found.at, zone).strftime("%d %b %Y %H:%M:%S %Z"), "bold")
    head.append("  " + ", ".join(sums), "not bold")
    parts: list[Text | Table] = [head]
    if not found.running:
        parts.append(Text("no process of the gateway runs", "bold red"))
    parts += [
        Text(f"{role} {view.state}: {view.reason}", _STYLES.get(view.state, "dim"))
        for role, view in found.roles.items()
        if view.state != "healthy"
    ]
    parts.append(_channels(found, zone) if found.channels else Text("no channel is configured"))
    if found.instances:
        parts.append(_processes(found, zone))
    if found.changes:
        parts.append(_changes(found, zone))
    return Group(*(item for part in parts for item in (part, Text())))


def _channels(found: Overview, zone: ZoneInfo) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("channel", "state", "since", "last in", "last out"):
        table.add_column(heading, no_wrap=True)
    for heading in ("in/h", "in/day", "out/h", "p50", "p95", "waiting", "dead"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("reason")
    for view in found.channels:
        table.add_row(
            view.name,
            Text(view.state, _STYLES.get(view.state, "dim")),
            _when(view.since, found.at, zone),
            _when(view.last_in, found.at, zone),
            _when(view.last_out, found.at, zone),
            str(view.received_hour),
            str(view.received_day),
            str(view.sent_hour),
            NONE if view.p50 is None else _span(view.p50),
            NONE if view.p95 is None else _span(view.p95),
            str(view.waiting),
            Text(str(view.dead), "yellow" if view.dead else ""),
            Text(_reason(view)),
        )
    return table


def _reason(view: ChannelView) -> str:
    """Why, with every part that is not well."""
    said = [
        f"{name} {part.state}: {part.reason}".removesuffix(": ")
        for name, part in view.parts.items()
        if part.state not in ("healthy", "unknown")
    ]
    return "; ".join(said) or view.reason


def _processes(found: Overview, zone: ZoneInfo) -> Table:
    table = Table("process", "role", "state", "started", "heard of", "version", box=None, pad_edge=False)
    table.header_style = "bold"
    for one in found.instances:
        table.add_row(
            f"{one.host}:{one.pid}",
            one.role,
            Text(one.state, _STYLES.get(one.state, "dim")),
            _when(one.started_at, found.at, zone),
            _when(one.beat_at, found.at, zone),
            one.version,
        )
    return table


def _changes(found: Overview, zone: ZoneInfo) -> Table:
    table = Table("changed", "channel", "part", "was", "is", "reason", box=None, pad_edge=False)
    table.header_style = "bold"
    for one in found.changes[:10]:
        table.add_row(
            _when(one.at, found.at, zone),
            one.channel or "gateway",
            one.part or "all",
            one.was,
            Text(one.state, _STYLES.get(one.state, "dim")),
            Text(one.reason),
        )
    return table


def _when(at: float | None, now: float, zone: ZoneInfo) -> str:
    """The time of day, with the day where it is another than today."""
    if at is None:
        return NONE
    shown, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    return shown.strftime("%H:%M:%S" if shown.date() == today.date() else "%d %b %H:%M")


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for length, unit in ((DAY, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _store(settings: Settings) -> Store:
    return Store(settings.store.url.get_secret_value(), pool_size=1)
