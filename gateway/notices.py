"""What is added to an acknowledgement for a while: that the office is closed, maintenance, a channel's greeting."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from channels.base import ChannelSettings
from config.conversation import Notices
from config.settings import Settings
from config.values import WEEKDAYS


def notice(now: datetime, settings: Settings, channel: ChannelSettings | None, language: str) -> str:
    """The lines to add, ``""`` for none; ``now`` is aware, ``language`` one of those that replies are written in.

    Maintenance goes before working hours: two excuses are one too many for a short message.
    """
    notices, zone = settings.notices, settings.zone
    english = language == "en"
    lines = []
    if in_maintenance(now, notices, zone):
        lines.append(notices.maintenance_en if english else notices.maintenance_id)
    elif not at_work(now, notices, zone):
        lines.append(notices.closed_en if english else notices.closed_id)
    if channel is not None:
        lines.append(channel.greeting_en if english else channel.greeting_id)
    return "\n".join(filter(None, lines))


def at_work(now: datetime, notices: Notices, zone: ZoneInfo) -> bool:
    """Whether this is a working hour, or working hours are not told of. The last minute of "08:00-16:00" is 15:59."""
    if not notices.hours:
        return True
    here = now.astimezone(zone)
    if here.date() in notices.holidays or WEEKDAYS[here.weekday()] not in notices.days:
        return False
    begin, _, end = notices.hours.partition("-")
    return begin <= here.strftime("%H:%M") < end


def in_maintenance(now: datetime, notices: Notices, zone: ZoneInfo) -> bool:
    """Whether this is a time of maintenance; times without an offset are in ``zone``."""
    begin, end = notices.maintenance_from, notices.maintenance_until
    if end is None:
        return False
    return (begin is None or _aware(begin, zone) <= now) and now < _aware(end, zone)


def _aware(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
