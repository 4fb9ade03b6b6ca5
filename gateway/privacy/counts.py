"""What was erased, in numbers."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct):
    """Rows, records and blobs that were erased; all that is ever said of them."""

    cases: int = 0
    messages: int = 0
    replies: int = 0
    dropped: int = 0
    """Replies among these that were still to be sent."""
    files: int = 0
    blobs: int = 0
    updates: int = 0
    letters: int = 0
    publications: int = 0
    records: int = 0
    """On the embedded log and in the spools of this machine."""
    senders: int = 0

    def __bool__(self) -> bool:
        return any(msgspec.structs.astuple(self))

    def said(self) -> str:
        """Such as ``3 cases, 5 messages``; ``nothing`` where there was nothing."""
        found = msgspec.structs.asdict(self).items()
        names = {
            "dropped": "of them unsent",
            "files": "attachments",
            "letters": "dead letters",
            "records": "records of the log or spool",
        }
        return ", ".join(f"{count} {names.get(name, name)}" for name, count in found if count) or "nothing"
