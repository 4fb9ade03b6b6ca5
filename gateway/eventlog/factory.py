"""The log that the settings ask for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from config.settings import Log, Settings
from gateway.eventlog.base import EventLog
from gateway.eventlog.sqlite import SqliteLog

if TYPE_CHECKING:
    from gateway.eventlog.kafka_cluster import Cluster


def make_log(settings: Settings) -> EventLog:
    """The log of one process, not started yet. With Kafka, the embedded log's file is the spool.

    Raises :class:`OSError` where the certificate authority file cannot be read.
    """
    log = settings.log
    if log.backend == "sqlite":
        return SqliteLog(log.path, retention_seconds=log.retention)
    return _kafka(settings)


def _kafka(settings: Settings) -> EventLog:
    # Imported only where it is used: the embedded gateway starts faster and smaller without aiokafka.
    from gateway.eventlog.kafka import KafkaLog
    from gateway.eventlog.kafka_cluster import Topic
    from gateway.eventlog.spool import SpooledLog

    log = settings.log
    topic = Topic(partitions=log.partitions, retention_seconds=log.retention)
    names: dict[str, str] = settings.topics.model_dump()
    kafka = KafkaLog(
        cluster_of(log),
        dict.fromkeys(names.values(), topic),
        append_timeout=log.append_timeout,
        replication_factor=log.replication_factor,
        instance_id=log.instance_id,
    )
    return SpooledLog(kafka, log.path, max_bytes=log.spool_max_bytes)


def cluster_of(log: Log) -> Cluster:
    """Where the brokers are. Raises :class:`OSError` where the certificate authority file cannot be read."""
    from gateway.eventlog.kafka_cluster import Cluster

    return Cluster(log.bootstrap_servers, log.client_id, security=_security(log))


def _security(log: Log) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": log.security_protocol}
    if log.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=log.ssl_cafile or None)
    if log.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = log.sasl_mechanism
        options["sasl_plain_username"] = log.sasl_username
        options["sasl_plain_password"] = log.sasl_password.get_secret_value()
    return options
