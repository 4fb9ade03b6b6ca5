"""The dispatcher's table (DESIGN section 6) as a table: event and facts in, decision out."""

from __future__ import annotations

from typing import Any

import pytest

from channels.base import Location, Thread
from config.conversation import Rules
from gateway.dispatcher.facts import Facts
from gateway.dispatcher.rules import Row, Template, decide
from normalizer.event import EventChannel
from tests.dispatcher.make import NOON, STRANGER, case, event, sender

NOW = NOON.timestamp()
MINUTE = 60.0
OWN, OTHER = case("4829137065"), case("5550000001", sender=STRANGER)
PUBLIC = EventChannel("twitter", "x", "1", Thread(public=True))
ANSWERED_JUST_NOW = case(join_answered_at=NOW - MINUTE)
ANSWERED_LONG_AGO = case(join_answered_at=NOW - 11 * MINUTE)


def facts(**more: Any) -> Facts:
    return Facts(**({"sender": sender()} | more))


# fmt: off
TABLE = [
    # what, event, facts → row, the case it is on (or "opens"), the answer
    ("a robot", event(automated="list"), facts(), Row.AUTOMATED, None, None),
    ("a robot that says stop", event(automated="bounce", intent="stop"), facts(), Row.AUTOMATED, None, None),
    ("a robot in a case's thread", event(automated="auto_reply"), facts(thread=OWN), Row.AUTOMATED, None, None),
    ("a blocked sender", event(), facts(blocked=True, open=OWN), Row.BLOCKED, None, None),
    ("a blocked sender's edit", event(kind="edit"), facts(blocked=True, version_of=OWN), Row.BLOCKED, None, None),
    ("a blocked sender's stop", event(intent="stop"), facts(blocked=True), Row.BLOCKED, None, None),
    ("a blocked robot", event(automated="list"), facts(blocked=True), Row.AUTOMATED, None, None),
    ("an edit", event(kind="edit"), facts(version_of=OWN, latest=OWN, open=OWN), Row.VERSION, OWN, None),
    ("an edit whose message never came", event(kind="edit"), facts(first_heard=True), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("an edit of a message on no case", event(kind="edit"), facts(), Row.VERSION, None, None),
    ("a deletion of something never seen", event(kind="deletion"), facts(), Row.VERSION, None, None),
    ("stop", event(intent="stop"), facts(open=OWN), Row.STOP, None, Template.STOPPED),
    ("stop, said again", event(intent="stop"), facts(sender=sender(stopped_at=NOW - 5)), Row.STOP, None, None),
    ("help", event(intent="help"), facts(open=OWN), Row.HELP, None, Template.HELP),
    ("nothing but an emoji", event(intent="empty"), facts(), Row.EMPTY, None, Template.HELP),
    ("nothing, within the window", event(intent="empty"), facts(sender=sender(helped_at=NOW - MINUTE)), Row.EMPTY, None, None),
    ("nothing, after the window", event(intent="empty"), facts(sender=sender(helped_at=NOW - 61 * MINUTE)), Row.EMPTY, None, Template.HELP),
    ("thanks in an open conversation", event(intent="empty"), facts(sender=sender(wrote_in_case_at=NOW - 29 * MINUTE)), Row.EMPTY, None, None),
    ("thanks after half an hour", event(intent="empty"), facts(sender=sender(wrote_in_case_at=NOW - 30 * MINUTE)), Row.EMPTY, None, Template.HELP),
    ("thanks in the own thread", event(intent="empty"), facts(thread=OWN), Row.EMPTY, None, None),
    ("thanks in a stranger's thread", event(intent="empty"), facts(thread=OTHER), Row.EMPTY, None, Template.HELP),
    ("a place without words", event(intent="empty", location=Location(-6.2, 106.8)), facts(), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("LAPOR BARU in an open conversation", event(new_case=True), facts(open=OWN, latest=OWN), Row.NEW_CASE, "opens", Template.ACKNOWLEDGEMENT),
    ("LAPOR BARU with a number", event(new_case=True, numbers=(OWN.number,)), facts(named=[OWN]), Row.NEW_CASE, "opens", Template.ACKNOWLEDGEMENT),
    ("status of the own case", event(intent="status", numbers=(OWN.number,)), facts(named=[OWN]), Row.STATUS, None, Template.STATUS),
    ("status of a stranger's case", event(intent="status", numbers=(OTHER.number,)), facts(named=[OTHER]), Row.STATUS, None, Template.NOT_FOUND),
    ("status of a number no case bears", event(intent="status", numbers=("1000000009",)), facts(), Row.STATUS, None, Template.NOT_FOUND),
    ("status of a stranger's and the own", event(intent="status", numbers=(OTHER.number, OWN.number)), facts(named=[OTHER, OWN]), Row.STATUS, None, Template.STATUS),
    ("status with a mistyped number", event(intent="status", bad_numbers=("4829137066",)), facts(latest=OWN), Row.STATUS, None, Template.CHECK_NUMBER),
    ("status alone", event(intent="status"), facts(latest=OWN), Row.STATUS, None, Template.STATUS),
    ("status alone, never wrote before", event(intent="status"), facts(), Row.STATUS, None, Template.NO_CASE),
    ("status in public", event(intent="status", channel=PUBLIC, numbers=(OWN.number,)), facts(named=[OWN]), Row.STATUS, None, Template.STATUS_PUBLIC),
    ("status of a stranger's in public", event(intent="status", channel=PUBLIC, numbers=(OTHER.number,)), facts(named=[OTHER]), Row.STATUS, None, Template.STATUS_PUBLIC),
    ("a reply in the own thread", event(), facts(thread=OWN), Row.THREAD, OWN, Template.JOINED),
    ("a reply in a stranger's thread", event(), facts(thread=OTHER), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("names the own number", event(intent="follow_up", numbers=(OWN.number,)), facts(named=[OWN]), Row.NUMBER, OWN, Template.JOINED),
    ("names a stranger's number", event(intent="follow_up", numbers=(OTHER.number,)), facts(named=[OTHER]), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("names a stranger's number, then the own", event(intent="follow_up", numbers=(OTHER.number, OWN.number)), facts(named=[OTHER, OWN]), Row.NUMBER, OWN, Template.JOINED),
    ("the same words again", event(), facts(same_words=OWN, latest=OWN, open=OWN), Row.REPEAT, OWN, Template.REPEATED),
    ("the same words a third time", event(), facts(same_words=case(repeat_answered=True)), Row.REPEAT, case(repeat_answered=True), None),
    ("goes on writing", event(), facts(open=OWN, sender=sender(wrote_in_case_at=NOW - 29 * MINUTE)), Row.CONVERSATION, OWN, Template.JOINED),
    ("goes on after half an hour", event(), facts(open=OWN, sender=sender(wrote_in_case_at=NOW - 30 * MINUTE)), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("goes on in public", event(), facts(open=OWN, private=False, sender=sender(wrote_in_case_at=NOW - MINUTE)), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("joins, answered a minute ago", event(), facts(thread=ANSWERED_JUST_NOW), Row.THREAD, ANSWERED_JUST_NOW, None),
    ("joins, answered long ago", event(), facts(thread=ANSWERED_LONG_AGO), Row.THREAD, ANSWERED_LONG_AGO, Template.JOINED),
    ("joins a closed case", event(), facts(thread=case(state="closed")), Row.THREAD, case(state="closed"), Template.JOINED),
    ("the tenth message in a minute", event(), facts(recent=9, latest=OWN), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("the eleventh message in a minute", event(), facts(recent=10, latest=OWN), Row.FLOOD, OWN, Template.FLOOD),
    ("a flood that was answered", event(), facts(recent=10, latest=OWN, sender=sender(flood_answered_at=NOW - MINUTE)), Row.FLOOD, OWN, None),
    ("a flood without any case", event(), facts(recent=10), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
    ("a complaint", event(), facts(), Row.COMPLAINT, "opens", Template.ACKNOWLEDGEMENT),
]
# fmt: on


@pytest.mark.parametrize(("message", "known", "row", "on", "answer"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE])
def test_the_first_row_that_fits_decides(
    message: Any, known: Facts, row: Row, on: Any, answer: Template | None
) -> None:
    decision = decide(message, known, Rules())
    assert decision.row is row
    assert decision.template is answer
    assert decision.opens is (on == "opens")
    assert decision.case == (None if on == "opens" else on)


OLDER = case("7120000002")


@pytest.mark.parametrize(
    ("asked", "known", "about"),
    [
        pytest.param({}, {"latest": OWN}, OWN, id="STATUS alone: the latest"),
        pytest.param({}, {"latest": OWN, "thread": OLDER}, OLDER, id="STATUS alone, in an older case's thread"),
        pytest.param({}, {"latest": OWN, "thread": OTHER}, OWN, id="STATUS alone, in a stranger's thread"),
        pytest.param({"numbers": (OWN.number,)}, {"named": [OWN], "thread": OLDER}, OWN, id="a number and a thread"),
        pytest.param({"numbers": (OTHER.number,)}, {"named": [OTHER], "latest": OWN}, None, id="a stranger's number"),
        pytest.param({"bad_numbers": ("4829137066",)}, {"thread": OWN, "latest": OWN}, None, id="a mistyped number"),
    ],
)
def test_a_status_in_public_is_one_sentence_and_goes_to_its_own_sender_alone(
    asked: dict[str, Any], known: dict[str, Any], about: Any
) -> None:
    private = decide(event(intent="status", **asked), facts(**known), Rules())
    assert private.about == about
    public = decide(event(intent="status", channel=PUBLIC, **asked), facts(apart=True, **known), Rules())
    assert (public.template, public.about) == (Template.STATUS_PUBLIC, about)
    assert public.privately is (None if about is None else Template.STATUS)
    unreachable = decide(event(intent="status", channel=PUBLIC, **asked), facts(apart=False, **known), Rules())
    assert (unreachable.template, unreachable.privately, unreachable.about) == (Template.STATUS_PUBLIC, None, None)


def test_a_stranger_cannot_tell_an_existing_number_from_a_free_one() -> None:
    existing = decide(event(intent="status", numbers=(OTHER.number,)), facts(named=[OTHER]), Rules())
    free = decide(event(intent="status", numbers=(OTHER.number,)), facts(), Rules())
    assert existing == free
    assert existing.about is None
