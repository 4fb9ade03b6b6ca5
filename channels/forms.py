"""Reading urlencoded fields as telcos send them: strictly bounded, UTF-8 first, any declared charset after."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from channels.errors import Malformed

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 200

# Escaped, these belong to a name or a value: such a form is parted before it is decoded, any other in one go.
_SEPARATOR = re.compile(b"%(?:26|3[Dd])")


def parse_fields(encoded: str | bytes) -> dict[str, str]:
    """Decode ``a=1&b=2``; the first of a repeated field counts.

    Bytes that are not UTF-8 are kept as lone surrogates (``surrogateescape``), so that a dialect that knows the
    charset can decode them again. Raises :class:`Malformed` for more than 200 fields.
    """
    if isinstance(encoded, str):
        encoded = encoded.encode("utf-8", "surrogateescape")
    if encoded.count(b"&") >= MAX_FIELDS:
        raise Malformed(f"the form has more than {MAX_FIELDS} fields", reason="too_many_fields")
    encoded = encoded.replace(b"+", b" ")
    if _SEPARATOR.search(encoded) is None:
        pairs = [pair.partition("=") for pair in _decoded(encoded).split("&")]
    else:
        pairs = [_parted(pair) for pair in encoded.split(b"&")]
    fields: dict[str, str] = {}
    for name, _, value in pairs:
        if name and name not in fields:
            fields[name] = value
    return fields


def _parted(pair: bytes) -> tuple[str, str, str]:
    name, equals, value = pair.partition(b"=")
    return _decoded(name), equals.decode(), _decoded(value)


def _decoded(data: bytes) -> str:
    """``data`` with its percent escapes read; a percent sign without two hexadecimal digits stands for itself."""
    if b"%" in data:
        try:
            # The codec for Python's own escapes reads all of them at once.
            text = data.replace(b"\\", b"\\\\").replace(b"%", b"\\x").decode("unicode_escape")
            data = text.encode("latin-1")
        except UnicodeDecodeError:
            data = unquote_to_bytes(data)
    return data.decode("utf-8", "surrogateescape")


def parse_form(body: bytes, content_type: str) -> Mapping[str, str]:
    """The fields of a body that says it is a form; empty for an empty body or another content type."""
    if not body or content_type != FORM:
        return {}
    return parse_fields(body)
