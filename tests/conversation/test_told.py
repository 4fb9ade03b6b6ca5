"""What replies and case events give away: nothing to a stranger, little in public, no name of an anonymous citizen."""

from __future__ import annotations

import re

import msgspec
import pytest
from sqlalchemy import select

from gateway.store.tables import publications
from tests.conversation.stage import Stage, Story
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
    (number,) = story.numbers
    async with stage.store.read() as connection:
        query = select(publications.c.value).where(publications.c.key == number.encode()).order_by(publications.c.id)
        events = [msgspec.json.decode(value) for (value,) in await connection.execute(query)]
    assert [event["change"] for event in events] == ["opened", "message_added"]
    sender = story.said[0][1].sender
    for event in events:
        assert "sender" not in event
        assert sender.address not in str([value for field, value in event.items() if field not in ("id", "event_id")])
        assert event["privacy"]["anonymous"] is True
    assert [reply.template for reply in story.replies] == ["acknowledgement", "joined"]
    assert {reply.address for reply in story.replies} == {sender.address}
