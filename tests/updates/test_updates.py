"""Updates over a real log and both stores: from the topic and from the API's side, what stands afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import update

from channels.base import Thread
from config.settings import Settings
from gateway.dispatcher.working import WorkingSet
from gateway.eventlog.base import Record
from gateway.eventlog.sqlite import SqliteLog
from gateway.replies import Replies
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.tables import cases, dead_letters, messages, outbox, publications, updates
from gateway.updates.desk import Desk
from gateway.updates.inbox import Inbox, group_of
from gateway.updates.writer import Context, Recorded, Refusal
from normalizer import tracking
from normalizer.event import EventChannel, Privacy
from normalizer.messages import CaseUpdate, encode
from tests.dispatcher.make import event
from tests.dispatcher.test_dispatcher import SETTLED_SECONDS, Bench

TYPES = ("sms", "twitter")
FREE = "100000000" + tracking.check_digit("100000000")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_ids = itertools.count(1)


class Office(Bench):
    """A dispatcher under test, and beside it what takes updates."""

    def __init__(self, log: SqliteLog, store: Store, settings: Settings) -> None:
        super().__init__(log, store, settings)
        self.topic = settings.topics.case_updates
        self.desk = self.made()

    def made(self, **context: Any) -> Desk:
        """A desk of this office."""
        return Desk(
            store=self.store,
            context=Context(
                Replies(override=None, default_language="id", channel_types=TYPES),
                self.settings.topics.cases,
                "https://gateway.test",
                ZoneInfo("Asia/Jakarta"),
                **context,
            ),
            metrics=self.metrics,
            letters_topic=self.settings.topics.dead_letters,
        )

    def inbox(self) -> Inbox:
        return Inbox(settings=self.settings, log=self.log, desk=self.desk, metrics=self.metrics)

    async def say(self, *values: bytes | CaseUpdate) -> None:
        """Put records on the topic and wait until all are settled."""
        bodies = [value if isinstance(value, bytes) else encode(value) for value in values]
        await self.log.append([Record(self.topic, b"k", body) for body in bodies])
        await self.work()

    async def work(self) -> None:
        """Consume until nothing is left."""
        inbox = self.inbox()
        task = asyncio.create_task(inbox.run())
        try:
            await self.settled()
        finally:
            inbox.stop()
            await task

    async def settled(self) -> None:
        consumer = self.log.consumer(group_of(self.settings), [self.topic])
        async with asyncio.timeout(SETTLED_SECONDS):
            while await consumer.lag():
                await asyncio.sleep(0.01)
        await consumer.close()

    async def case(self, *events: Any) -> str:
        """Bring the citizen's messages in; returns the number of their case."""
        await self.take(*(events or (event(language="id"),)))
        return str((await self.rows(cases))[0].number)

    async def news(self) -> Sequence[Any]:
        """The replies that updates brought, oldest first."""
        return [r for r in await self.rows(outbox, outbox.c.created_at, outbox.c.id) if r.template.startswith("news")]

    async def told(self) -> list[tuple[str, str]]:
        """What downstream hears of updates: change and state."""
        said = [json.loads(r.value) for r in await self.rows(publications, publications.c.id)]
        return [(body["change"], body["state"]) for body in said if "update_id" in body]


def about(number: str, text: str = "", *, status: Any = None, after: float = 60.0, **more: Any) -> CaseUpdate:
    """An agency's update, written ``after`` seconds past a moment long gone."""
    fields: dict[str, Any] = {"id": f"u-{next(_ids)}", "at": LONG_AGO + timedelta(seconds=after)}
    return CaseUpdate(number=number, text=text, status=status, **(fields | more))


@pytest.fixture
async def office(store: Store, tmp_path: Path) -> AsyncIterator[Office]:
    log = SqliteLog(tmp_path / "log.db", retention_seconds=3600)
    await log.start()
    yield Office(log, store, Settings())
    await log.close()


async def test_a_text_goes_to_the_citizen_below_their_message_and_the_state_moves(office: Office) -> None:
    number = await office.case(
        event(
            "The road is broken",
            language="en",
            subject="Road",
            channel=EventChannel("sms", "sms-telkomsel", "p-1", Thread("room", ("p-0",))),
        )
    )
    said = about(number, "Repaired \r\ntoday.", status="closed", agency="Public Works")
    await office.say(said)

    (reply,) = await office.news()
    assert reply.text == f"News on report {tracking.shown(number)} (Public Works): Repaired \ntoday."
    assert (reply.channel, reply.address, reply.subject) == ("sms-telkomsel", "+6281234567890", "Road")
    assert msgspec.json.decode(reply.thread, type=Thread) == Thread("room", ("p-1", "p-0"))
    assert (reply.case_number, reply.state) == (number, "waiting")
    (case,) = await office.rows(cases)
    assert (case.state, case.state_at) == ("closed", said.at.timestamp())
    assert await office.told() == [("state_changed", "closed"), ("citizen_answered", "closed")]
    (row,) = await office.rows(updates)
    assert (row.id, row.number, row.status, row.agency) == (said.id, number, "closed", "Public Works")
    assert (row.state_changed, row.outcome) == (True, "told")


async def test_the_news_goes_where_the_citizen_wrote_last(office: Office) -> None:
    number = await office.case(event("jalan rusak"))
    elsewhere = EventChannel("sms", "sms-indosat", "p-9")
    await office.take(event("dan lampu mati", after=60, channel=elsewhere, language="en"))
    await office.say(about(number, "Baik."))
    (reply,) = await office.news()
    assert (reply.channel, reply.text) == ("sms-indosat", f"News on report {tracking.shown(number)}: Baik.")


async def test_a_status_alone_is_not_told(office: Office) -> None:
    number = await office.case()
    await office.say(about(number, status="in_progress"))
    assert await office.news() == []
    assert await office.told() == [("state_changed", "in_progress")]
    await office.take(event("status", after=90, intent="status", numbers=(number,)))
    assert "Diproses" in (await office.rows(outbox, outbox.c.created_at))[-1].text


async def test_the_same_id_is_one_update_however_often_and_wherever_it_comes(office: Office) -> None:
    number = await office.case()
    said = about(number, "Sudah.", status="answered")
    await office.say(said, said)
    first = await office.desk.take(said)
    await office.say(said)
    assert await office.desk.take(said) == first
    assert isinstance(first, Recorded)
    assert len(await office.news()) == len(await office.rows(updates)) == 1
    assert len(await office.told()) == 2


async def test_one_update_by_the_topic_and_the_api_at_once_is_one_message(office: Office) -> None:
    number = await office.case()
    said = [about(number, f"kabar {n}", status="forwarded") for n in range(5)]
    await office.log.append([Record(office.topic, b"k", encode(one)) for one in said])
    _, *results = await asyncio.gather(office.work(), *(office.desk.take(one) for one in said for _ in range(4)))
    assert all(isinstance(result, Recorded) for result in results)
    assert len(await office.news()) == len(await office.rows(updates)) == 5
    assert await office.rows(dead_letters) == []


async def test_one_id_for_two_cases_at_once_is_taken_for_one_of_them(office: Office) -> None:
    for key in ("a", "b"):
        citizen = msgspec.structs.replace(event().sender, key=key)
        await office.take(event(f"laporan {key}", sender=citizen))
    numbers = [row.number for row in await office.rows(cases)]
    results = await asyncio.gather(*(office.desk.take(about(n, "Sudah.", id="same")) for n in numbers * 3))
    taken = {result.number for result in results if isinstance(result, Recorded)}
    assert len(taken) == 1
    assert [result for result in results if not isinstance(result, Recorded)] == [Refusal.ID_REUSED] * 3
    assert len(await office.news()) == 1


async def test_an_older_word_that_comes_late_is_passed_on_but_takes_nothing_back(office: Office) -> None:
    number = await office.case()
    await office.say(about(number, "Selesai.", status="closed", after=600))
    late = about(number, "Diteruskan.", status="forwarded", after=60)
    await office.say(late)
    assert [row.state for row in await office.rows(cases)] == ["closed"]
    assert [r.text.rpartition(": ")[2] for r in await office.news()] == ["Selesai.", "Diteruskan."]
    assert await office.told() == [
        ("state_changed", "closed"),
        ("citizen_answered", "closed"),
        ("citizen_answered", "closed"),
    ]
    row = next(row for row in await office.rows(updates) if row.id == late.id)
    assert row.state_changed is False


async def test_updates_of_one_batch_see_each_other(office: Office) -> None:
    number = await office.case()
    await office.say(
        about(number, status="in_progress", after=120),
        about(number, status="forwarded"),
        about(number, status="closed"),
    )
    (case,) = await office.rows(cases)
    assert (case.state, await office.told()) == ("in_progress", [("state_changed", "in_progress")])


async def test_who_said_stop_gets_no_news_until_they_write_again(office: Office) -> None:
    number = await office.case()
    await office.take(event("berhenti", after=60, intent="stop"))
    await office.say(about(number, "Diteruskan.", status="forwarded", after=90))
    assert await office.news() == []
    assert [row.outcome for row in await office.rows(updates)] == ["stopped"]
    assert [row.state for row in await office.rows(cases)] == ["forwarded"]

    await office.take(event("bagaimana ini?", after=120))
    await office.say(about(number, "Selesai.", status="closed", after=150))
    assert [reply.text.rpartition(": ")[2] for reply in await office.news()] == ["Selesai."]


async def test_an_anonymous_citizen_gets_news_and_downstream_no_name(office: Office) -> None:
    number = await office.case(event("jalan rusak", privacy=Privacy(anonymous=True)))
    await office.say(about(number, "Selesai.", status="closed"))
    (reply,) = await office.news()
    assert reply.address == "+6281234567890"
    said = b"".join(row.value for row in await office.rows(publications))
    assert b"6281234567890" not in said


def post(name: str, *, public: bool = True) -> EventChannel:
    return EventChannel("twitter", "x", name, Thread("room" if public else "dm", public=public))


async def test_in_public_the_words_are_not_told(office: Office) -> None:
    number = await office.case(event("jalan rusak", channel=post("1")))
    await office.say(about(number, "Nama Anda sudah dicatat.", status="answered", agency="Dinas PU"))
    (reply,) = await office.news()
    assert reply.template == "news_public"
    assert tracking.shown(number) in reply.text
    assert not any(word in reply.text for word in ("dicatat", "Dinas", "Ditanggapi"))
    assert msgspec.json.decode(reply.thread, type=Thread) == Thread("room", ("1",), public=True)
    (said,) = [b for b in map(json.loads, [r.value for r in await office.rows(publications)]) if "update_id" in b][1:]
    assert "text" not in said


async def test_in_public_the_words_are_tried_privately_where_the_platform_has_private_messages(office: Office) -> None:
    office.desk = office.made(private_types=frozenset({"twitter"}))
    number = await office.case(event("jalan rusak", channel=post("1")))
    await office.say(about(number, "Sudah dicatat.", status="answered"))
    sentence, words = sorted(await office.news(), key=lambda reply: str(reply.template), reverse=True)
    assert (sentence.template, words.template) == ("news_public", "news_privately")
    assert "dicatat" not in sentence.text
    assert words.text.endswith(": Sudah dicatat.")
    assert (words.address, words.case_number) == ("+6281234567890", number)
    assert msgspec.json.decode(words.thread, type=Thread) == Thread()
    # They may not get there: downstream hears of the sentence alone.
    assert await office.told() == [("state_changed", "answered"), ("citizen_answered", "answered")]
    assert [row.outcome for row in await office.rows(updates)] == ["told_in_public"]


async def test_in_public_nothing_goes_to_a_group_that_writes_as_itself(office: Office) -> None:
    office.desk = office.made(private_types=frozenset({"twitter"}))
    group = msgspec.structs.replace(event().sender, address="-100200")
    number = await office.case(event("jalan rusak", channel=post("1"), sender=group))
    await office.say(about(number, "Sudah dicatat."))
    assert [reply.template for reply in await office.news()] == ["news_public"]


async def test_in_public_they_are_told_privately_where_the_citizen_wrote_privately_before(office: Office) -> None:
    await office.take(event("bantuan", intent="help", channel=post("dm-1", public=False)))
    number = await office.case(event("jalan rusak", after=60, channel=post("1")))
    await office.say(about(number, "Sudah dicatat.", after=90))
    (reply,) = await office.news()
    assert (reply.template, reply.text.rpartition(": ")[2]) == ("news", "Sudah dicatat.")
    assert msgspec.json.decode(reply.thread, type=Thread) == Thread("dm")


async def test_anothers_private_message_is_no_way_to_this_citizen(office: Office) -> None:
    stranger = msgspec.structs.replace(event().sender, key="stranger", address="99")
    await office.take(event("halo pak, jalan rusak", sender=stranger, channel=post("dm-1", public=False)))
    await office.take(event("lampu mati", after=60, channel=post("1")))
    number = next(row.number for row in await office.rows(cases) if row.sender_key != "stranger")
    await office.say(about(number, "Sudah dicatat."))
    assert [(r.template, r.address) for r in await office.news()] == [("news_public", "+6281234567890")]


async def test_what_cannot_be_taken_is_a_dead_letter_with_its_bytes_and_the_rest_goes_on(office: Office) -> None:
    number = await office.case()
    bad = {
        "not json": b"\xff{",
        "no time": b'{"id":"1","number":"' + number.encode() + b'","text":"x"}',
        "a state there is not": encode(about(number, "x")).replace(b'"text"', b'"status":"lost","text"'),
        "nothing to say": encode(about(number)),
        "far too deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    }
    unknown = encode(about(FREE, "x", id="u" * 200))
    reused = about(number, "Selesai.")
    other = msgspec.structs.replace(reused, number=FREE)
    await office.say(*bad.values(), unknown, reused, encode(other))
    letters = await office.rows(dead_letters)
    assert {(row.stage, row.reason, row.raw) for row in letters} == {
        *(("case_update", "malformed", raw) for raw in bad.values()),
        ("case_update", "unknown_number", unknown),
        ("case_update", "id_reused", encode(other)),
    }
    assert len(await office.news()) == 1
    published = [r for r in await office.rows(publications) if r.topic == office.settings.topics.dead_letters]
    assert len(published) == len(letters) == len(bad) + 2


async def test_a_failure_over_one_update_does_not_stop_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await office.case()
    honest = Replies.render

    def choking(self: Replies, name: str, **more: Any) -> str:
        if more.get("text") == "choke":
            raise ValueError("a bug")
        return honest(self, name, **more)

    monkeypatch.setattr(Replies, "render", choking)
    await office.say(about(number, "satu"), about(number, "choke"), about(number, "dua"))
    assert [reply.text.rpartition(": ")[2] for reply in await office.news()] == ["satu", "dua"]
    (letter,) = await office.rows(dead_letters)
    assert (letter.stage, letter.reason) == ("case_update", "ValueError")
    assert b'"choke"' in letter.raw


async def test_the_store_going_away_only_makes_updates_wait(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await office.case()
    honest, tried, away = office.store.write, asyncio.Event(), [True]

    def sometimes() -> Any:
        if away[0]:
            tried.set()
            raise StoreUnavailable("down for a moment")
        return honest()

    monkeypatch.setattr(office.store, "write", sometimes)
    with pytest.raises(StoreUnavailable):
        await office.desk.take(about(number, "lewat API"))
    await office.log.append([Record(office.topic, b"k", encode(about(number, "lewat topik")))])
    working = asyncio.create_task(office.work())
    tried.clear()
    await tried.wait()
    away[0] = False
    await working
    assert [reply.text.rpartition(": ")[2] for reply in await office.news()] == ["lewat topik"]


async def test_a_message_written_meanwhile_does_not_take_the_state_back(office: Office) -> None:
    """The dispatcher read the case before the agency spoke, and writes it after."""
    number = await office.case()
    writing, go_on = asyncio.Event(), asyncio.Event()
    if office.store.sqlite:
        # It has one writer: there is no meanwhile, the agency's word waits for its turn.
        go_on.set()
    honest = WorkingSet.write

    async def agency() -> None:
        await writing.wait()
        await office.desk.take(about(number, status="closed"))
        go_on.set()

    async def late(self: WorkingSet, connection: Any) -> None:
        writing.set()
        await go_on.wait()
        await honest(self, connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkingSet, "write", late)
        await asyncio.gather(agency(), office.take(event("masih rusak", after=30)))
    assert [row.state for row in await office.rows(cases)] == ["closed"]


async def test_a_citizen_of_whom_nothing_is_left_is_not_reached(office: Office) -> None:
    number = await office.case()
    async with office.store.write() as connection:
        await connection.execute(update(messages).values(case_number=None))
    taken = await office.desk.take(about(number, "Selesai.", status="closed"))
    assert isinstance(taken, Recorded)
    assert (taken.state_changed, taken.citizen) == (True, "unreachable")
    assert await office.news() == []
