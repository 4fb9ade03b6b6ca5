"""The Prometheus metrics of one process. Their names are part of the public contract (DESIGN section 8)."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound=MetricWrapperBase)

PREFIX = "lapor_gateway_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("intake", "decode", "dispatch", "case_update", "deliver")
LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)


disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Every metric there is, registered in a registry of its own, so that two gateways in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._all: list[MetricWrapperBase] = []
        self.messages_received = self._counter("messages_received", "Inbound messages made durable.", "channel")
        self.requests_refused = self._counter(
            "requests_refused", "Webhook calls answered with an error, by its code.", "channel", "code"
        )
        self.events = self._counter("events", "Events the dispatcher settled, each once.", "channel", "intent")
        self.cases_opened = self._counter("cases_opened", "Cases opened.", "channel")
        self.replies_sent = self._counter("replies_sent", "Replies the provider took.", "channel")
        self.replies_failed = self._counter(
            "replies_failed", "Attempts and receipts that failed, by reason.", "channel", "reason"
        )
        self.replies_maybe_doubled = self._counter(
            "replies_maybe_doubled",
            "Replies tried again although an earlier attempt may have reached the provider.",
            "channel",
        )
        self.case_updates = self._counter(
            "case_updates",
            "Updates of agencies, by what the citizen hears of them, or why they were refused.",
            "outcome",
        )
        self.dead_letters = self._counter("dead_letters", "Dead letters, by the stage that gave up.", "stage")
        self.reply_latency = self._register(
            Histogram(
                PREFIX + "reply_latency_seconds",
                "From the citizen's message in to the provider's yes.",
                ["channel"],
                registry=self.registry,
                buckets=LATENCY_BUCKETS,
            )
        )
        self.outbox_pending = self._gauge("outbox_pending", "Replies waiting for, or in, delivery.", "channel")
        self.outbox_oldest = self._gauge(
            "outbox_oldest_seconds", "Age of the oldest reply waiting for, or in, delivery; 0: none waits.", "channel"
        )
        self.attachments = self._counter(
            "attachments",
            "Attempts to fetch a file: stored, refused, failed (given up), retry, held.",
            "channel",
            "outcome",
        )
        self.attachment_bytes = self._counter("attachment_bytes", "Bytes of files stored.", "channel")
        self.attachments_waiting = self._gauge("attachments_waiting", "Files waiting to be fetched.", "channel")
        self.log_lag = self._gauge("log_lag", "Records on the log that the dispatcher has not settled.")
        self.case_updates_lag = self._gauge("case_updates_lag", "Case updates on the log that are not settled.")
        self.spool_depth = self._gauge("spool_depth", "Records in this process's spool, waiting for the log.")
        self.spool_oldest = self._gauge(
            "spool_oldest_seconds", "Age of the oldest record in this process's spool; 0: none waits."
        )
        self.spool_bytes = self._gauge("spool_bytes", "Bytes of the records in this process's spool.")
        self.spool_limit_bytes = self._gauge(
            "spool_limit_bytes", "Bytes that the spool may hold; then intake answers 503. 0: there is no spool."
        )
        self.channel_state = self._gauge(
            "channel_state", "1 for the state that a channel is in, 0 for the others.", "channel", "state"
        )
        self.health_changes = self._counter(
            "health_changes",
            "Changes of state that this process found; part empty: the channel, channel empty: the role in part.",
            "channel",
            "part",
            "state",
        )
        self.heartbeat = self._gauge(
            "heartbeat_timestamp_seconds", "When this process last told the store how it stands (Unix seconds)."
        )

        self.alerts = self._counter("alerts", "Messages to the alert sinks: told, failed.", "sink", "outcome")
        self.whole_at = self._gauge(
            "whole_timestamp_seconds",
            "When this process last found every role and the watch at work (Unix seconds); 0: not since its start.",
        )
        for stage in STAGES:
            # From 0 on, or Prometheus would not see the first one as an increase.
            self.dead_letters.labels(stage)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)

    def described(self) -> list[tuple[str, str, tuple[str, ...], str]]:
        """Name, type, labels and help of every metric, for the documentation."""
        return [
            (
                str(metric._name) + ("_total" if metric._type == "counter" else ""),
                str(metric._type),
                tuple(metric._labelnames),
                metric._documentation,
            )
            for metric in self._all
        ]

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return self._register(Counter(PREFIX + name, text, labels, registry=self.registry))

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return self._register(Gauge(PREFIX + name, text, labels, registry=self.registry))

    def _register(self, metric: M) -> M:
        self._all.append(metric)
        return metric
