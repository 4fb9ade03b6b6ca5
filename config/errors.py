"""What is wrong with the settings, in one line for each error: the key, its place, what is allowed.

No line shows a value: it may be a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.fields import FILE_SUFFIX, leaves, model_at, secrets, section
from config.places import Key, Origins


class SettingsError(Exception):
    """The settings cannot be used; ``lines`` has one line for each error."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(map(_one_line, lines))
        super().__init__("\n".join(self.lines))


def _one_line(text: str) -> str:
    """The text with control characters, which a key may hold, written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def error_line(key: Key, origins: Origins, said: str, *, item: str = "") -> str:
    """``server.port (gateway.toml:12): must be at most 65535``; ``item`` is ``"[2]"`` for a list's second."""
    place = origins.place(key)
    return f"{'.'.join(key)}{item}{f' ({place})' if place else ''}: {said}"


def unknown(name: str, known: Iterable[str], elsewhere: Iterable[str] = ()) -> str:
    """What to say of a key that nobody knows: the nearest known one, else all of them.

    ``elsewhere`` are whole keys of other tables, for a key that stands in the wrong one.
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    moved = [key for key in elsewhere if key.rpartition(".")[2] == name]
    if near:
        return f"unknown key; did you mean {near[0]}?"
    if len(moved) == 1:
        return f"unknown key; did you mean {moved[0]}?"
    return f"unknown key; known here: {', '.join(known)}"


def explain(
    error: ValidationError,
    model: type[BaseModel],
    origins: Origins,
    *,
    prefix: Key = (),
    secret: frozenset[str] = frozenset(),
) -> list[str]:
    """One line for each error of a validation of ``model``, whose table stands at ``prefix``.

    ``secret`` are secrets of the model beyond those that its types tell.
    """
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        key, item = _key(detail, model)
        if detail["type"] == "extra_forbidden":
            table = model_at(model, key[:-1])
            known = list(_known(table, secret)) if table else []
            elsewhere = [".".join(prefix + other) for other, _ in leaves(model)] if not prefix else []
            said = unknown(key[-1], known, elsewhere)
        else:
            said = _allowed(detail)
        lines.append(error_line(prefix + key, origins, said, item=item))
    return lines


def _known(table: type[BaseModel], secret: frozenset[str]) -> Iterator[str]:
    files = secrets(table) | secret
    for name in table.model_fields:
        yield name
        if name in files:
            yield name + FILE_SUFFIX


def _key(detail: ErrorDetails, model: type[BaseModel]) -> tuple[Key, str]:
    """The key of an error, and the place in the list that it names.

    pydantic's location goes on below the last key: places in a list, its own words for branches of a union.
    """
    key: Key = ()
    for part in detail["loc"]:
        table = model_at(model, key[:-1])
        leaf = table.model_fields.get(key[-1]) if table and key else None
        if isinstance(part, int):
            return key, f"[{part + 1}]"
        if leaf and section(leaf) is None and get_origin(leaf.annotation) is not dict:
            break
        key = (*key, part)
    return key, ""


_BOUNDS: Final = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_KINDS: Final = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "bool": "must be true or false",
    "string": "must be text in quotes",
    "tuple": "must be a list",
    "list": "must be a list",
    "dict": "must be a table of keys",
    "model": "must be a table of keys",
    "date": "must be a date such as 2026-12-25",
    "datetime": "must be a time such as 2026-12-25T22:00",
    "ip": "must be an address or a network such as 10.0.0.0/8",
}


def _allowed(detail: ErrorDetails) -> str:
    kind = detail["type"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    named: Callable[[str], str | None] = _KINDS.get
    return named(kind) or named(kind.partition("_")[0]) or detail["msg"]
