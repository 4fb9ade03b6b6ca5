"""The steps beside the usual way: the spool while Kafka is away, case updates, and files that come with messages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from config.settings import Settings
from gateway.eventlog.base import Record
from gateway.eventlog.factory import make_log
from gateway.seams import Seam
from gateway.store.tables import attachments, outbox, updates
from normalizer.messages import CaseUpdate, encode
from tests.crash.conftest import MakeStage
from tests.crash.ways import SMS, TELEGRAM_POLL
from tests.e2e.conftest import CLUSTER, EMBEDDED
from tests.process import free_port

AWAY = {"bootstrap_servers": f"127.0.0.1:{free_port()}"}


async def test_the_spool_dies_at_each_of_its_steps(stage_on: MakeStage) -> None:
    """An intake that cannot find the broker spools; started again where it can, it drains."""
    async with stage_on(CLUSTER, [SMS]) as stage:
        fleet, reached = stage.fleet, dict(stage.fleet.log_settings)
        await asyncio.gather(fleet.launch("dispatch"), fleet.launch("deliver"))
        fleet.log_settings = reached | AWAY
        await stage.crash(Seam.SPOOLED, SMS, 4)
        fleet.log_settings = reached
        fleet.remake("intake")
        for seam in (Seam.BEFORE_SPOOL_DRAIN, Seam.AFTER_SPOOL_DRAIN, Seam.AFTER_SPOOL_REMOVAL):
            await fleet.launch("intake", seam)
            await fleet.died("intake", seam)
        await fleet.launch("intake")
        await stage.balances()


@pytest.mark.parametrize("seam", [Seam.UPDATE_TAKEN, Seam.UPDATE_STORED, Seam.UPDATE_COMMITTED], ids=str)
async def test_an_agencys_word_reaches_the_citizen_once(stage_on: MakeStage, seam: Seam) -> None:
    async with stage_on(EMBEDDED, [SMS]) as stage:
        fleet = stage.fleet
        stage.write(SMS)
        await fleet.launch("all", seam)
        await fleet.until(outbox, lambda rows: [row.state for row in rows] == ["sent"])
        [first] = await fleet.rows(outbox)
        log = make_log(Settings.model_validate({"log": fleet.log_settings, "topics": fleet.topics}))
        await log.start()
        word = CaseUpdate(
            id="pu-1",
            number=first.case_number,
            at=datetime.now(UTC),
            status="in_progress",
            text="Petugas datang besok.",
        )
        await log.append([Record(fleet.topics["case_updates"], word.number.encode(), encode(word), ())])
        await log.close()
        await fleet.died("all", seam)
        await fleet.launch("all")
        await fleet.until(outbox, lambda rows: [row.state for row in rows] == ["sent", "sent"])
        assert [row.id for row in await fleet.rows(updates)] == ["pu-1"]
        said = [message.text for message in stage.ways[SMS.name].standin.sent]
        assert sum("Petugas datang besok." in text for text in said) in (1, 2)
        assert len({message.delivery for message in stage.ways[SMS.name].standin.sent}) == 2
        await stage.stop()


@pytest.mark.parametrize("seam", [Seam.FILE_LEASED, Seam.FILE_STORED, Seam.FILE_SETTLED], ids=str)
async def test_a_file_is_kept_once(stage_on: MakeStage, seam: Seam) -> None:
    async with stage_on(EMBEDDED, [TELEGRAM_POLL]) as stage:
        fleet = stage.fleet
        standin: Any = stage.ways[TELEGRAM_POLL.name].standin
        fleet.own["all"] = {"blobs": {"path": str(fleet.folder / "blobs")}}
        await standin.photo(
            "", stage.ways[TELEGRAM_POLL.name].citizen(1), "Jembatan ambruk di Sukamaju", data=b"gambar"
        )
        await fleet.launch("all", seam)
        await fleet.died("all", seam)
        await stage.let_lapse(attachments)
        await fleet.launch("all")
        [row] = await fleet.until(attachments, lambda rows: [row.state for row in rows] == ["stored"])
        kept = [
            path for path in (fleet.folder / "blobs").rglob("*") if path.is_file() and path.read_bytes() == b"gambar"
        ]
        assert len(kept) == 1
        assert row.size == len(b"gambar")
