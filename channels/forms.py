"""Reading urlencoded fields as telcos send them: strictly bounded, UTF-8 first, any declared charset after."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from channels.errors import Malformed

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 200


def parse_fields(encoded: str | bytes) -> dict[str, str]:
    """Decode ``a=1&b=2``; the first of a repeated field counts.

    Bytes that are not UTF-8 are kept as lone surrogates (``surrogateescape``), so that a dialect that knows the
    charset can decode them again. Raises :class:`Malformed` for more than 200 fields.
    """
    if isinstance(encoded, str):
        encoded = encoded.encode("utf-8", "surrogateescape")
    # Latin-1 stands for the bytes themselves until each field is read.
    pairs = encoded.decode("latin-1").split("&")
    if len(pairs) > MAX_FIELDS:
        raise Malformed(f"the form has more than {MAX_FIELDS} fields", reason="too_many_fields")
    fields: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        name = _decoded(name)
        if name and name not in fields:
            fields[name] = _decoded(value)
    return fields


def _decoded(text: str) -> str:
    """Percent signs and pluses read; most fields have neither, and this is the hot path."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" in text or not text.isascii():
        return unquote_to_bytes(text.encode("latin-1")).decode("utf-8", "surrogateescape")
    return text


def parse_form(body: bytes, content_type: str) -> Mapping[str, str]:
    """The fields of a body that says it is a form; empty for an empty body or another content type."""
    if not body or content_type != FORM:
        return {}
    return parse_fields(body)
