"""``gateway status``: what it prints, and its exit status."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Group
from typer.testing import CliRunner, Result

from config.load import load
from gateway.channelset import load_channels
from gateway.cli import app
from gateway.commands import board
from gateway.health.overview import Overview
from gateway.health.parts import Part
from gateway.health.told import ChannelTold
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from tests.health.crew import WELL, Crew
from tests.inside import KANNEL
from tests.process import toml

AWAY = ChannelTold(receiving=Part("healthy"), sending=Part("down", "http_500: no"), credentials=Part("healthy"))


class Terminal:
    """A settings file, its store, and the command."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "gateway.toml"
        self.url = f"sqlite+aiosqlite:///{folder}/gateway.db"
        sections = {
            "log": {"path": str(folder / "log.db")},
            "store": {"url": self.url},
            "channels.sms": dict(KANNEL),
        }
        self.config.write_text(toml(sections), encoding="utf-8")

    def __call__(self, *arguments: str) -> Result:
        environment = {"GATEWAY_CONFIG": str(self.config), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
        return CliRunner().invoke(app, ["status", *arguments], env=environment)

    def told(self, told: ChannelTold) -> None:
        """One process told this, and the watch looked."""

        async def tell() -> None:
            store = Store(self.url)
            try:
                await migrate(store)
                crew = Crew(store)
                await crew.beats(told={"sms": told})
                await crew.counted([{"minute": int(time.time() // 60) * 60, "received": 12, "sent": 3}])
                await crew.look()
            finally:
                await store.close()

        asyncio.run(tell())


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_while_no_gateway_runs(terminal: Terminal) -> None:
    done = terminal()
    assert done.exit_code == 1
    assert "no process of the gateway runs" in done.stdout
    assert re.search(r"^sms +unknown", done.stdout, re.MULTILINE)


def test_while_all_is_well(terminal: Terminal) -> None:
    terminal.told(WELL)
    done = terminal()
    assert done.exit_code == 0
    assert re.search(r"^sms +healthy +\d\d:\d\d:\d\d .* 12 +12 +3 ", done.stdout, re.MULTILINE)
    assert re.search(r"^host:1 +all +running", done.stdout, re.MULTILINE)
    assert "WIB  log lag 0, spool 0, outbox 0" in done.stdout


def test_while_a_channel_is_down(terminal: Terminal) -> None:
    terminal.told(AWAY)
    done = terminal()
    assert done.exit_code == 1
    assert re.search(r"^sms +down .* sending down: http_500: no", done.stdout, re.MULTILINE)
    assert re.search(r" sms +all +unknown +down +http_500: no", done.stdout)


def test_a_document_is_all_that_is_printed_even_where_the_store_has_to_be_made(terminal: Terminal) -> None:
    done = terminal("--json")
    assert (json.loads(done.stdout)["running"], done.exit_code) == (False, 1)
    assert "store.migrating" in done.stderr


def test_for_other_programs(terminal: Terminal) -> None:
    terminal.told(AWAY)
    done = terminal("--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["well"], document["running"]) == (1, False, True)
    (channel,) = document["channels"]
    assert (channel["name"], channel["state"], channel["parts"]["sending"]["state"]) == ("sms", "down", "down")
    assert (channel["received_hour"], len(channel["hour"]), len(channel["day"])) == (12, 60, 24)


def test_a_page_is_no_document(terminal: Terminal) -> None:
    done = terminal("--json", "--watch")
    assert (done.exit_code, done.stdout) == (2, "")


def test_wrong_settings(terminal: Terminal) -> None:
    terminal.config.write_text("[health]\nheartbeat = 30\n", encoding="utf-8")
    done = terminal()
    assert done.exit_code == 2
    assert "missing_after must be at least twice heartbeat" in done.stderr


async def test_the_page_is_shown_anew(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[Overview] = []
    shown = board.board

    def seen(found: Overview, zone: ZoneInfo) -> Group:
        pages.append(found)
        return shown(found, zone)

    monkeypatch.setattr(board, "board", seen)
    monkeypatch.setattr(board, "EVERY", 0.01)
    settings = load(terminal.config, {})
    task = asyncio.create_task(board.show_forever(settings, load_channels(settings)))
    async with asyncio.timeout(20):
        while len(pages) < 3:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [page.running for page in pages[:3]] == [False] * 3
