"""Urlencoded fields: the same as the standard library reads, and what it does not."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import Malformed
from channels.forms import FORM, MAX_FIELDS, parse_fields, parse_form


@pytest.mark.parametrize(
    ("encoded", "fields"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "1"}),
        ("a=", {"a": ""}),
        ("a", {"a": ""}),
        ("=1&&b=2", {"b": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ("te%78t=jalan+rusak%21", {"text": "jalan rusak!"}),
        ("a=%2", {"a": "%2"}),
        ("a=%zz+%41", {"a": "%zz A"}),
        ("a=caf%E9", {"a": "caf\udce9"}),
        (b"a=caf\xc3\xa9", {"a": "café"}),
        (b"a=caf\xe9", {"a": "caf\udce9"}),
        ("a=%F0%9F%98%80", {"a": "\U0001f600"}),
        ("a=%00", {"a": "\x00"}),
    ],
)
def test_fields(encoded: str | bytes, fields: dict[str, str]) -> None:
    assert parse_fields(encoded) == fields


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=20))
def test_whatever_is_encoded_comes_back(fields: dict[str, str]) -> None:
    assert parse_fields(urlencode(fields)) == fields
    assert parse_fields(urlencode(fields).encode()) == fields


def plainly(encoded: bytes) -> dict[str, str]:
    """The fields by the book (WHATWG URL, "application/x-www-form-urlencoded parsing"), a byte and a pair at a time."""
    fields: dict[str, str] = {}
    for pair in encoded.split(b"&"):
        name, value = (
            unquote_to_bytes(part.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
            for part in pair.partition(b"=")[::2]
        )
        if name and name not in fields:
            fields[name] = value
    return fields


# What the reading of all escapes at once could trip over.
PIECES = (
    *(b"&", b"=", b"+", b"%", b"%%", b"%4", b"%zz", b"%41", b"%2B", b"%26", b"%3D", b"%3d", b"%25", b"%00", b"%0A"),
    *(
        b"\\",
        b"\\x41",
        b"\\u0041",
        b"%5C",
        b"%5Cx41",
        b"a",
        b"b",
        b"text",
        b"%C3%A9",
        b"%c3",
        b"\xc3",
        b"\xa9",
        b"%E9",
        b"\n",
    ),
)


@given(st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join) | st.binary(max_size=150))
def test_bytes_are_read_by_the_book(encoded: bytes) -> None:
    assert parse_fields(encoded) == plainly(encoded)
    assert parse_fields(encoded.decode("utf-8", "surrogateescape")) == plainly(encoded)


@given(st.binary(max_size=300).filter(lambda b: b";" not in b))
def test_the_standard_library_reads_the_same(encoded: bytes) -> None:
    fields: dict[str, str] = {}
    for pair in parse_qsl(encoded.decode("latin-1"), keep_blank_values=True, encoding="latin-1"):
        name, value = (part.encode("latin-1").decode("utf-8", "surrogateescape") for part in pair)
        fields.setdefault(name, value)
    fields.pop("", None)
    assert parse_fields(encoded) == fields


def test_too_many_fields_are_refused() -> None:
    fields = {f"f{n}": "1" for n in range(MAX_FIELDS)}
    assert parse_fields(urlencode(fields)) == fields
    for one_more in ("f=1", "f=%31", "f=%26", ""):
        with pytest.raises(Malformed):
            parse_fields(f"{urlencode(fields)}&{one_more}")


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain"])
def test_another_content_type_has_no_fields(kind: str) -> None:
    assert parse_form(b"a=1", kind) == {}
    assert parse_form(b"", FORM) == {}
