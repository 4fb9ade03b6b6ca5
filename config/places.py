"""Where a setting stands: the line of a file, or an environment variable."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

Key = tuple[str, ...]
"""The way to a setting: ``("channels", "sms", "sender")``."""


class ConfigFile(msgspec.Struct, frozen=True, dict=True):
    """A TOML document that could be read: ``name`` for people, ``tree`` its values."""

    name: str
    text: str
    tree: dict[str, Any]

    @cached_property
    def lines(self) -> dict[Key, int]:
        """The line, from 1, on which each table and key begins."""
        return key_lines(self.text)


def key_lines(text: str) -> dict[Key, int]:
    """The lines of a valid TOML document's tables and keys.

    :mod:`tomllib` tells no positions, so the document is cut into statements: a statement ends where what was
    read since the last one is TOML by itself. That costs a parse a line, and is done only for an error.
    """
    lines: dict[Key, int] = {}
    table: Key = ()
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            start = number
        statement += line + "\n"
        try:
            tree = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # the middle of a text or a list over several lines
        is_table = statement.lstrip().startswith("[")
        statement = ""
        for key in _keys(tree):
            lines.setdefault(key if is_table else table + key, start)
            if is_table:
                table = key
    return lines


def _keys(tree: Any) -> Iterator[Key]:
    if isinstance(tree, list):
        for item in tree:
            yield from _keys(item)
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield (name,)
            for key in _keys(value):
                yield (name, *key)


class Origins(msgspec.Struct, frozen=True):
    """Where the values of one load came from. ``variables`` names the environment variable of a key."""

    file: ConfigFile | None = None
    variables: Mapping[Key, str] = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file, for people; ``""`` where there was none."""
        return self.file.name if self.file else ""

    def from_environment(self, key: Key) -> bool:
        """Whether exactly this key was given by an environment variable."""
        return key in self.variables

    def place(self, key: Key) -> str:
        """Where the value of ``key`` stands, or what is nearest to it; ``""`` where nothing is known.

        The file that holds a secret stands for the secret: ``password_file`` for ``password``.
        """
        if not key:
            return self.name
        for spelled in (key, file_key(key)):
            if spelled in self.variables:
                return f"environment variable {self.variables[spelled]}"
        lines = self.file.lines if self.file else {}
        for spelled in (key, file_key(key)):
            if spelled in lines:
                return f"{self.name}:{lines[spelled]}"
        for given, variable in self.variables.items():
            if given[: len(key)] == key:
                return f"environment variable {variable}"
        return self.place(key[:-1])


def file_key(key: Key) -> Key:
    """The key that names a file with the value of ``key``."""
    return (*key[:-1], f"{key[-1]}_file")
