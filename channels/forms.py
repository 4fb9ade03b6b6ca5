"""Reading urlencoded fields as telcos send them: strictly bounded, UTF-8 first, any declared charset after."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from channels.errors import Malformed

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 200


def parse_fields(encoded: str | bytes) -> dict[str, str]:
    """Decode ``a=1&b=2``; the first of a repeated field counts.

    Bytes that are not UTF-8 are kept as lone surrogates (``surrogateescape``), so that a dialect that knows the
    charset can decode them again. Raises :class:`Malformed` for more than 200 fields.
    """
    try:
        pairs = parse_qsl(
            encoded.decode("latin-1") if isinstance(encoded, bytes) else encoded,
            keep_blank_values=True,
            encoding="utf-8",
            errors="surrogateescape",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Malformed(f"the form has more than {MAX_FIELDS} fields", reason="too_many_fields") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def parse_form(body: bytes, content_type: str) -> Mapping[str, str]:
    """The fields of a body that says it is a form; empty for an empty body or another content type."""
    if not body or content_type != FORM:
        return {}
    return parse_fields(body)
