"""Urlencoded fields: the same as the standard library reads, and what it does not."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import Malformed
from channels.forms import FORM, parse_fields, parse_form


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


@given(st.binary(max_size=300).filter(lambda b: b";" not in b))
def test_the_standard_library_reads_the_same(encoded: bytes) -> None:
    pairs = parse_qsl(
        encoded.decode("latin-1").encode("latin-1").decode("latin-1"), keep_blank_values=True, encoding="latin-1"
    )
    names = [name for name, _ in pairs if name]
    assert set(parse_fields(encoded)) == {n.encode("latin-1").decode("utf-8", "surrogateescape") for n in names}


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(Malformed):
        parse_fields("&".join(f"f{n}=1" for n in range(201)))


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain"])
def test_another_content_type_has_no_fields(kind: str) -> None:
    assert parse_form(b"a=1", kind) == {}
    assert parse_form(b"", FORM) == {}
