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
    text = encoded.decode("utf-8", "surrogateescape").replace("+", " ")
    # Escaped, these belong to a name or a value: such a form is parted before it is decoded, any other in one go.
    parted = "%26" in text or "%3D" in text or "%3d" in text
    if not parted:
        text = _unescaped(text)
    pairs = text.split("&", MAX_FIELDS)
    if len(pairs) > MAX_FIELDS:
        raise Malformed(f"the form has more than {MAX_FIELDS} fields", reason="too_many_fields")
    fields: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if parted:
            name, value = _unescaped(name), _unescaped(value)
        if name and name not in fields:
            fields[name] = value
    return fields


def _unescaped(text: str) -> str:
    """``text`` with its percent escapes read; a percent sign without two hexadecimal digits stands for itself."""
    if "%" not in text:
        return text
    data = text.encode("utf-8", "surrogateescape")
    try:
        # The codec for Python's own escapes reads all of them at once.
        read = data.replace(b"\\", b"\\\\").replace(b"%", b"\\x").decode("unicode_escape")
    except UnicodeDecodeError:
        data = unquote_to_bytes(data)
    else:
        if read.isascii():
            return read
        data = read.encode("latin-1")
    return data.decode("utf-8", "surrogateescape")


def parse_form(body: bytes, content_type: str) -> Mapping[str, str]:
    """The fields of a body that says it is a form; empty for an empty body or another content type."""
    if not body or content_type != FORM:
        return {}
    return parse_fields(body)
