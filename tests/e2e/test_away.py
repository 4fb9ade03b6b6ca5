"""Three days without a connection, then back: what the provider still has comes in, oldest first, and is answered."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from channels import registry
from gateway.store.tables import cases, cursors
from tests.channels.kit import plain
from tests.e2e.conftest import PATIENCE
from tests.e2e.ways import PULLED, Way
from tests.inside import Inside, running, settings

AWAY = timedelta(days=3)
WAITING = 90


async def set_back(inside: Inside) -> None:
    """Make the last reading three days old, where a cursor tells its time."""
    async with inside.gateway.store.write() as connection:
        for row in (await connection.execute(cursors.select())).all():
            if '"since"' in row.value:
                place = msgspec.json.decode(row.value)
                since = datetime.fromisoformat(place["since"]) - AWAY - timedelta(hours=1)
                value = msgspec.json.encode({**place, "since": since}).decode()
                where = (cursors.c.channel == row.channel, cursors.c.name == row.name)
                await connection.execute(update(cursors).where(*where).values(value=value))


@pytest.mark.parametrize("way", PULLED, ids=str)
async def test_what_waited_for_three_days_comes_in_order(way: Way, tmp_path: Path) -> None:
    kit = way.kit
    wanted: dict[str, Any] = {**kit.settings, **way.changes}
    if "backfill" in registry.spec(kit.type).settings.model_fields:
        wanted["backfill"] = "30d"
    model = registry.spec(kit.type).settings.model_validate(wanted)
    module = importlib.import_module(f"channels.{kit.type}.standin")
    async with module.StandIn(model) as standin:
        table = wanted | {name: plain(value) for name, value in standin.overrides(model).items()}
        if "poll_seconds" in type(model).model_fields:
            table["poll_seconds"] = 1
        site = settings(tmp_path).model_copy(update={"channels": {kit.type: table}})
        # Telegram's clock cannot be set from outside: there only the order tells.
        dated = kit.type != "telegram"
        before = datetime.now(UTC) - AWAY - timedelta(hours=1)
        async with running(site) as inside:
            first = kit.citizen(0)
            await standin.text("", first, "Jalan rusak di depan pasar", **({"at": before} if dated else {}))
            await inside.until(lambda rows: len(rows) == 1, cases)
        async with running(site, role="deliver") as inside:
            await set_back(inside)
        for n in range(WAITING):
            at = before + timedelta(hours=1) + n * AWAY / WAITING
            text = f"Laporan ke {n} selama putus, lampu jalan mati"
            await standin.text("", kit.citizen(1 + n), text, **({"at": at} if dated else {}))
        async with running(site) as inside:
            await inside.until(lambda rows: len(rows) == WAITING + 1, cases)
            said = [event.text for event in await inside.appended() if "Laporan ke" in event.text]
            assert [int(text.partition("Laporan ke ")[2].split()[0]) for text in said] == list(range(WAITING))
            everyone = {kit.citizen(n) for n in range(WAITING + 1)}
            await standin.wait_for(lambda sent: {message.to for message in sent} == everyone, timeout=PATIENCE)
