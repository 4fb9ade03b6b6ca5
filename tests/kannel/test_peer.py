"""The shipped files are the ones that run here, and fakesmsc's lines are read as phones show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kannel.peer import SHIPPED, render
from tests.kannel.telco import Reply, read_replies


def test_the_line_of_the_contract_is_in_the_shipped_file() -> None:
    line = "/webhooks/sms?token=CHANGE-ME-TOKEN&from=%p&to=%P&text=%a&id=%I&ts=%t&charset=%C"
    assert f'get-url = "http://127.0.0.1:8080{line}"\n' in (SHIPPED / "kannel.conf").read_text()


@pytest.mark.parametrize(
    ("marked", "changes", "message"),
    [
        pytest.param({"port = 1": "port = 2"}, {}, "no longer holds 'port = 1'", id="a mark is gone"),
        pytest.param({}, {"log-level": "0"}, "no longer sets 'log-level'", id="a setting is gone"),
        pytest.param({}, {}, "marks what no test fills in", id="a mark is new"),
    ],
)
def test_a_shipped_file_that_the_tests_do_not_know_fails(
    tmp_path: Path, marked: dict[str, str], changes: dict[str, str], message: str
) -> None:
    file = tmp_path / "kannel.conf"
    file.write_text("group = core\nadmin-password = CHANGE-ME-ADMIN\n")
    with pytest.raises(ValueError, match=message):
        render(file, marked, changes)


def test_replies_are_read_as_phones_show_them() -> None:
    lines = [
        "1: <1708 +62812 text satu>",
        "2: <dua>",
        "3: <1708 +62812 ucs-2 %00H%00i>",
        "4: <1708 +62812 udh %05%00%03%09%02%02 data bumi>",
        "5: <1708 +62812 udh %05%00%03%09%02%01 data halo+>",
    ]
    assert read_replies(lines) == [
        Reply("1708", "+62812", "satu\ndua", "gsm"),
        Reply("1708", "+62812", "Hi", "ucs2"),
        Reply("1708", "+62812", "halo bumi", "gsm", parts=2),
    ]
