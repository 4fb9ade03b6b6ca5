"""What an update does, as tables: to the state, and for the citizen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from channels.base import Thread
from gateway.updates.rules import Outcome, Standing, UpdateInvalid, cleaned, heard, moved
from normalizer.event import ComplaintEvent, EventChannel
from normalizer.messages import CaseUpdate
from tests.dispatcher.make import NOON, event

NOW = NOON.timestamp()


def update(status: Any = None, text: str = "", *, after: float = 0.0, **more: Any) -> CaseUpdate:
    """An update of the test's case, ``after`` seconds past noon UTC."""
    fields: dict[str, Any] = {"id": "u-1", "number": "4829137065", "at": NOON + timedelta(seconds=after)}
    return CaseUpdate(status=status, text=text, **(fields | more))


@pytest.mark.parametrize(
    ("state", "since", "status", "after", "becomes", "is_since"),
    [
        ("received", None, "forwarded", -60.0, "forwarded", NOW - 60),
        ("received", None, "forwarded", -400 * 86400.0, "forwarded", NOW - 400 * 86400),
        ("forwarded", NOW - 60, "in_progress", 0.0, "in_progress", NOW),
        ("in_progress", NOW - 60, "forwarded", -120.0, "in_progress", NOW - 60),
        ("in_progress", NOW - 60, "answered", -60.0, "answered", NOW - 60),
        ("closed", NOW - 60, "in_progress", 0.0, "in_progress", NOW),
        ("forwarded", NOW - 60, "forwarded", 0.0, "forwarded", NOW),
        ("forwarded", NOW - 60, None, 0.0, "forwarded", NOW - 60),
        ("received", None, "closed", 3600.0, "closed", NOW),
        ("closed", NOW, "in_progress", 3600.0, "in_progress", NOW),
    ],
    ids=[
        "the first word",
        "the first word, by a clock that stands still",
        "a later word",
        "an older word that comes late",
        "two words of one time: the one that came last",
        "a closed case is taken up again",
        "the same state again, later",
        "no status",
        "a clock that is ahead counts as ours",
        "and does not hold back what comes after it",
    ],
)
def test_where_a_case_stands_after_an_update(
    state: Any, since: float | None, status: Any, after: float, becomes: str, is_since: float | None
) -> None:
    assert moved(Standing(state, since), update(status, after=after), NOW) == Standing(becomes, is_since)  # type: ignore[arg-type]


def message(name: str, *, public: bool = False, kind: Any = "message", kind_of: str = "twitter") -> ComplaintEvent:
    return event(name, kind=kind, channel=EventChannel(kind_of, kind_of, name, Thread("room", public=public)))


PRIVATE, PUBLIC, OLDER = message("private"), message("post", public=True), message("older", public=True)
NO_POST, NO_PRIVATE = message("post", public=True, kind="deletion"), message("private", kind="deletion")
DIRECT = message("direct")


@pytest.mark.parametrize(
    ("text", "stopped", "messages", "private", "outcome", "template", "answered", "below"),
    [
        ("", False, [PRIVATE], None, "silent", None, None, True),
        ("", True, [PRIVATE], None, "silent", None, None, True),
        ("kabar", False, [PRIVATE, OLDER], None, "told", "news", "private", True),
        ("kabar", True, [PRIVATE], None, "stopped", None, None, True),
        ("kabar", False, [PUBLIC, PRIVATE], None, "told_in_public", "news_public", "post", True),
        ("kabar", False, [PUBLIC], DIRECT, "told", "news", "direct", False),
        ("kabar", True, [PUBLIC], DIRECT, "stopped", None, None, True),
        ("kabar", False, [NO_POST, PUBLIC, OLDER], None, "told_in_public", "news_public", "older", True),
        ("kabar", False, [NO_POST, PUBLIC], None, "unreachable", None, None, True),
        ("kabar", False, [NO_PRIVATE, PRIVATE], None, "told", "news", "private", True),
        ("kabar", False, [], None, "unreachable", None, None, True),
    ],
    ids=[
        "a status alone",
        "a status alone, to one who said stop",
        "a private message: in its thread",
        "to one who said stop",
        "a public post, nothing private known",
        "a public post, a private thread known",
        "a public post, to one who said stop",
        "a deleted post: below the one before",
        "all posts deleted",
        "a deleted private message: its thread is still there",
        "no message left",
    ],
)
def test_how_a_text_reaches_the_citizen(
    text: str,
    stopped: bool,
    messages: list[ComplaintEvent],
    private: ComplaintEvent | None,
    outcome: str,
    template: str | None,
    answered: str | None,
    below: bool,
) -> None:
    way = heard(update("forwarded", text), stopped=stopped, messages=messages, private=private)
    assert way.outcome == Outcome(outcome)
    assert way.template == template
    assert (way.event.text if way.event else None) == answered
    assert way.below is below


@pytest.mark.parametrize(
    ("given", "text", "agency"),
    [
        ({"text": "  Sudah\r\ndiperbaiki\x00\u202e "}, "Sudah\ndiperbaiki", ""),
        ({"text": "x", "agency": "Dinas\nPU\u200b "}, "x", "Dinas PU"),
        ({"text": "\u200b \x07", "status": "closed"}, "", ""),
    ],
    ids=["line breaks, controls, bidi marks", "an agency on one line", "nothing visible beside a status"],
)
def test_what_citizens_read_is_cleaned(given: dict[str, Any], text: str, agency: str) -> None:
    seen = cleaned(update(**given))
    assert (seen.text, seen.agency) == (text, agency)


@pytest.mark.parametrize(
    "given",
    [{}, {"text": " \u200b\n"}, {"agency": "PU"}, {"text": "x", "id": "a\x00b"}, {"text": "x", "id": " a"}],
    ids=["nothing to say", "nothing visible", "an agency alone", "a control character in the id", "a blank round it"],
)
def test_what_says_nothing_or_cannot_be_kept_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UpdateInvalid):
        cleaned(update(**given))
