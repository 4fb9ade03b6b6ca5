"""``gateway dead-letters discard``: what is discarded, and by whom, stands in the store."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.store.deadletters import bury
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from normalizer.messages import DeadLetter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    url = f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
    tmp_path.joinpath("gateway.toml").write_text(f'[store]\nurl = "{url}"\n')

    async def fill() -> None:
        store = Store(url)
        await migrate(store)
        letters = [
            DeadLetter(
                id=id_, stage="decode", channel="", reason="x", detail="", at=datetime.now(UTC), raw=b"", raw_type=""
            )
            for id_ in ("ab" * 16, "ac" * 16)
        ]
        async with store.write() as connection:
            await bury(connection, store, letters)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def test_a_letter_is_discarded_once_with_a_reason_and_a_name(folder: Path) -> None:
    def discard(id_: str, reason: str = "a test") -> Result:
        config = str(folder / "gateway.toml")
        return CliRunner().invoke(app, ["dead-letters", "discard", id_, "--reason", reason, "--config", config])

    assert (discard("ab", " ").exit_code, discard("a").exit_code, discard("ff").exit_code) == (2, 1, 1)
    assert discard("ab").exit_code == 0
    again = discard("ab")
    assert (again.exit_code, "discarded before" in again.stderr) == (1, True)
    with sqlite3.connect(folder / "gateway.db") as connection:
        told = connection.execute("SELECT action, subject, detail FROM audit").fetchall()
        waiting = connection.execute("SELECT id FROM dead_letters WHERE discarded_at IS NULL").fetchall()
    assert told == [("discard", "ab" * 16, "a test")]
    assert waiting == [("ac" * 16,)]
