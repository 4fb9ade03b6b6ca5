from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.places import ConfigFile, Key, Origins, key_lines

DOCUMENT = '''\
# a comment, then a blank line

timezone = "Asia/Jakarta"   # [server]

[server]
host = "127.0.0.1"
note = """
port = 1
[log]
"""
port = 8080

[api]
tokens = [
  "a",
  # "b",
  "c = 1",
]

[channels."sms-telkomsel"]
type = "sms"
limits.in = 1
quota = { day = 5, hour = 1 }

[[channels.sms-telkomsel.routes]]
to = "x"
[[channels.sms-telkomsel.routes]]
via = "y"
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("timezone",), 3),
        (("server",), 5),
        (("server", "host"), 6),
        (("server", "note"), 7),
        (("server", "port"), 11),
        (("api", "tokens"), 14),
        (("channels", "sms-telkomsel"), 20),
        (("channels", "sms-telkomsel", "type"), 21),
        (("channels", "sms-telkomsel", "limits", "in"), 22),
        (("channels", "sms-telkomsel", "quota", "day"), 23),
        (("channels", "sms-telkomsel", "routes"), 25),
        (("channels", "sms-telkomsel", "routes", "to"), 26),
        (("channels", "sms-telkomsel", "routes", "via"), 28),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_a_key_is_found_on_its_line(key: Key, line: int) -> None:
    assert key_lines(DOCUMENT)[key] == line


def test_what_only_looks_like_a_key_has_no_line() -> None:
    lines = key_lines(DOCUMENT)
    assert ("log",) not in lines
    assert ("api", "c") not in lines


_names = st.from_regex(r"[a-z][a-z_-]{0,8}", fullmatch=True)
_values: st.SearchStrategy[Any] = st.one_of(
    st.integers(-1000, 1000), st.booleans(), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
)


@given(st.dictionaries(_names, st.dictionaries(_names, _values, max_size=4), max_size=4))
def test_every_key_of_a_document_has_the_line_it_was_written_on(tables: dict[str, dict[str, Any]]) -> None:
    written: list[str] = []
    expected: dict[Key, int] = {}
    for table, values in tables.items():
        written.append(f"[{table}]")
        expected[table,] = len(written)
        for name, value in values.items():
            written.append(f"{name} = {json.dumps(value)}")
            expected[table, name] = len(written)
    text = "\n".join(written)
    assert tomllib.loads(text) == tables
    assert key_lines(text) == expected


FILE = ConfigFile("gateway.toml", DOCUMENT, tomllib.loads(DOCUMENT))


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (("server", "port"), "gateway.toml:11"),
        (("server", "missing"), "gateway.toml:5"),
        (
            ("channels", "sms-telkomsel", "password"),
            "environment variable GATEWAY_CHANNELS__SMS_TELKOMSEL__PASSWORD_FILE",
        ),
        (("channels", "sms-three", "type"), "environment variable GATEWAY_CHANNELS__SMS_THREE__SENDER"),
        (("server", "host"), "environment variable GATEWAY_SERVER__HOST"),
        (("nowhere", "x"), "gateway.toml"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_the_place_is_the_variable_or_the_line_or_what_is_nearest(key: Key, place: str) -> None:
    origins = Origins(
        FILE,
        {
            ("server", "host"): "GATEWAY_SERVER__HOST",
            ("channels", "sms-telkomsel", "password_file"): "GATEWAY_CHANNELS__SMS_TELKOMSEL__PASSWORD_FILE",
            ("channels", "sms-three", "sender"): "GATEWAY_CHANNELS__SMS_THREE__SENDER",
        },
    )
    assert origins.place(key) == place


def test_without_a_file_there_is_no_place() -> None:
    assert Origins().place(("server", "port")) == ""
