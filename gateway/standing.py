"""How one process stands: what it sees of every channel, for its own health page and for the heart to tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec

from channels.base import Channel
from config.settings import Settings
from gateway.delivery.deliverer import Deliverer
from gateway.eventlog.base import EventLog
from gateway.health.parts import (
    UNKNOWN,
    ChannelHealth,
    Part,
    channel_health,
    credentials_of,
    receiving_of,
    seen_by_others,
    sending_of,
)
from gateway.health.probes import Probes
from gateway.health.told import ChannelTold, Told
from gateway.intake.ports import Ports, Registration
from gateway.intake.puller import Puller, Reading
from gateway.intake.recorder import Recorder
from gateway.metrics import PREFIX, Metrics


class Works(msgspec.Struct):
    """What a process has at work, filled as its parts are made; by channel where that makes sense."""

    channels: dict[str, Channel] = msgspec.field(default_factory=dict)
    recorders: dict[str, Recorder] = msgspec.field(default_factory=dict)
    pullers: dict[str, Puller] = msgspec.field(default_factory=dict)
    registrations: dict[str, Registration] = msgspec.field(default_factory=dict)
    ports: Ports | None = None
    deliverer: Deliverer | None = None
    probes: Probes | None = None


class Standing:
    """Reads off the works how things stand. ``log`` is asked for each time: the sandbox puts another in its place."""

    def __init__(
        self, works: Works, *, log: Callable[[], EventLog], metrics: Metrics, settings: Settings, role: str
    ) -> None:
        self._works = works
        self._log = log
        self._metrics = metrics
        self._settings = settings
        self._role = role

    def health(self, seen: Callable[[str, str], str]) -> dict[str, ChannelHealth]:
        """Every channel's health: what this process works on as it sees it, the rest as the watch does.

        ``seen`` gives the watch's state of a channel's part (``""``: the channel itself).
        """
        works = self._works
        probed = works.probes.found if works.probes else {}
        found = {}
        for name, channel in works.channels.items():
            sending = self._sending(name)
            own = channel_health(self._receiving(name), sending, channel.quotas(), probed.get(name))
            found[name] = seen_by_others(own, partial(seen, name))
        return found

    def told(self) -> Told:
        """What the heart tells of this process."""
        works, log = self._works, self._log()
        ready, why = log.ready()
        senders = works.deliverer.senders if works.deliverer else {}
        probed = works.probes.found if works.probes else {}
        asked = works.probes.at if works.probes else {}
        channels = {}
        for name, channel in works.channels.items():
            sender, recorder = senders.get(name), works.recorders.get(name)
            receiving, sending = self._receiving(name), self._sending(name)
            channels[name] = ChannelTold(
                receiving,
                sending,
                credentials_of(receiving, sending, probed.get(name)),
                tuple(channel.quotas()),
                sender.breaker.state.value if sender else "",
                (recorder.last_received if recorder else 0) or None,
                (sender.last_sent if sender else 0) or None,
                asked.get(name),
            )
        lag = self._metrics.registry.get_sample_value(f"{PREFIX}log_lag")
        return Told(
            time.time(),
            channels,
            ready,
            why,
            int(lag or 0) if self._role in ("all", "dispatch") else None,
            getattr(log, "depth", 0),
            _spool_age(log),
        )

    def refresh(self) -> None:
        """Bring the spool's gauges up to date."""
        log, metrics = self._log(), self._metrics
        metrics.spool_depth.set(getattr(log, "depth", 0))
        metrics.spool_oldest.set(_spool_age(log) or 0)
        metrics.spool_bytes.set(getattr(log, "bytes", 0))
        metrics.spool_limit_bytes.set(self._settings.log.spool_max_bytes if hasattr(log, "bytes") else 0)

    def _receiving(self, name: str) -> Part:
        """How this process receives on a channel."""
        works = self._works
        if self._role not in ("all", "intake"):
            return UNKNOWN
        called = name in works.registrations or (works.ports is not None and works.ports.listens(name))
        return receiving_of(can_append=self._log().ready(), webhook=called, readings=self._readings(name))

    def _sending(self, name: str) -> Part:
        """How this process sends on a channel."""
        deliverer, probes = self._works.deliverer, self._works.probes
        probed = probes.found.get(name) if probes else None
        answered = probes.at.get(name, 0.0) if probes and probed and probed.condition == "healthy" else 0.0
        return sending_of(deliverer.senders.get(name) if deliverer else None, answered)

    def _readings(self, name: str) -> list[Reading]:
        """How the sources and the registration of a channel stand."""
        puller, registration = self._works.pullers.get(name), self._works.registrations.get(name)
        readings = list(puller.reading.values()) if puller else []
        return [*readings, registration.reading] if registration else readings


def _spool_age(log: EventLog) -> float | None:
    """How long the oldest record of the log's spool has waited, in seconds; ``None`` where none waits."""
    oldest: float | None = getattr(log, "oldest", None)
    return None if oldest is None else max(0.0, time.time() - oldest)
