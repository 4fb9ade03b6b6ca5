"""No statement on a message's way, or behind an operator's question, reads a table of the years from end to end."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from benchmarks import grown, hot
from benchmarks.plans import Plan, listened, plans_of
from channels.base import Attachment, Part, Receipt, Thread
from gateway.attachments.queue import Queue as Files
from gateway.console.trail import case_trail
from gateway.replies import Replies
from gateway.store.engine import Store
from gateway.store.tables import outbox
from gateway.updates.writer import Context, apply_updates
from normalizer.messages import CaseUpdate

CASES = 800
BATCH = 20
SOURCE = "https://gateway.example.go.id"


@pytest.fixture
async def grown_store(store: Store) -> Store:
    await grown.grow(store, 1, CASES, ahead=CASES, now=time.time())
    return store


async def test_what_is_done_for_every_message_finds_its_rows_by_an_index(grown_store: Store) -> None:
    chance = random.Random(1)
    with listened(grown_store) as heard:
        for work in hot.works(BATCH):
            await work.do(grown_store, lambda: chance.randint(4, CASES))
    assert len(heard) > 20
    _all_by_index(await plans_of(grown_store, heard, any_size=True))


async def test_parts_receipts_edits_and_files_do_too(grown_store: Store) -> None:
    with listened(grown_store) as heard:
        photo = Attachment("jalan.jpg", "image/jpeg", 1000, reference="file")
        by_provider = Receipt("delivered", provider_id=grown.answer_id(7))
        await hot.dispatch(
            grown_store,
            [
                hot.event(5, kind="part", part=Part("ref", 1, 2)),
                hot.event(6, kind="edit", thread=Thread("", (grown.answer_id(6),))),
                hot.event(7, kind="receipt", receipt=by_provider),
                hot.event(8, kind="receipt", receipt=Receipt("failed", delivery=grown.reply_id(8))),
                hot.event(9, attachments=(photo,)),
            ],
        )
        files = Files(grown_store, "owner", cases_topic="cases", source=SOURCE)
        assert await files.due() == {"sms"}
        assert len(await files.lease("sms", 10, 30.0)) == 1
        assert await files.waiting() == {"sms": 1}
    _all_by_index(await plans_of(grown_store, heard, any_size=True))


async def test_an_agencys_word_and_a_cases_page_do_too(grown_store: Store) -> None:
    replies = Replies(override=None, default_language="id", channel_types=("sms",))
    context = Context(replies, "cases", SOURCE, ZoneInfo("Asia/Jakarta"), frozenset({"sms"}))
    update = CaseUpdate(
        id="u-1", number=grown.number(7), status="in_progress", text="Sedang ditangani", at=datetime.now(UTC)
    )
    with listened(grown_store) as heard:
        async with grown_store.write() as connection:
            assert (await apply_updates(connection, grown_store, [update], context)).replies == 1
        assert await case_trail(grown_store, grown.number(7), secrets=lambda _channel: ())
    _all_by_index(await plans_of(grown_store, heard, any_size=True))


async def test_a_statement_that_reads_everything_is_seen(grown_store: Store) -> None:
    with listened(grown_store) as heard:
        async with grown_store.read() as connection:
            await connection.execute(select(outbox.c.id).where(outbox.c.address == "+628121"))
    [plan] = await plans_of(grown_store, heard, any_size=True)
    assert plan.scans == ("outbox",)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_plan_made_while_tables_are_small_is_one_for_large_ones(store: Store) -> None:
    await grown.grow(store, 1, 10, ahead=10, now=time.time())
    async with store.engine.connect() as first, store.engine.connect() as second:
        for connection in (first, second):
            await connection.execute(text("ANALYZE"))
            await connection.rollback()
            looked_up = text("EXPLAIN SELECT opened_at FROM cases WHERE number = ANY (ARRAY['1', '2'])")
            plan = "\n".join((await connection.execute(looked_up)).scalars())
            assert "Index" in plan
            assert "Seq Scan" not in plan


def _all_by_index(plans: list[Plan]) -> None:
    assert [f"{plan.statement}\n{plan.plan}" for plan in plans if plan.scans] == []
