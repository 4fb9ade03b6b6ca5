"""What replies and case events give away: nothing to a stranger, little in public, no name of an anonymous citizen."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select

from channels.base import Receipt
from gateway.store.tables import outbox, publications
from gateway.updates.writer import Context, apply_updates
from normalizer.event import ComplaintEvent
from normalizer.messages import CaseUpdate
from tests.conversation.stage import NOON, Stage, Story
from tests.conversation.story import On, Rule, Says, Step, after, row, says

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROAD = "Jalan Merdeka rusak parah sejak sebulan"


async def play(stage: Stage, on: On, *steps: Step) -> Story:
    """A story that is asked about its replies and its case, not about a row of the table."""
    story = Story(stage, row("", on, steps, "", None, Rule.COMPLAINT, None, None))
    for step in steps:
        await story.step(step)
    return story


@pytest.mark.parametrize(
    ("on", "text", "subject"),
    [
        pytest.param(On.SMS, "STATUS {}", "", id="STATUS"),
        pytest.param(On.SMS, "{}", "", id="the number alone"),
        pytest.param(On.SMS, "Bagaimana laporan saya {}?", "", id="a question"),
        pytest.param(On.SMS, "How is my report {}?", "", id="a question in English"),
        pytest.param(On.TELEGRAM, "/status {}", "", id="/status"),
        pytest.param(On.GROUP, "STATUS {}", "", id="in a group"),
        pytest.param(On.MENTION, "STATUS {}", "", id="in public"),
        pytest.param(On.DM, "cek {}", "", id="in a direct message"),
        pytest.param(On.EMAIL, "", "STATUS {}", id="a mail's subject"),
        pytest.param(On.EMAIL, "STATUS {}", "Laporan", id="a mail"),
    ],
)
async def test_a_stranger_cannot_tell_a_citizens_number_from_a_free_one(
    stage: Stage, on: On, text: str, subject: str
) -> None:
    """The very same bytes, whether the case is there, closed or not, and no digit of the number among them."""

    def asking(number: str) -> Says:
        return says(text.replace("{}", number), subject=subject.replace("{}", number), by="a stranger")

    theirs = await play(stage, on, ROAD, after(days=1), asking("{case1}"))
    nobodys = await play(stage, on, ROAD, after(days=1), asking("{free}"))
    kept = ("text", "template", "case_number", "channel", "state")
    told, free = (tuple(getattr(story.replies[-1], name) for name in kept) for story in (theirs, nobodys))
    assert told == free
    assert re.search(r"\d{3}", told[0]) is None
    assert len(theirs.replies) == len(nobodys.replies) == 2


@pytest.mark.parametrize("on", [On.MENTION, On.GROUP])
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([ROAD], id="a new case"),
        pytest.param([ROAD, after(days=1), says("Lampunya juga mati", answers="reply 1")], id="a case joined"),
        pytest.param([ROAD, after(hours=1), ROAD], id="the same words"),
        pytest.param([ROAD, after(days=1), "STATUS {case1}"], id="a question"),
        pytest.param([says(f"Lampu gang {at} mati", after=3) for at in range(11)], id="a flood"),
    ],
)
async def test_in_public_a_reply_holds_the_number_and_one_general_sentence(
    stage: Stage, on: On, steps: list[Step]
) -> None:
    reply = (await play(stage, on, *steps)).replies[-1]
    sentences = re.split(r"(?<=[.!?])\s+", reply.text)
    general = [one for one in sentences if not re.search(r"\d{3}", one)]
    assert len(general) <= 1
    assert ROAD not in reply.text


@pytest.mark.parametrize("on", [On.SMS, On.TELEGRAM, On.MENTION, On.DM, On.EMAIL])
async def test_case_events_do_not_say_who_an_anonymous_citizen_is(stage: Stage, on: On) -> None:
    """Not with the complaint, not with what follows without the word, and the citizen is answered all the same."""
    story = await play(stage, on, f"ANONIM {ROAD}", after(minutes=15), says("Laporan {case1} lampunya juga mati"))
    events = await case_events(stage, *story.numbers)
    assert [event["change"] for event in events] == ["opened", "message_added"]
    sender = story.said[0][1].sender
    for event in events:
        assert "sender" not in event
        kept = [value for field, value in event.items() if field not in ("id", "event_id", "number")]
        assert sender.address not in str(kept)
        assert event["privacy"]["anonymous"] is True
    assert [reply.template for reply in story.replies] == ["acknowledgement", "joined"]
    assert {reply.address for reply in story.replies} == {sender.address}


@pytest.mark.parametrize("on", [On.SMS, On.TELEGRAM, On.GROUP, On.DM, On.EMAIL])
async def test_nor_do_later_ones_of_the_agencys_answer_and_of_the_replies(stage: Stage, on: On) -> None:
    """Name and address are in no event, to the end; nor in the finer ones about deliveries."""
    added = says("Laporan {case1} lampunya juga mati")
    last = says(ROAD, edits="message 1") if on in (On.TELEGRAM, On.GROUP) else says("Laporan {case1} masih rusak saja")
    story = await play(stage, on, f"ANONIM {ROAD}", after(minutes=15), added, last)
    (number,) = story.numbers
    context = Context(stage.replies, stage.settings.topics.cases, "https://gateway.test", ZoneInfo("Asia/Jakarta"))
    said = CaseUpdate(id=f"u-{number}", number=number, status="answered", text="Sudah diperbaiki.", at=NOON)
    async with stage.store.write() as connection:
        await apply_updates(connection, stage.store, [said], context)
    replies = await stage.rows(outbox, outbox.c.case_number, number)
    outcomes = dict(zip((reply.id for reply in replies), ("delivered", "failed", "delivered"), strict=False))
    await stage.take([receipt(story, delivery, outcome) for delivery, outcome in outcomes.items()])

    events = await case_events(stage, number)
    assert {event["change"] for event in events if "change" in event} == {
        *("opened", "message_added", "state_changed", "citizen_answered", "reply_delivered", "reply_failed")
    }
    sender = story.said[0][1].sender
    for event in events:
        assert "sender" not in event
        kept = str([value for field, value in event.items() if field not in ("id", "event_id", "number", "delivery")])
        assert "Budi" not in kept
        assert sender.address not in kept
    assert replies[-1].address == sender.address


def receipt(story: Story, delivery: str, outcome: str) -> ComplaintEvent:
    """What the provider says later of a reply of ours."""
    event = story.said[0][1]
    return msgspec.structs.replace(
        event,
        id=f"{delivery}-receipt",
        kind="receipt",
        receipt=Receipt(outcome, delivery=delivery),  # type: ignore[arg-type]
    )


async def case_events(stage: Stage, number: str) -> list[dict[str, Any]]:
    """What downstream hears of a case, in order."""
    async with stage.store.read() as connection:
        query = select(publications.c.value).where(publications.c.key == number.encode()).order_by(publications.c.id)
        return [msgspec.json.decode(value) for (value,) in await connection.execute(query)]
