"""The log that the settings ask for."""

from __future__ import annotations

from config.settings import Settings
from gateway.eventlog.base import EventLog
from gateway.eventlog.sqlite import SqliteLog


def make_log(settings: Settings) -> EventLog:
    """The log of one process, not started yet."""
    log = settings.log
    return SqliteLog(log.path, retention_seconds=log.retention)
