"""The block list: from the command to the dispatcher, and what an operator reads of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from gateway import blocks
from gateway.cli import app
from gateway.privacy.find import Who
from gateway.store.engine import Store
from gateway.store.operations import audit
from normalizer.identity import sender_key
from tests.process import toml

PHONE = "+6281234567890"
SECRET = "k" * 32
BUDI = Who("sms", PHONE, "phone", sender_key(SECRET.encode(), "sms", PHONE))


class Desk:
    """An operator's desk: a settings file, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite+aiosqlite:///{folder}/gateway.db"

    def __call__(self, *arguments: str) -> Result:
        config = self.folder / "gateway.toml"
        sections: dict[str, dict[str, Any]] = {"store": {"url": self.url}, "privacy": {"key": SECRET}}
        config.write_text(toml(sections), encoding="utf-8")
        return CliRunner().invoke(app, arguments, env={"GATEWAY_CONFIG": str(config), "COLUMNS": "200"})

    def blocked(self) -> Sequence[blocks.Block]:
        async def read() -> Sequence[blocks.Block]:
            store = Store(self.url)
            try:
                return await blocks.listed(store)
            finally:
                await store.close()

        return asyncio.run(read())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_sender_is_blocked_listed_and_let_go(desk: Desk) -> None:
    added = desk("block", "add", "0812 3456 7890", "--type", "sms", "--reason", "iklan")
    assert (added.exit_code, added.output.splitlines()[-1]) == (0, f"{BUDI.key[:12]}: blocked on sms")
    assert [one.sender_key for one in desk.blocked()] == [BUDI.key]

    listed = desk("block", "list")
    assert listed.exit_code == 0
    assert f"{BUDI.key[:12]}  sms" in listed.output
    assert "iklan" in listed.output
    assert "+62812•••••90" in listed.output
    assert "34567890" not in listed.output

    again = desk("block", "add", PHONE, "--reason", "lagi")
    assert (again.exit_code, again.output) == (0, f"{BUDI.key[:12]}: was blocked already on sms\n")
    assert [one.reason for one in desk.blocked()] == ["iklan"]

    assert desk("block", "remove", PHONE).exit_code == 0
    assert desk.blocked() == []
    assert desk("block", "remove", PHONE).exit_code == 1


def test_a_block_is_lifted_by_the_id_that_the_list_shows(desk: Desk) -> None:
    desk("block", "add", "Budi@Warga.Example", "--reason", "spam")
    (one,) = desk.blocked()
    assert (one.type, one.shown) == ("email", "b•••@warga.example")
    assert desk("block", "remove", one.id).exit_code == 0
    assert desk.blocked() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["123456789", "--reason", "x"], "say which with --type", id="an id of two types"),
        pytest.param(
            ["budi@warga.example", "--type", "sms", "--reason", "x"], "no address of the type sms", id="no phone"
        ),
        pytest.param(["@budi", "--reason", "x"], "nobody has written under this handle", id="an unknown handle"),
        pytest.param([PHONE, "--reason", " "], "--reason", id="a blank reason"),
        pytest.param([PHONE], "--reason", id="no reason"),
    ],
)
def test_what_names_no_sender_is_refused(desk: Desk, arguments: list[str], said: str) -> None:
    result = desk("block", "add", *arguments)
    assert result.exit_code == 2
    assert said in result.output


async def test_the_row_holds_no_address_and_the_audit_tells_who_did_it(store: Store) -> None:
    assert await blocks.add(store, BUDI, reason="iklan", by="sri")
    assert not await blocks.add(store, BUDI, reason="lagi", by="joko")
    (one,) = await blocks.listed(store)
    assert (one.sender_key, one.type, one.shown, one.reason, one.blocked_by) == (
        BUDI.key, "sms", "+62812•••••90", "iklan", "sri",
    )  # fmt: skip
    assert await blocks.remove(store, BUDI.key, by="joko")
    assert not await blocks.remove(store, BUDI.key, by="joko")
    async with store.read() as connection:
        rows = [tuple(row) for row in await connection.execute(select(audit).order_by(audit.c.id))]
    assert [row[2:] for row in rows] == [
        ("sri", "block", BUDI.key[:12], "iklan"),
        ("joko", "unblock", BUDI.key[:12], ""),
    ]
