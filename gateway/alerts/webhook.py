"""Alerts by POST, as Prometheus' Alertmanager posts them ("webhook_config" in its configuration, version 4).

Whatever takes Alertmanager's webhooks takes ours: on-call services, chat bridges. As there, an alert is known by its
labels, a resolved one has an ``endsAt``, and ``truncatedAlerts`` counts those left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from channels.http import HttpClient, classify
from gateway.alerts.rules import Notice
from gateway.alerts.sinks import Message, alert_name, link, runbook
from gateway.alerts.texts import sentence, title

RECEIVER: Final = "lapor-gateway"
NEVER: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: the end of what goes on."""
_SEVERITIES: Final = {"down": "critical", "silent": "warning", "degraded": "warning"}


class Webhook:
    """Posts to ``url``, with a bearer ``token`` where there is one. ``base_url`` is the gateway's own address."""

    name = shown = "webhook"

    def __init__(self, http: HttpClient, url: str, token: str, base_url: Callable[[], str]) -> None:
        self._http = http
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._base_url = base_url

    async def tell(self, message: Message) -> None:
        """Post the alerts. Raises a :class:`~channels.errors.ChannelError` for any answer but 2xx."""
        body = payload(message, self._base_url())
        classify(await self._http.request("POST", self._url, json=body, headers=self._headers))

    async def close(self) -> None:
        """Nothing to let go: the connections are the client's."""


def payload(message: Message, base_url: str) -> dict[str, Any]:
    """The body of the POST."""
    alerts = [alert for notice in message.notices for alert in _alerts(notice, base_url)]
    labels, annotations = (_common([alert[kind] for alert in alerts]) for kind in ("labels", "annotations"))
    group = {"service": RECEIVER}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{service="{RECEIVER}"}}',
        "truncatedAlerts": message.left_out,
        "status": "firing" if message.firing else "resolved",
        "receiver": RECEIVER,
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": f"{base_url}/ops",
        "alerts": alerts,
    }


def _alerts(notice: Notice, base_url: str) -> Iterator[dict[str, Any]]:
    """The alert of a notice, after the end of the one whose place it takes."""
    if notice.was:
        before = {"state": notice.was, "since": notice.was_since, "until": notice.since, "then": notice.state}
        yield _alert(msgspec.structs.replace(notice, **before, was="", was_since=0.0, reason=""), base_url)
    yield _alert(notice, base_url)


def _alert(notice: Notice, base_url: str) -> dict[str, Any]:
    labels = {
        "alertname": alert_name(notice),
        "service": RECEIVER,
        "severity": _SEVERITIES.get(notice.state, "info"),
    }
    if notice.channel:
        labels["channel"] = notice.channel
    elif notice.part:
        labels["role"] = notice.part
    return {
        "status": "firing" if notice.firing else "resolved",
        "labels": labels,
        "annotations": {
            "summary": title(notice, "en"),
            "description": sentence(notice, "en", UTC),
            "runbook_url": runbook(notice),
        },
        "startsAt": _time(notice.since),
        "endsAt": NEVER if notice.until is None else _time(notice.until),
        "generatorURL": link(notice, base_url),
        "fingerprint": hashlib.sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16],
    }


def _common(tables: Sequence[dict[str, str]]) -> dict[str, str]:
    """What all of them share."""
    first, *others = tables or [{}]
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _time(at: float) -> str:
    """RFC 3339, as Go writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
