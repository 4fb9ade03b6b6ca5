"""The soak's book finds what is lost, doubled or made up."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

import pytest

from benchmarks.soak.account import HANDED_OVER_AGAIN, LAPSED, WRITTEN_AGAIN, balance
from benchmarks.soak.citizens import Letter
from tests.crash.book import complaint


def world() -> dict[str, Any]:
    """Two complaints, one by SMS and one by mail, each an event, a case and a reply."""
    ways = [("sms", "+628120", "m-0"), ("email", "warga1@example.org", "<1@example.org>")]
    return {
        "letters": [
            Letter(n=n, way=way, to=to, kind="complaint", handed_over=1) for n, (way, to, _) in enumerate(ways)
        ],
        "logged": [Row(id=id_, intent="complaint") for id_ in ("e0", "e1", "e1")],
        "messages": [
            Row(
                event_id=f"e{n}",
                channel=way,
                provider_id=id_,
                document=complaint(n),
                disposition="case",
                case_number=f"100000000{n}",
            )
            for n, (way, _, id_) in enumerate(ways)
        ],
        "outbox": [Row(id=f"a{n}", event_id=f"e{n}", channel=way, state="sent") for n, (way, _, _) in enumerate(ways)],
        "heard": {
            "sms": [Row(delivery="a0", to="+628120", text="Nomor 100 000 0000.")],
            "email": [Row(to="warga1@example.org", text="Nomor 100 000 0001.")],
        },
        "said": "",
    }


def test_what_is_right_balances() -> None:
    account, entries = balance(**world())
    assert account.wrong == []
    assert (account.written, account.events, account.copies, account.opened) == (2, 2, 3, 2)
    assert [entry.heard for entry in entries] == [1, 1]
    assert [(entry.id, entry.intent) for entry in entries] == [("m-0", "complaint"), ("<1@example.org>", "complaint")]


def doubled(found: dict[str, Any]) -> None:
    found["heard"]["sms"] *= 2


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no event": (lambda w: w["messages"].pop(), "1 by email: 0 events"),
    "not on the log": (lambda w: w["logged"].__delitem__(slice(1, None)), "1 by email: not on the log"),
    "on the log alone": (lambda w: w["logged"].append(Row(id="e9", intent="help")), "event e9: on the log"),
    "no case": (lambda w: vars(w["messages"][0]).update(case_number=None), "0 by sms: 0 cases"),
    "one number for two": (lambda w: vars(w["messages"][0]).update(case_number="1000000001"), "has 2 complaints"),
    "no reply": (lambda w: w["outbox"].pop(), "1 by email: no reply"),
    "a reply that waits": (lambda w: vars(w["outbox"][0]).update(state="waiting"), "0 by sms: its reply is waiting"),
    "settled and never heard": (lambda w: w["heard"]["sms"].clear(), "nobody heard it"),
    "another's number": (
        lambda w: vars(w["heard"]["sms"][0]).update(text="Nomor 100 000 0001."),
        "0 by sms: a reply without",
    ),
    "doubled and not counted": (doubled, "0 by sms: heard 2 times"),
    "never taken": (lambda w: setattr(w["letters"][0], "handed_over", 0), "0 by sms: never heard a yes"),
}


@pytest.mark.parametrize(("breaks", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_is_told(breaks: Callable[[dict[str, Any]], Any], told: str) -> None:
    found = world()
    breaks(found)
    account, _ = balance(**found)
    assert any(told in line for line in account.wrong), account.wrong


def test_a_double_that_was_counted_has_its_cause() -> None:
    found = world()
    doubled(found)
    found["said"] = '{"event":"delivery.maybe_doubled","channel":"sms","delivery":"a0"}\n'
    account, _ = balance(**found)
    assert (account.wrong, account.doubled, account.doubled_by) == ([], 1, {LAPSED: 1})


@pytest.mark.parametrize(("handed_over", "cause"), [(1, WRITTEN_AGAIN), (2, HANDED_OVER_AGAIN)])
def test_a_record_too_many_has_its_cause(handed_over: int, cause: str) -> None:
    found = world()
    found["letters"][1].handed_over = handed_over
    account, _ = balance(**found)
    assert (account.wrong, account.copied_by) == ([], {cause: 1})
