"""The dispatcher over a real log and both stores: what stands in the store after events went through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from sqlalchemy import select

from channels.base import Part, Receipt, Thread
from config.conversation import Rules
from config.settings import Settings
from gateway.dispatcher.dispatcher import Dispatcher
from gateway.eventlog.base import Record
from gateway.eventlog.sqlite import SqliteLog
from gateway.metrics import Metrics
from gateway.replies import Replies
from gateway.store.engine import Store
from gateway.store.tables import cases, dead_letters, deliveries, gatherings, messages, outbox, publications, senders
from normalizer import tracking
from normalizer.event import ComplaintEvent, EventChannel, EventSender, Privacy, encode
from normalizer.messages import DeadLetter
from normalizer.normalize import Normalizer
from tests.dispatcher.make import NOON, event

SETTLED_SECONDS = 60.0


class Bench:
    """A dispatcher under test: events in, rows out."""

    def __init__(self, log: SqliteLog, store: Store, settings: Settings) -> None:
        self.log = log
        self.store = store
        self.settings = settings
        self.metrics = Metrics()

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            settings=self.settings,
            log=self.log,
            store=self.store,
            replies=Replies(override=None, default_language="id", channel_types=("sms", "twitter")),
            metrics=self.metrics,
            private_types=frozenset({"sms"}),
            normalizer=lambda kind, name: Normalizer(kind, name, secret=b"secret"),
            source="https://gateway.test",
            notice=lambda channel, language: f"({channel} {language})",
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Dispatcher]:
        dispatcher = self.dispatcher()
        task = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            await task

    async def take(self, *events: ComplaintEvent) -> None:
        """Append the events and wait until the dispatcher has committed them."""
        await self.append(*events)
        async with self.running():
            await self.drained()

    async def append(self, *events: ComplaintEvent) -> None:
        topic = self.settings.topics.complaints
        await self.log.append([Record(topic, e.sender.key.encode(), encode(e)) for e in events])

    async def drained(self) -> None:
        consumer = self.log.consumer(self.settings.log.group, [self.settings.topics.complaints])
        async with asyncio.timeout(SETTLED_SECONDS):
            while await consumer.lag():
                await asyncio.sleep(0.01)
        await consumer.close()

    async def rows(self, table: Any, *order: Any) -> Sequence[Any]:
        async with self.store.read() as connection:
            return (await connection.execute(select(table).order_by(*order))).all()


@pytest.fixture
def logs() -> Iterator[Sequence[Any]]:
    """What is logged, unprinted: structlog's own tracebacks take seconds to draw."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def bench(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    log = SqliteLog(tmp_path / "log.db", retention_seconds=3600)
    await log.start()
    # Long enough for any machine: where the deadline matters, a test brings it.
    settings = Settings(rules=Rules(part_window=3600))
    yield Bench(log, store, settings)
    await log.close()


async def test_a_complaint_becomes_a_case_with_a_number_and_an_acknowledgement(bench: Bench) -> None:
    await bench.take(event("Jalan Merdeka rusak", language="id", region="TANGKAB", privacy=Privacy(anonymous=True)))

    (case,) = await bench.rows(cases)
    assert tracking.valid(case.number)
    assert (case.state, case.anonymous, case.confidential, case.region) == ("received", True, False, "TANGKAB")
    (reply,) = await bench.rows(outbox)
    assert tracking.shown(case.number) in reply.text
    assert reply.text.endswith("\n(sms id)")
    assert (reply.channel, reply.address, reply.case_number, reply.state) == (
        "sms",
        "+6281234567890",
        case.number,
        "waiting",
    )
    (message,) = await bench.rows(messages)
    assert (message.case_number, message.disposition) == (case.number, "complaint")
    (said,) = await bench.rows(publications)
    assert said.topic == "lapor.cases.v1"
    body = msgspec.json.decode(said.value)
    assert (body["number"], body["change"]) == (case.number, "opened")
    assert "+6281234567890" not in said.value.decode()  # anonymous


async def test_in_public_and_to_other_answers_no_notice_is_added(bench: Bench) -> None:
    public = EventChannel("twitter", "x", "1", Thread("room", public=True))
    await bench.take(event("jalan rusak", channel=public), event("bantuan", intent="help", after=5))
    assert {r.template: "(" in r.text for r in await bench.rows(outbox)} == {"acknowledgement": False, "help": False}


async def test_copies_of_an_event_count_once(bench: Bench) -> None:
    one = event()
    await bench.take(one, one, one)
    await bench.take(one)
    assert len(await bench.rows(cases)) == 1
    assert len(await bench.rows(outbox)) == 1
    assert len(await bench.rows(messages)) == 1


async def test_events_of_one_batch_see_each_other(bench: Bench) -> None:
    await bench.take(event("jalan rusak"), event("dan lampunya mati", after=5), event("jalan rusak!", after=9))
    (case,) = await bench.rows(cases)
    rows = await bench.rows(messages, messages.c.received_at)
    assert [(r.disposition, r.case_number) for r in rows] == [
        ("complaint", case.number),
        ("conversation", case.number),
        ("repeat", case.number),
    ]
    assert [r.template for r in await bench.rows(outbox, outbox.c.created_at)] == [
        "acknowledgement",
        "joined",
        "repeated",
    ]


async def test_the_rules_hold_over_separate_batches(bench: Bench) -> None:
    await bench.take(event("jalan rusak"))
    (case,) = await bench.rows(cases)
    await bench.take(event("status", after=60, intent="status", numbers=(case.number,)))
    await bench.take(
        event("lagi", after=120, channel=EventChannel("sms", "sms", "x", Thread(replies_to=("provider-0",))))
    )
    await bench.take(event("berhenti", after=180, intent="stop"))
    templates = [r.template for r in await bench.rows(outbox, outbox.c.created_at)]
    assert templates == ["acknowledgement", "status", "joined", "stopped"]
    (who,) = await bench.rows(senders)
    assert who.stopped_at == (NOON + timedelta(seconds=180)).timestamp()
    assert who.latest_case == case.number


async def test_a_reply_to_our_own_message_joins_its_case(bench: Bench) -> None:
    await bench.take(event("jalan rusak"))
    (reply,) = await bench.rows(outbox)
    async with bench.store.write() as connection:
        step = {
            "outbox_id": reply.id,
            "channel": "sms",
            "step": "attempt",
            "at": 1.0,
            "outcome": "sent",
            "provider_id": "ours-1",
        }
        await connection.execute(deliveries.insert(), [step])
    later = event("masih rusak", after=3600, channel=EventChannel("sms", "sms", "p", Thread(replies_to=("ours-1",))))
    await bench.take(later)
    assert [r.disposition for r in await bench.rows(messages, messages.c.received_at)] == ["complaint", "thread"]


def part(index: int, total: int, text: str, ref: str = "77", **more: Any) -> ComplaintEvent:
    return event(text, kind="part", part=Part(ref, index, total), **more)


async def test_parts_in_any_order_become_one_complaint(bench: Bench) -> None:
    await bench.take(part(3, 3, "tiga"), part(1, 3, "satu "))
    assert await bench.rows(cases) == []
    await bench.take(part(2, 3, "dua "))
    (case,) = await bench.rows(cases)
    whole = next(r for r in await bench.rows(messages) if r.kind == "message")
    assert msgspec.json.decode(whole.document)["text"] == "satu dua tiga"
    assert whole.case_number == case.number
    assert len(await bench.rows(outbox)) == 1


async def test_a_redelivered_part_does_not_stand_for_another(bench: Bench) -> None:
    first = part(1, 2, "satu ")
    await bench.take(first, first)
    assert await bench.rows(cases) == []
    await bench.take(first, part(2, 2, "dua"))
    assert len(await bench.rows(cases)) == 1


async def test_a_lost_part_is_not_waited_for_beyond_the_deadline(bench: Bench) -> None:
    await bench.take(part(1, 3, "satu "), part(3, 3, "tiga"))
    assert await bench.rows(cases) == []
    async with bench.store.write() as connection:
        await connection.execute(gatherings.update().values(deadline=0.0))
    async with bench.running(), asyncio.timeout(SETTLED_SECONDS):
        while not await bench.rows(cases):
            await asyncio.sleep(0.02)
    (case,) = await bench.rows(cases)
    whole = next(r for r in await bench.rows(messages) if r.kind == "message")
    assert msgspec.json.decode(whole.document)["incomplete"] is True
    (gathering,) = await bench.rows(gatherings)
    assert (gathering.joined, gathering.case_number) == (True, case.number)

    await bench.take(part(2, 3, "dua "))  # a restart later
    late = next(r for r in await bench.rows(messages) if r.kind == "part" and r.case_number)
    assert (late.disposition, late.case_number) == ("part", case.number)
    assert len(await bench.rows(cases)) == 1
    assert len(await bench.rows(outbox)) == 1


async def test_a_reference_that_is_used_again_is_another_message(bench: Bench) -> None:
    await bench.take(part(1, 2, "satu "), part(2, 2, "dua"))
    await bench.take(part(1, 2, "tiga ", after=7200), part(2, 2, "empat", after=7200))
    texts = sorted(msgspec.json.decode(r.document)["text"] for r in await bench.rows(messages) if r.kind == "message")
    assert texts == ["satu dua", "tiga empat"]


async def test_parts_of_two_senders_with_one_reference_do_not_mix(bench: Bench) -> None:
    other = EventSender("another", "+6281300000000", "phone")
    await bench.take(
        part(1, 2, "a1 "), part(1, 2, "b1 ", sender=other), part(2, 2, "b2", sender=other), part(2, 2, "a2")
    )
    texts = sorted(msgspec.json.decode(r.document)["text"] for r in await bench.rows(messages) if r.kind == "message")
    assert texts == ["a1 a2", "b1 b2"]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["delivered"], "delivered"),
        (["failed"], "failed"),
        (["accepted"], "waiting"),
        (["accepted", "delivered"], "delivered"),
        (["delivered", "failed"], "delivered"),
    ],
)
async def test_receipts_settle_replies(bench: Bench, outcomes: list[Any], state: str) -> None:
    await bench.take(event())
    (reply,) = await bench.rows(outbox)
    for outcome in outcomes:
        await bench.take(event("", kind="receipt", receipt=Receipt(outcome, delivery=reply.id, code="x")))
    (reply,) = await bench.rows(outbox)
    assert reply.state == state
    assert [r.outcome for r in await bench.rows(deliveries, deliveries.c.id)] == outcomes
    told = [msgspec.json.decode(p.value) for p in await bench.rows(publications) if p.topic == "lapor.deliveries.v1"]
    assert [t["outcome"] for t in told] == ([state] if state != "waiting" else [])
    heard = [msgspec.json.decode(p.value) for p in await bench.rows(publications) if p.topic == "lapor.cases.v1"]
    assert [h["change"] for h in heard] == ["opened", *([f"reply_{state}"] if state != "waiting" else [])]


async def test_a_receipt_of_another_channel_settles_nothing(bench: Bench) -> None:
    await bench.take(event())
    (reply,) = await bench.rows(outbox)
    await bench.take(
        event(
            "", kind="receipt", channel=EventChannel("sms", "sms-other"), receipt=Receipt("failed", delivery=reply.id)
        )
    )
    assert (await bench.rows(outbox))[0].state == "waiting"


DEEP = b"[" * 100_000 + b"]" * 100_000
UNDECODABLE = {
    "half a document": b'{"id": 5',
    "no UTF-8": b"\xff\x00",
    "100,000 nested arrays": DEEP,
    "the same in a field that nobody knows": b'{"more": ' + DEEP + b"}",
    "JSON of another shape": b'{"schema": 1, "id": "e", "sender": "Budi"}',
    "a later schema": b'{"schema": 99}',
    "nothing": b"",
}


@pytest.mark.parametrize("topic", ["complaints", "dead_letters"])
async def test_what_cannot_be_decoded_is_a_dead_letter_and_the_rest_goes_on(bench: Bench, topic: str) -> None:
    name = getattr(bench.settings.topics, topic)
    await bench.log.append([Record(name, b"k", value) for value in UNDECODABLE.values()])
    await bench.take(event())
    letters = await bench.rows(dead_letters)
    assert sorted(letter.raw for letter in letters) == sorted(UNDECODABLE.values())
    assert {(letter.stage, letter.reason) for letter in letters} == {("decode", "undecodable")}
    assert len(await bench.rows(cases)) == 1


UNSTORABLE: dict[str, dict[str, Any]] = {
    "a channel's name with NUL": {"channel": EventChannel("sms", "sms\x00")},
    "a channel's name too long for the store": {"channel": EventChannel("sms", "s" * 100)},
    "an id too long for the store": {"id": "e" * 100},
    "a language too long for the store": {"language": "x" * 100},
}


@pytest.mark.usefixtures("logs")
async def test_events_that_the_store_cannot_hold_do_not_stop_the_others(bench: Bench) -> None:
    """No normalizer of ours writes any; SQLite holds some that PostgreSQL does not."""
    people = [EventSender(f"k{n}", f"+62812000000{n:02}", "phone") for n in range(len(UNSTORABLE))]
    await bench.take(
        *(event(sender=who, **more) for who, more in zip(people, UNSTORABLE.values(), strict=True)), event("lampu mati")
    )
    letters = await bench.rows(dead_letters)
    assert len(await bench.rows(cases)) + len(letters) == len(UNSTORABLE) + 1
    assert {letter.stage for letter in letters} <= {"dispatch", "decode"}


@pytest.mark.usefixtures("logs")
async def test_a_letter_that_the_store_cannot_hold_does_not_stop_the_others(bench: Bench) -> None:
    letter = DeadLetter(
        id="a" * 32, stage="intake", channel="sms", reason="x", detail="half\x00said", at=NOON, raw=b"x", raw_type="t"
    )
    await bench.log.append([Record(bench.settings.topics.dead_letters, b"k", msgspec.json.encode(letter))])
    await bench.take(event())
    (kept,) = await bench.rows(dead_letters)
    assert kept.raw in (b"x", msgspec.json.encode(letter))
    assert len(await bench.rows(cases)) == 1


async def test_letters_of_intake_come_into_the_store_once(bench: Bench) -> None:
    letter = DeadLetter(
        id="a" * 32, stage="intake", channel="sms", reason="no_sender", detail="d", at=NOON, raw=b"x", raw_type="t"
    )
    record = Record(bench.settings.topics.dead_letters, b"k", msgspec.json.encode(letter))
    await bench.log.append([record, record])
    await bench.take(event())
    (kept,) = await bench.rows(dead_letters)
    assert (kept.id, kept.reason, kept.raw) == ("a" * 32, "no_sender", b"x")


async def test_one_event_that_cannot_be_handled_does_not_stop_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, logs: Sequence[Any]
) -> None:
    from gateway.dispatcher import dispatcher as module
    from gateway.dispatcher import rules

    honest = rules.decide

    def choking(e: ComplaintEvent, *rest: Any) -> Any:
        if e.text == "choke":
            raise ValueError("a bug")
        return honest(e, *rest)

    monkeypatch.setattr(module, "decide", choking)
    others = [EventSender(f"k{n}", f"+62812000000{n:02}", "phone") for n in range(5)]
    await bench.take(*(event(f"laporan {n}", sender=s) for n, s in enumerate(others)), event("choke"))
    assert len(await bench.rows(cases)) == 5
    (letter,) = await bench.rows(dead_letters)
    assert (letter.stage, letter.reason) == ("dispatch", "ValueError")
    assert "dispatcher.event_failed" in [one["event"] for one in logs]


async def test_the_store_going_away_only_makes_the_dispatcher_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.store.engine import StoreUnavailable

    honest, away = bench.store.write, [True]
    tried = asyncio.Event()

    def sometimes() -> Any:
        if away[0]:
            tried.set()
            raise StoreUnavailable("down for a moment")
        return honest()

    monkeypatch.setattr(bench.store, "write", sometimes)
    await bench.append(event())
    async with bench.running():
        await tried.wait()
        away[0] = False
        await bench.drained()
    assert len(await bench.rows(cases)) == 1


async def test_two_dispatchers_with_the_same_events_open_each_case_once(bench: Bench, tmp_path: Path) -> None:
    """What a rebalance does: both take the same records at the same time."""
    second = SqliteLog(tmp_path / "second.db", retention_seconds=3600)
    await second.start()
    other = Bench(second, bench.store, bench.settings)
    events = [event(f"laporan {n}", sender=EventSender(f"k{n}", f"+6281200{n:05}", "phone")) for n in range(300)]
    await bench.append(*events)
    await other.append(*events)
    async with bench.running(), other.running():
        await asyncio.gather(bench.drained(), other.drained())
    await second.close()
    opened = await bench.rows(cases)
    assert len(opened) == len({c.number for c in opened}) == 300
    assert len(await bench.rows(outbox)) == 300
    assert await bench.rows(dead_letters) == []


async def test_one_phone_over_two_carriers_is_one_sender(bench: Bench) -> None:
    first = event("jalan rusak", channel=EventChannel("sms", "sms-telkomsel", "1"))
    second = event("dan lampu mati", after=60, channel=EventChannel("sms", "sms-indosat", "1"))
    await bench.take(first, second)
    assert len(await bench.rows(cases)) == 1
    assert [r.channel for r in await bench.rows(outbox, outbox.c.created_at)] == ["sms-telkomsel", "sms-indosat"]
