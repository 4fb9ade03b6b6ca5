"""What an operator does and its row in the audit stand together, or neither does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from channels.base import OutboundMessage
from gateway.eventlog.base import LogUnavailable
from gateway.store.engine import Store
from gateway.store.operations import audit, pauses
from gateway.store.tables import dead_letters, outbox
from normalizer.event import encode
from tests.console.test_pages import buried, letter
from tests.console.world import PHONE, World, opened, said

DECODE, DELIVER = "d" * 32, "e" * 32


SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
FAILED = (500, 503)
"""Which of the two depends on what the database says of a table that is missing."""


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(store, tmp_path) as world:
        yield world


@asynccontextmanager
async def without_audit(world: World) -> AsyncIterator[None]:
    """Meanwhile no row can be added to the audit."""
    for old, new in (("audit", "audit_aside"), ("audit_aside", "audit")):
        async with world.store.write() as connection:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        if new != "audit":
            yield


async def seeded(world: World) -> str:
    """A case, a paused direction, a letter for the log and one for the outbox; returns the case's number."""
    number = await world.case()
    (reply,) = await world.rows(outbox)
    async with world.store.write() as connection:
        await connection.execute(outbox.update().values(state="dead"))
        await connection.execute(pauses.insert().values(channel="sms", direction="in", by="budi", reason="x", at=1.0))
    lost = msgspec.json.encode(OutboundMessage(delivery=reply.id, to=PHONE, text="x"))
    await buried(
        world,
        letter(DECODE, raw=encode(said(id_="m-2"))),
        letter(DELIVER, stage="deliver", reason="gave_up", event_id=reply.id, raw=lost),
    )
    return number


async def acts(world: World) -> tuple[object, ...]:
    """What the acts of these tests change, as it is now."""
    replies = [(row.id, row.state) for row in await world.rows(outbox)]
    paused = [(row.channel, row.direction) for row in await world.rows(pauses)]
    letters = [(row.id, row.replayed_at) for row in await world.rows(dead_letters, dead_letters.c.id)]
    consumer = world.bench.log.consumer("a-test", [world.console.settings.topics.complaints])
    events = [one.record.value for one in await consumer.fetch(limit=100, timeout=0)]
    await consumer.close()
    return replies, paused, letters, events


ACTS = {
    "pause": ("/ops/channels/sms/pause", {"direction": "out", "reason": "carrier at work"}),
    "resume": ("/ops/channels/sms/resume", {"direction": "in"}),
    "a test message": ("/ops/channels/sms/test", {"key": "a" * 32, "to": PHONE}),
    "replay into the log": (f"/ops/letters/{DECODE}/replay", {}),
    "replay into the outbox": (f"/ops/letters/{DELIVER}/replay", {}),
    "replay of a kind": ("/ops/letters/replay", {"stage": "deliver", "reason": "gave_up"}),
}


@pytest.mark.parametrize(("path", "form"), ACTS.values(), ids=ACTS.keys())
async def test_what_cannot_be_recorded_is_not_done(world: World, path: str, form: dict[str, str]) -> None:
    await seeded(world)
    async with world.browser("ani") as browser:
        before = await acts(world)
        async with without_audit(world):
            assert (await browser.submit(path, **form)).status in FAILED
        assert await acts(world) == before


@SQLITE
@pytest.mark.parametrize(("path", "form"), ACTS.values(), ids=ACTS.keys())
async def test_what_is_done_is_recorded(world: World, path: str, form: dict[str, str]) -> None:
    await seeded(world)
    async with world.browser("ani") as browser:
        before = await acts(world)
        assert (await browser.submit(path, **form)).status == 303
        assert await acts(world) != before
    (row,) = await world.acts()
    assert (row.operator, row.action) == ("ani", path.rpartition("/")[2])


@SQLITE
@pytest.mark.parametrize("what", ["case", "message", "letter"])
async def test_nobody_is_shown_who_it_is_without_a_record(world: World, what: str) -> None:
    number = await seeded(world)
    event = (await world.rows(outbox))[0].event_id
    path = {"case": f"/ops/cases/{number}", "message": f"/ops/messages/{event}", "letter": f"/ops/letters/{DELIVER}"}
    async with world.browser("ani") as browser:
        assert PHONE in (await browser.submit(f"{path[what]}/reveal")).text
        async with without_audit(world):
            answer = await browser.submit(f"{path[what]}/reveal")
    assert answer.status in FAILED
    assert PHONE not in answer.text
    assert len([row for row in await world.rows(audit) if row.action == "reveal"]) == 1


@SQLITE
async def test_a_replay_that_the_log_does_not_take_is_not_recorded_as_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seeded(world)

    async def away(_records: object) -> None:
        raise LogUnavailable("away")

    monkeypatch.setattr(world.bench.log, "append", away)
    async with world.browser("ani") as browser:
        assert (await browser.submit(f"/ops/letters/{DECODE}/replay")).status == 409
    (row,) = await world.acts()
    assert (row.action, row.subject, row.detail) == ("replay", DECODE, "not replayed")
    assert [row.replayed_at for row in await world.rows(dead_letters)] == [None, None]
