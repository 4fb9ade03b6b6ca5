"""What is forgotten by its age, and what turns up again behind a forgetting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from pydantic import ValidationError
from sqlalchemy import update

from channels.base import OutboundMessage, Part, Receipt
from config.durations import DAY, HOUR
from config.operations import Retention
from config.settings import Log, Settings
from gateway.blobs.folder import Folder
from gateway.eventlog.base import Record
from gateway.eventlog.sqlite import SqliteLog
from gateway.privacy.blank import NOBODY
from gateway.privacy.counts import Counts
from gateway.privacy.find import Who
from gateway.privacy.forget import Forgetting, Forgotten
from gateway.privacy.keeper import Keeper
from gateway.store.deadletters import bury
from gateway.store.engine import Store
from gateway.store.operations import audit, forgotten
from gateway.store.tables import cases, dead_letters, deliveries, messages, outbox, publications, senders, updates
from normalizer.cloudevents import headers
from normalizer.event import EventSender, decode, encode
from normalizer.messages import DeadLetter
from tests.dispatcher.make import CITIZEN, NOON, event
from tests.updates.test_updates import Office, about

YEAR = 365 * DAY
PHONE = "+6281234567890"
STRANGER = EventSender("key-of-a-stranger", "+6281298765432", "phone")


class Shop(Office):
    """A dispatcher and a desk, and beside them who forgets."""

    def __init__(self, log: SqliteLog, store: Store, settings: Settings, folder: Path) -> None:
        super().__init__(log, store, settings)
        self.blobs = Folder(folder / "blobs")

    async def keep(self, after: float = 0.0) -> tuple[Counts, Counts]:
        """A sweep and a run of the retention, so long after noon; what each erased."""
        return await Keeper(self.settings, self.store, self.blobs, owner="a-test").once(NOON.timestamp() + after)

    async def forget(self, after: float = HOUR) -> Forgotten:
        """Forget the citizen of :mod:`tests.dispatcher.make`."""
        who = Who("sms", PHONE, "phone", CITIZEN)
        now = NOON.timestamp() + after
        return await Forgetting(self.settings, self.store, self.blobs).forget(who, by="an operator", now=now)

    async def said(self) -> list[tuple[str, str]]:
        """Number and change of what downstream hears."""
        told = [json.loads(row.value) for row in await self.rows(publications, publications.c.id)]
        return [(one["number"], one["change"]) for one in told if "change" in one]


@pytest.fixture
async def shop(store: Store, tmp_path: Path) -> AsyncIterator[Shop]:
    log = SqliteLog(tmp_path / "log.db", retention_seconds=30 * DAY)
    await log.start()
    settings = Settings(log=Log(path=tmp_path / "log.db"), retention=Retention(after=5 * YEAR))
    yield Shop(log, store, settings, tmp_path)
    await log.close()


async def test_a_case_goes_when_nobody_has_touched_it_for_the_time_set(shop: Shop) -> None:
    await shop.take(
        event("jalan rusak"),
        event("lampu padam", sender=STRANGER, after=3 * DAY),
        event("bantuan", intent="help", sender=EventSender("a third", "+6281200000000", "phone")),
    )
    old, young = sorted(await shop.rows(cases), key=lambda row: float(row.opened_at))

    assert await shop.keep(5 * YEAR - DAY) == (Counts(), Counts())
    _, erased = await shop.keep(5 * YEAR + DAY)

    assert (erased.cases, erased.messages, erased.replies, erased.senders) == (1, 2, 2, 2)
    assert [row.key for row in await shop.rows(senders)] == [STRANGER.key]
    left = {row.number: row for row in await shop.rows(cases)}
    assert (left[old.number].sender_key, left[old.number].opened_at) == (NOBODY, old.opened_at)
    assert left[young.number] == young
    assert [decode(r.document.encode()).text for r in await shop.rows(messages, messages.c.received_at)] == [
        "",
        "",
        "lampu padam",
    ]
    assert (await shop.said())[-1] == (old.number, "forgotten")
    (note,) = await shop.rows(audit)
    assert (note.operator, note.action) == ("retention", "forget")
    assert await shop.keep(5 * YEAR + DAY) == (Counts(), Counts())


async def test_a_sender_stays_while_one_of_their_cases_does(shop: Shop) -> None:
    await shop.take(event("jalan rusak"), event("LAPOR BARU lampu padam", new_case=True, after=9 * DAY))
    (sender,) = await shop.rows(senders)

    _, erased = await shop.keep(5 * YEAR + DAY)

    assert (erased.cases, erased.senders) == (1, 0)
    assert await shop.rows(senders) == [sender]


async def test_parts_go_with_the_message_that_they_made(shop: Shop) -> None:
    halves = [event(text, kind="part", part=Part("7", n, 2)) for n, text in enumerate(("jalan ", "rusak"), 1)]
    await shop.take(*halves)
    async with shop.store.write() as connection:
        # The parts are as old as their message, and wait for their case, which an agency has touched since.
        await connection.execute(update(cases).values(updated_at=NOON.timestamp() + YEAR))
    assert await shop.keep(5 * YEAR + DAY) == (Counts(), Counts())

    _, erased = await shop.keep(20 * YEAR)

    assert (erased.cases, erased.messages) == (1, 3)


def test_what_is_kept_for_a_shorter_time_than_the_log_would_stand_there() -> None:
    assert Settings(retention=Retention(after=0)).retention.after == 0
    with pytest.raises(ValidationError, match="retention"):
        Settings(log=Log(retention=30 * DAY), retention=Retention(after=29 * DAY))


async def test_a_message_that_the_dispatcher_gets_late_is_recorded_blank(shop: Shop) -> None:
    await shop.take(event("jalan rusak"))
    async with shop.store.write() as connection:
        # As on Kafka: the sender is marked, and nothing on the log can be changed.
        until = (NOON + timedelta(minutes=1)).timestamp()
        await connection.execute(forgotten.insert().values(sender_key=CITIZEN, type="sms", until=until, by="x"))

    await shop.take(event("lampu padam", after=30), event("pohon tumbang", after=90))

    rows = await shop.rows(messages, messages.c.received_at)
    texts = [decode(row.document.encode()).text for row in rows]
    assert texts == ["jalan rusak", "", "pohon tumbang"]
    assert rows[1].disposition == "forgotten"
    swept, _ = await shop.keep()
    assert (swept.cases, swept.messages) == (1, 2)
    assert [row.sender_key for row in await shop.rows(messages, messages.c.received_at)] == [NOBODY, NOBODY, CITIZEN]


async def test_a_receipt_of_an_erased_reply_is_recorded_blank(shop: Shop) -> None:
    await shop.take(event("jalan rusak"))
    (reply,) = await shop.rows(outbox)
    await shop.forget()

    late = event("", kind="receipt", receipt=Receipt("delivered", reply.id, "p-1", "1"), after=DAY)
    await shop.take(late)

    (row,) = [row for row in await shop.rows(messages) if row.event_id == late.id]
    assert decode(row.document.encode()).sender.address == ""
    assert await shop.rows(deliveries) == []


async def test_a_bounce_that_does_not_tell_for_whom_is_found_by_its_reply(shop: Shop) -> None:
    await shop.take(event("jalan rusak"))
    (reply,) = await shop.rows(outbox)
    daemon = EventSender("key-of-a-daemon", "mailer-daemon@example.org", "email")
    told = [
        event(text, kind="receipt", sender=daemon, receipt=Receipt("accepted", of, "", ""), after=60)
        for text, of in ((PHONE, reply.id), ("another's", "another reply"))
    ]
    topic = shop.settings.topics.complaints
    await shop.log.append([Record(topic, b"a-daemon", encode(one), headers(one, "test")) for one in told])
    await shop.take()

    await shop.forget()

    rows = {row.event_id: decode(row.document.encode()).text for row in await shop.rows(messages)}
    assert [rows[one.id] for one in told] == ["", "another's"]
    consumer = shop.log.consumer("reader", [topic])
    kept = {decode(one.record.value).id: one.record.value for one in await consumer.fetch(limit=9, timeout=1)}
    assert PHONE.encode() not in b"".join(kept.values())


async def test_an_agency_can_still_close_a_forgotten_case_and_nobody_is_told(shop: Shop) -> None:
    number = await shop.case()
    await shop.say(about(number, "Petugas sudah ke rumah Siti.", status="answered"))
    await shop.forget()
    assert [row.text for row in await shop.rows(updates)] == [""]

    await shop.say(about(number, "Selesai.", status="closed", after=120))

    assert [(row.state, row.sender_key) for row in await shop.rows(cases)] == [("closed", NOBODY)]
    assert [row.outcome for row in await shop.rows(updates, updates.c.received_at)] == ["told", "unreachable"]
    assert {row.address for row in await shop.rows(outbox)} == {""}


def letters_of(number: str, reply: str) -> dict[str, DeadLetter]:
    """Dead letters of the citizen, a stage each, and one of another."""
    hers = {
        "intake": (b"from=081234567890&text=%00", ""),
        "dispatch": (encode(event("jalan rusak")), "event-x"),
        "decode": (b"\xff +6281234567890", ""),
        "deliver": (msgspec.json.encode(OutboundMessage(delivery=reply, to=PHONE, text="Terima kasih")), reply),
        "case_update": (f'{{"id":"1","number":"{number}","text":"Siti","at":"2026-01-01T00:00:00Z"}}'.encode(), ""),
        "other": (b"from=081298765432&text=%00", ""),
    }
    return {
        name: DeadLetter(
            id=name, stage="intake" if name == "other" else name, reason="x", at=NOON, event_id=ref, raw=raw
        )
        for name, (raw, ref) in hers.items()
    }


async def test_dead_letters_of_the_citizen_are_blank_and_done_with(shop: Shop) -> None:
    number = await shop.case()
    (reply,) = await shop.rows(outbox)
    async with shop.store.write() as connection:
        await bury(connection, shop.store, list(letters_of(number, reply.id).values()))

    done = await shop.forget()

    assert done.counts.letters == 5
    left = {row.id: row for row in await shop.rows(dead_letters)}
    assert [name for name, row in left.items() if row.raw] == ["other"]
    assert {row.outcome for name, row in left.items() if name != "other"} == {"forgotten"}
    assert left["other"].discarded_at is None


async def test_a_dead_letter_that_comes_behind_is_found_by_its_reply_case_or_event(shop: Shop) -> None:
    number = await shop.case()
    (reply,) = await shop.rows(outbox)
    await shop.forget()
    late = letters_of(number, reply.id)
    async with shop.store.write() as connection:
        await bury(connection, shop.store, [late[name] for name in ("dispatch", "deliver", "case_update", "other")])

    swept, _ = await shop.keep()

    assert swept.letters == 3
    assert [row.id for row in await shop.rows(dead_letters) if row.raw] == ["other"]


async def test_what_is_not_relayed_yet_is_blank_when_it_is(shop: Shop) -> None:
    number = await shop.case()

    done = await shop.forget()

    assert done.counts.publications == 1
    told = [json.loads(row.value) for row in await shop.rows(publications, publications.c.id)]
    assert [(one["change"], one["number"]) for one in told] == [("opened", number), ("forgotten", number)]
    assert not any({"sender", "text", "subject"} & one.keys() for one in told)
