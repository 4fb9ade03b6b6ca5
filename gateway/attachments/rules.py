"""Which files are fetched: pure functions over what a message says of its file, and the settings."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from channels.base import Attachment
from config.durations import format_size
from config.settings import Attachments
from gateway.attachments.names import ending


def refusal(file: Attachment, position: int, rules: Attachments) -> str:
    """Why the file is not fetched, ``reason: in words``; ``""`` where it is.

    ``position`` counts from 0. The media type and the size are what the message says of them: the size is counted
    again on the way, the type is believed, and nothing looks into a file.
    """
    if position >= rules.max_per_message:
        return f"too_many: more than {rules.max_per_message} files in one message"
    if file.size > rules.max_size:
        return too_large(rules)
    kind = file.media_type.partition(";")[0].strip().lower() or "application/octet-stream"
    last = ending(file.name)
    if _matches(kind, rules.blocked_types) or last in {e.lstrip(".").casefold() for e in rules.blocked_endings}:
        return f"type_blocked: {kind}" + (f", .{last}" if last else "")
    if rules.allowed_types and not _matches(kind, rules.allowed_types):
        return f"type_not_allowed: {kind}"
    return ""


def too_large(rules: Attachments) -> str:
    """The refusal of a file that is too large, before or while it is fetched."""
    return f"too_large: more than {format_size(rules.max_size)}"


def _matches(kind: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(kind, pattern.lower()) for pattern in patterns)
