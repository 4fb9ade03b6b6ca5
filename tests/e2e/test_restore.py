"""A store that is put back to an older backup, by the steps of docs/operations.md, on the embedded files."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from channels.sms.standin import StandIn
from config.settings import Settings
from gateway.channelset import load_channels
from gateway.store.tables import cases, outbox
from normalizer.tracking import shown
from tests.inside import Inside, running, settings

ANI, BUDI, CITRA = "+6281200000001", "+6281200000002", "+6281200000003"
PATIENCE = 60.0


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
async def telco(configured: Settings) -> AsyncIterator[StandIn]:
    async with StandIn(load_channels(configured)["sms"].settings) as standin:  # type: ignore[arg-type]
        yield standin


def back_up(path: Path) -> Path:
    """A copy of an SQLite file that is in use."""
    copy = path.with_name(f"backup-{path.name}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def put_back(copy: Path, path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    shutil.copyfile(copy, path)


async def complain(gateway: Inside, telco: StandIn, sender: str) -> str:
    """A citizen complains and is answered; returns their case's number."""
    before = len(await gateway.rows(cases))
    answer = await telco.text(gateway.webhook(), sender, "Jalan rusak di depan pasar", id=f"from {sender}")
    assert answer.status == 200
    await gateway.until(lambda rows: len(rows) == before + 1, cases)
    await gateway.until(lambda rows: all(row.state == "sent" for row in rows), outbox)
    (number,) = [row.case_number for row in await gateway.rows(outbox) if row.address == sender]
    return str(number)


@pytest.mark.parametrize("log_survived", [True, False], ids=["the log survived", "the log is its own backup"])
async def test_an_older_store_catches_up_from_the_log(
    configured: Settings, telco: StandIn, tmp_path: Path, log_survived: bool
) -> None:
    """The log is copied before the store: Budi writes in between, Citra after both."""
    log, store = tmp_path / "log.db", tmp_path / "gateway.db"
    async with running(configured, standin=telco) as gateway:
        anis = await complain(gateway, telco, ANI)
        log_copy = back_up(log)
        budis = await complain(gateway, telco, BUDI)
        store_copy = back_up(store)
        citras = await complain(gateway, telco, CITRA)
    put_back(store_copy, store)
    if log_survived:
        with closing(sqlite3.connect(log)) as connection, connection:
            done = connection.execute("UPDATE positions SET next = 0 WHERE consumers = 'lapor-dispatcher'")
            assert done.rowcount
    else:
        put_back(log_copy, log)

    async with running(configured, standin=telco) as gateway:
        if log_survived:
            await gateway.until(lambda rows: len(rows) == 3, cases)
        # Behind everything that the log held.
        answer = await telco.text(gateway.webhook(), CITRA, f"STATUS {citras}", id="asks")
        assert answer.status == 200
        sent = 5 if log_survived else 4
        await telco.wait_for(lambda said: len(said) == sent, timeout=PATIENCE)
        numbers = {row.number for row in await gateway.rows(cases)}
    assert {anis, budis} <= numbers
    assert citras not in numbers
    assert len(numbers) == (3 if log_survived else 2)
    assert Counter(one.to for one in telco.sent) == {ANI: 1, BUDI: 1, CITRA: 3 if log_survived else 2}
    if log_survived:
        (new,) = numbers - {anis, budis}
        assert sum(shown(new) in one.text for one in telco.sent) == 1
    assert "tidak ditemukan" in telco.sent[-1].text
