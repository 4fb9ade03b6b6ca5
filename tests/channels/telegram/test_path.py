"""Through a whole gateway: a complaint in, a number out, in both modes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from channels.telegram import TelegramSettings
from channels.telegram.standin import StandIn
from channels.telegram.standins import shapes
from gateway.store.tables import cases, messages
from normalizer import tracking
from tests.channels.telegram.kit import SECRET, TOKEN
from tests.channels.telegram.world import SARI
from tests.inside import Inside, running, settings

NUMBER = re.compile(r"\d{3} \d{3} \d{4}")
GROUP = shapes.group(-1001234567890)

modes = pytest.mark.parametrize("mode", ["polling", "webhook"])


@asynccontextmanager
async def gateway(
    mode: str, folder: Path, standin: StandIn | None = None
) -> AsyncIterator[tuple[StandIn, Inside, str]]:
    """A gateway with one bot, at a stand-in of its own unless one is given."""
    own: dict[str, Any] = {"type": "telegram", "token": TOKEN, "mode": mode, "webhook_secret": SECRET}
    if standin is None:
        async with StandIn(TelegramSettings.model_validate(own)) as made, gateway(mode, folder, made) as whole:
            yield whole
        return
    bot = {"telegram": own | {"api_url": standin.url}}
    configured = settings(folder, rules={"part_window": 0.5}, channels=bot)
    async with running(configured) as inside:
        yield standin, inside, inside.webhook("telegram")


@modes
async def test_one_complaint_one_reply_with_a_number_under_it(mode: str, tmp_path: Path) -> None:
    async with gateway(mode, tmp_path) as (standin, inside, url):
        posted = await standin.text(url, SARI, "Jalan rusak di depan SD 3 sudah dua bulan")
        (heard,) = await standin.wait_for(lambda sent: len(sent) == 1)
        assert (heard.to, heard.reply_to, len(heard.keyboard)) == (SARI, posted.message["message_id"], 2)
        found = NUMBER.search(heard.text)
        assert found is not None
        assert tracking.valid(found[0].replace(" ", ""))
        await standin.text(url, SARI, "/status")
        await standin.wait_for(lambda sent: len(sent) == 2)
        assert len(await inside.rows(cases)) == 1


@modes
async def test_an_album_is_one_complaint(mode: str, tmp_path: Path) -> None:
    async with gateway(mode, tmp_path) as (standin, inside, url):
        await standin.album(url, SARI, "Banjir di Kemang Raya", 5)
        (heard,) = await standin.wait_for(lambda sent: len(sent) == 1)
        assert NUMBER.search(heard.text)
        assert len(await inside.rows(cases)) == 1
        parts = [row for row in await inside.rows(messages) if row.kind == "part"]
        assert len(parts) == 5


@modes
async def test_the_buttons(mode: str, tmp_path: Path) -> None:
    async with gateway(mode, tmp_path) as (standin, inside, url):
        await standin.text(url, SARI, "Jalan rusak di depan SD 3 sudah dua bulan")
        (acknowledged,) = await standin.wait_for(lambda sent: len(sent) == 1)
        await standin.press(url, acknowledged, "anonymous")
        await standin.wait_for(lambda sent: len(sent) == 2)
        await standin.press(url, acknowledged, "add")
        (_, joined, helped) = await standin.wait_for(lambda sent: len(sent) == 3)
        assert joined.reply_to == helped.reply_to == acknowledged.id
        assert "foto" in helped.text
        async with asyncio.timeout(10):
            while len(standin.world.answered) < 2:
                await asyncio.sleep(0.01)
        pressed = [row for row in await inside.rows(messages, messages.c.received_at) if ":press:" in row.provider_id]
        (case,) = await inside.rows(cases)
        assert [row.case_number for row in pressed] == [case.number, None]


@modes
async def test_a_group_is_answered_in_the_group(mode: str, tmp_path: Path) -> None:
    async with gateway(mode, tmp_path) as (standin, inside, url):
        await standin.text(url, SARI, "Besok arisan di rumah Bu Tini", chat=GROUP)
        posted = await standin.text(url, SARI, "@lapor1708_bot lampu jalan mati sejak Senin", chat=GROUP)
        (heard,) = await standin.wait_for(lambda sent: len(sent) == 1)
        assert (heard.chat, heard.reply_to, heard.to) == (GROUP["id"], posted.message["message_id"], SARI)
        assert heard.keyboard == []
        assert len(await inside.rows(messages)) == 1


async def test_what_came_while_nobody_polled_comes_in_once_and_in_order(tmp_path: Path) -> None:
    own = TelegramSettings.model_validate({"type": "telegram", "token": TOKEN})
    async with StandIn(own) as standin:
        async with gateway("polling", tmp_path, standin) as (_, inside, _url):
            await standin.text("", "5", "Laporan nomor satu tentang jalan rusak")
            await standin.wait_for(lambda sent: len(sent) == 1)
        for n in range(6, 9):
            await standin.text("", str(n), f"Laporan dari warga ke-{n} tentang jalan rusak")
        async with gateway("polling", tmp_path, standin) as (_, inside, _url):
            await standin.wait_for(lambda sent: len(sent) == 4)
            rows = sorted(await inside.rows(messages), key=lambda row: row.received_at)
            assert len(rows) == 4
            events = await inside.appended()
            assert [event.sender.address for event in events] == ["5", "6", "7", "8"]
