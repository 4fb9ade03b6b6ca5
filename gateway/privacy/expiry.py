"""Until when the last copies linger on Kafka, which erases nothing by key: by the topics' own settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from config.durations import format_duration
from config.settings import Settings

if TYPE_CHECKING:
    from gateway.eventlog.kafka_retention import Kept


class Expiry(msgspec.Struct, frozen=True):
    """When a topic lets go of what is on it now.

    ``at`` is when it is old enough, ``None``: never; ``latest`` when its segment is, too. ``read`` is off where the
    broker could not be asked, so that our own settings had to stand in.
    """

    topic: str
    kept: float | None
    at: datetime | None
    latest: datetime | None
    read: bool

    def said(self, settings: Settings) -> str:
        """One line for the operator, in their time zone."""
        if self.kept is None or self.at is None or self.latest is None:
            return f"{self.topic}: the topic keeps its records for ever; set its retention.ms, or delete it"
        day = "%d %b %Y %H:%M %Z"
        line = f"{self.topic}: kept {format_duration(self.kept)}, expires {self.at.astimezone(settings.zone):{day}}"
        if self.latest > self.at:
            line += f", with its segment {self.latest.astimezone(settings.zone):{day}} at the latest"
        return line if self.read else f"{line} (by [log] retention: the broker could not be asked)"


async def expiries(settings: Settings, now: datetime | None = None) -> list[Expiry]:
    """For each topic that bears what citizens wrote, when its last copy of it expires; none on the embedded log."""
    if settings.log.backend != "kafka":
        return []
    # Imported only where Kafka is used.
    from gateway.eventlog.factory import cluster_of
    from gateway.eventlog.kafka_retention import Kept, retentions

    topics = settings.topics
    named = [topics.complaints, topics.cases, topics.case_updates, topics.dead_letters]
    found = await retentions(cluster_of(settings.log), named)
    at = now or datetime.now(UTC)
    assumed = Kept(settings.log.retention, 0.0)
    return [_expiry(topic, found.get(topic, assumed), at, read=topic in found) for topic in named]


def _expiry(topic: str, kept: Kept, at: datetime, *, read: bool) -> Expiry:
    if kept.seconds is None:
        return Expiry(topic, None, None, None, read)
    due = at + timedelta(seconds=kept.seconds)
    return Expiry(topic, kept.seconds, due, due + timedelta(seconds=kept.longer), read)
