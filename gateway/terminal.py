"""What the commands print: a case and its way, dead letters, and what came of replaying them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.progress import track as progress
from rich.table import Table

from channels.http import HttpClient
from config.settings import Settings
from gateway.channelset import ChannelConfig
from gateway.eventlog.base import LogUnavailable
from gateway.eventlog.factory import make_log
from gateway.hub import Hub
from gateway.identity import process_name
from gateway.readers import Readers
from gateway.replay import Replayer, ReplayError
from gateway.store import deadletters
from gateway.store.casebook import story
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from normalizer.tracking import shown

SHOWN_BYTES = 4096


def _store(settings: Settings) -> Store:
    return Store(settings.store.url.get_secret_value(), pool_size=2)


def _time(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%d %b %Y %H:%M:%S %Z")


async def show_case(settings: Settings, number: str) -> bool:
    """Print a case and its way; false where no case bears the number."""
    out = Console()
    store = _store(settings)
    try:
        await migrate(store)
        case = await story(store, number)
    finally:
        await store.close()
    if case is None:
        Console(stderr=True).print(f"no case bears the number {shown(number)}")
        return False
    zone = settings.zone
    out.print(f"[bold]{shown(case.number)}[/]  {case.state}  on {case.channel}")
    flags = [name for name, on in (("anonymous", case.anonymous), ("confidential", case.confidential)) if on]
    out.print(f"opened {_time(case.opened_at, zone)}" + (f", {' and '.join(flags)}" if flags else ""))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("when", "what", "channel", "detail"):
        table.add_column(heading, no_wrap=True)
    table.add_column("text")
    for step in case.steps:
        table.add_row(_time(step.at, zone), step.what, step.channel, escape(step.detail), escape(_line(step.text)))
    out.print(table)
    return True


async def list_dead_letters(settings: Settings, *, limit: int, waiting_only: bool) -> None:
    """Print the newest dead letters, one a line."""
    store = _store(settings)
    try:
        await migrate(store)
        rows = await deadletters.listing(store, limit=limit, waiting_only=waiting_only)
    finally:
        await store.close()
    out = Console()
    if not rows:
        out.print("no dead letters" + (" wait" if waiting_only else ""))
        return
    table = Table("id", "when", "stage", "channel", "reason", "detail", "came of it", box=None, header_style="bold")
    for row in rows:
        when = _time(datetime.fromtimestamp(row.at, settings.zone), settings.zone)
        table.add_row(row.id[:12], when, row.stage, row.channel, row.reason, escape(row.detail), escape(row.outcome))
    out.print(table)


async def show_dead_letter(settings: Settings, identifier: str) -> int:
    """Print one dead letter; returns the exit status."""
    store = _store(settings)
    try:
        await migrate(store)
        rows = await deadletters.find(store, identifier)
    finally:
        await store.close()
    row = _only(rows, identifier)
    if row is None:
        return 1
    out = Console()
    when = _time(datetime.fromtimestamp(row.at, settings.zone), settings.zone)
    for name, value in (
        ("id", row.id),
        ("when", when),
        ("stage", row.stage),
        ("channel", row.channel),
        ("reason", row.reason),
        ("detail", row.detail),
        ("refers to", row.reference),
        ("came of it", row.outcome),
        ("raw", f"{row.raw_type}, {len(row.raw)} bytes"),
    ):
        if value:
            out.print(f"[bold]{name:>10}[/]  {escape(str(value))}")
    out.print(escape(row.raw[:SHOWN_BYTES].decode("utf-8", "replace")))
    return 0


async def replay_dead_letters(
    settings: Settings, channels: Mapping[str, ChannelConfig], identifiers: Sequence[str], *, stage: str, by: str
) -> int:
    """Replay the named letters, or all that wait, for the operator ``by``; returns the exit status."""
    err = Console(stderr=True)
    store, log = _store(settings), make_log(settings)
    failed = 0
    async with HttpClient() as http:
        hub = Hub(settings.server.base_url, store, process_name(), http)
        built = {name: c.spec.make(name, c.settings, hub) for name, c in channels.items()}
        readers = Readers(settings, channels)
        replayer = Replayer(
            store=store,
            log=log,
            topic=settings.topics.complaints,
            updates_topic=settings.topics.case_updates,
            source=settings.server.base_url,
            doors={n: (channel, readers(channel.spec.type, n)) for n, channel in built.items()},
        )
        await log.start()
        try:
            await migrate(store)
            found = await _letters(store, identifiers, stage)
            if found is None:
                return 1
            for row in progress(found, description="replaying", console=err, disable=not err.is_terminal):
                try:
                    outcome = await replayer.replay(row, by)
                except (ReplayError, LogUnavailable) as error:
                    failed += 1
                    err.print(f"{row.id[:12]}: not replayed: {escape(str(error))}")
                else:
                    Console().print(f"{row.id[:12]}: {escape(outcome)}")
        finally:
            await log.close()
            await store.close()
    Console().print(f"{len(found) - failed} replayed, {failed} not")
    return 1 if failed else 0


async def _letters(store: Store, identifiers: Sequence[str], stage: str) -> list[Any] | None:
    if not identifiers:
        rows = await deadletters.listing(store, limit=1_000_000)
        identifiers = [row.id for row in reversed(rows) if stage in ("", row.stage)]
    found = []
    for identifier in identifiers:
        row = _only(await deadletters.find(store, identifier), identifier)
        if row is None:
            return None
        found.append(row)
    return found


def _only(rows: Sequence[Any], identifier: str) -> Any | None:
    if len(rows) == 1:
        return rows[0]
    said = "is the beginning of several ids" if rows else "is no dead letter's id"
    Console(stderr=True).print(f"{identifier} {said}")
    return None


def _line(text: str) -> str:
    return " ".join(text.split())
