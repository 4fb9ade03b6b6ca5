"""Words for what the store calls by a key: rows of the table, templates, outcomes. An unknown key is its own word."""

from __future__ import annotations

from gateway.console.words import words


def label(language: str, table: str, key: str) -> str:
    """What ``[table]`` of the words calls the key; the key itself where a later writer knows more than we do."""
    return words(language).get(f"{table}.{key}", key)
