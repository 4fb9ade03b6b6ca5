"""Listening for silence: what the watch remembers of each channel's traffic, and what it makes of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.health import figures
from gateway.health.judging import Found
from gateway.health.silence import DAYS, HOUR, RECENT, Usual, silent, weekends

DAY = 24 * HOUR
RECENT_EVERY = 30.0
LATE = 900.0
"""Seconds: a process tells with each heartbeat what it has counted, and may have been kept from it."""


class Listening:
    """The counts of the last weeks by the hour, those of the last hours by the minute. Times are Unix seconds."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._weekend = weekends(zone)
        self._hours: dict[str, dict[int, int]] = defaultdict(dict)
        self._read_to = 0
        self._usual: dict[str, Usual] = {}
        self._minutes: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._recent_at = 0.0
        # Since when each channel could take messages.
        self._able: dict[str, float] = {}

    async def read(self, connection: AsyncConnection, now: float) -> None:
        """Bring the counts up to date: the hours once an hour, the minutes twice a minute."""
        hour = int(now // HOUR)
        if hour != self._read_to:
            # A day at a time at first, so that no statement runs long; later the hours that are over since.
            start = max(self._read_to, hour - DAYS * 24)
            for begin in range(start, hour, 24):
                end = min(begin + 24, hour)
                for channel, counted in (await figures.hours(connection, begin * HOUR, end * HOUR)).items():
                    for at, one in counted.items():
                        self._hours[channel][int(at // HOUR)] = one.received
            self._read_to = hour
            for channel, hours in self._hours.items():
                for old in [one for one in hours if one < hour - DAYS * 24]:
                    del hours[old]
                self._usual[channel] = Usual(hours, self._weekend)
        if not 0 <= now - self._recent_at < RECENT_EVERY:
            await self._read_minutes(connection, now)

    async def _read_minutes(self, connection: AsyncConnection, now: float) -> None:
        """The minutes that are new since the last time, and those before in which a late process may have counted."""
        horizon = now - RECENT - HOUR
        since = self._recent_at - LATE
        if not horizon < since <= now:
            self._minutes, since = defaultdict(dict), horizon
        for channel, counted in (await figures.received(connection, since)).items():
            self._minutes[channel].update(counted)
        for minutes in self._minutes.values():
            for old in [minute for minute in minutes if minute < horizon]:
                del minutes[old]
        self._recent_at = now

    def hear(self, channel: str, *, able: bool, stood: Any, last_in: float | None, until: float) -> Found | None:
        """Silent, or ``None``.

        ``able`` tells that messages can be taken at all, ``stood`` is the stored row of the channel's receiving (or
        ``None``). ``last_in`` is when a message last came, as far as the processes that run know, and up to ``until``
        all of them have heard nothing further.
        """
        if not able:
            self._able.pop(channel, None)
            return None
        already = stood is not None and stood.state == "silent"
        since = self._able.get(channel)
        if since is None:
            # Another process watched until now: where it found the channel well or silent, it took messages then.
            took = already or (stood is not None and stood.state == "healthy")
            since = self._able[channel] = (0.0 if already else stood.since) if took else until
        minutes = self._minutes.get(channel, {})
        heard = last_in or 0.0
        if (latest := max(minutes, default=0)) > heard:
            # Through a process that is gone by now; when in that minute nobody can tell.
            heard = latest + 60.0
        usual = self._usual.get(channel)
        start = max(heard, since)
        if usual is None or start <= 0 or start >= until:
            return None

        def received(begin: float, end: float) -> int:
            return sum(count for minute, count in minutes.items() if begin <= minute < end)

        if not silent(usual, start, until, received, already=already):
            return None
        every = 1 / usual.at(start) if usual.at(start) else 0.0
        often = f"; one usually comes every {_duration(every)} at this hour" if every else ""
        return Found("silent", f"no message since {datetime.fromtimestamp(start, self._zone):%d %b %H:%M:%S}{often}")


def _duration(seconds: float) -> str:
    for length, unit in ((DAY, "d"), (HOUR, "h"), (60.0, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 1.0):.0f} s"
