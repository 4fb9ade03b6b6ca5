"""A file on its way: its row at first, its lease, what an attempt came to, and what downstream hears of that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from channels.base import Attachment
from gateway.attachments.names import safe_name
from gateway.blobs.base import Stored, key_for
from normalizer.event import ComplaintEvent, Privacy
from normalizer.messages import CaseChannel, CaseEvent

Outcome = Literal["stored", "refused", "failed", "retry", "held"]


class Leased(msgspec.Struct, frozen=True):
    """One file under lease; ``attempts`` counts this one, ``created_at`` is in Unix seconds."""

    event_id: str
    position: int
    file: Attachment
    channel_type: str
    channel: str
    case_number: str | None
    created_at: float
    attempts: int

    @property
    def key(self) -> str:
        """Where this attempt stores the file."""
        return self._key(self.attempts)

    @property
    def key_before(self) -> str:
        """Where the attempt before this one may have left it: killed, cut off or without an answer."""
        return self._key(self.attempts - 1)

    def _key(self, attempt: int) -> str:
        return key_for("files", self.event_id, str(self.position), str(attempt))


class Settlement(msgspec.Struct, frozen=True):
    """What one attempt came to, ``at`` in Unix seconds. ``due_in`` is in seconds, for ``retry`` and ``held``."""

    leased: Leased
    outcome: Outcome
    at: float
    stored: Stored | None = None
    detail: str = ""
    due_in: float = 0.0


def waiting_rows(event: ComplaintEvent, case_number: str | None, now: float) -> list[dict[str, Any]]:
    """The rows of the files that came with a message and are not stored yet."""
    return [
        {
            "event_id": event.id,
            "position": position,
            "channel_type": event.channel.type,
            "channel": event.channel.instance,
            "case_number": case_number,
            "name": safe_name(file.name),
            "media_type": file.media_type,
            "size": file.size,
            "reference": file.reference,
            "state": "waiting",
            "created_at": now,
            "due_at": now,
        }
        for position, file in enumerate(event.attachments)
        if not file.stored
    ]


def told(settlement: Settlement, case: Any) -> CaseEvent:
    """What downstream hears of a file that is settled for good; ``case`` is the row of its case.

    Its id is the same however often it is said.
    """
    leased, stored = settlement.leased, settlement.stored
    file = Attachment(
        leased.file.name,
        leased.file.media_type,
        size=stored.size if stored else leased.file.size,
        sha256=stored.sha256 if stored else "",
        stored=stored.key if stored else "",
        reference=leased.file.reference,
    )
    return CaseEvent(
        id=f"{leased.event_id}:{case.number}:file:{leased.position}",
        number=case.number,
        change="attachment_stored" if stored else "attachment_failed",
        at=datetime.fromtimestamp(settlement.at, UTC),
        channel=CaseChannel(leased.channel_type, leased.channel),
        state=case.state,
        event_id=leased.event_id,
        region=case.region,
        privacy=Privacy(case.anonymous, case.confidential),
        attachments=(file,),
        reason="" if stored else settlement.detail.partition(":")[0],
    )
