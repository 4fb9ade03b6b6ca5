"""Reaching a Kafka cluster: how to connect, and the topics that must be there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

log = structlog.get_logger(__name__)

TOPIC_ALREADY_EXISTS = 36
LEADERS_SECONDS = 5.0
LEADERS_POLL_SECONDS = 0.05
MOST_COPIES = 3


class Topic(msgspec.Struct, frozen=True):
    """How a topic is made where it is missing; one that exists stays as it is."""

    partitions: int = 12
    retention_seconds: float = 30 * 86400.0


class Cluster(msgspec.Struct, frozen=True):
    """Where the brokers are and how to speak to them.

    ``security`` holds aiokafka's own options (``security_protocol``, ``sasl_mechanism``, ``ssl_context``, …).
    ``timeout`` in seconds bounds one attempt to connect.
    """

    bootstrap_servers: str
    client_id: str
    security: Mapping[str, Any] = {}
    timeout: float = 5.0

    def options(self, suffix: str = "") -> dict[str, Any]:
        """The options that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id + suffix,
            **self.security,
        }


async def ensure_topics(cluster: Cluster, topics: Mapping[str, Topic], *, replication_factor: int) -> dict[str, int]:
    """Make the topics that are missing; returns how many partitions each of ``topics`` has that is there now.

    ``replication_factor`` 0 means three copies, or one a broker where there are fewer. Where the broker refuses, a
    warning is logged. Raises :class:`aiokafka.errors.KafkaError` or :class:`TimeoutError` where it is out of reach.
    """
    admin = AIOKafkaAdminClient(**cluster.options("-admin"), request_timeout_ms=int(cluster.timeout * 1000))
    try:
        await admin.start()
        found = await _partitions(admin)
        missing = {name: topic for name, topic in topics.items() if name not in found}
        if missing:
            await _create(admin, missing, replication_factor)
            found |= await _led(admin, list(missing))
        return {name: len(found[name]) for name in topics if name in found}
    finally:
        await complete(admin.close())


async def has_member(cluster: Cluster, group: str, client_id: str) -> bool:
    """Whether the coordinator of ``group`` lists a member with this client id. Raises as :func:`ensure_topics`."""
    admin = AIOKafkaAdminClient(**cluster.options("-admin"), request_timeout_ms=int(cluster.timeout * 1000))
    try:
        await admin.start()
        (described,) = await admin.describe_consumer_groups([group])
        return any(member[1] == client_id for one in described.groups for member in one[5])
    finally:
        await complete(admin.close())


async def complete(work: Coroutine[Any, Any, None]) -> None:
    """Run a client's end to its own end, also when cancelled meanwhile, and be cancelled after it.

    Half closed, aiokafka's clients leave tasks behind; and their ``close`` swallows a cancellation that meets it.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _create(admin: AIOKafkaAdminClient, topics: Mapping[str, Topic], replication_factor: int) -> None:
    known = await admin.describe_cluster()
    if known["controller_id"] not in {broker["node_id"] for broker in known["brokers"]}:
        log.warning("log.kafka.topics_not_created", topics=sorted(topics), reason="the cluster names no controller")
        return
    copies = replication_factor or min(MOST_COPIES, len(known["brokers"]))
    wanted = [
        NewTopic(
            name,
            topic.partitions,
            copies,
            topic_configs={
                "retention.ms": str(int(topic.retention_seconds * 1000)),
                # The broker's clock: with ours, a clock that is an hour ahead would have every record refused.
                "message.timestamp.type": "LogAppendTime",
                # With three copies, an acknowledged record is on two machines at least.
                "min.insync.replicas": str(max(1, copies - 1)),
            },
        )
        for name, topic in topics.items()
    ]
    answer = await admin.create_topics(wanted)
    for name, code, *_ in answer.topic_errors:
        if code == 0:
            log.info("log.kafka.topic_created", topic=name, partitions=topics[name].partitions, copies=copies)
        elif code != TOPIC_ALREADY_EXISTS:
            log.warning("log.kafka.topics_not_created", topics=[name], reason=for_code(code).__name__)


async def _led(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, list[int]]:
    """Wait until every partition of new topics has a leader, but not for long; returns those that are there."""
    # To name them makes a broker create them that does so by itself.
    await admin.describe_topics(topics)
    deadline = asyncio.get_running_loop().time() + LEADERS_SECONDS
    while True:
        found = await _partitions(admin)
        led = all(name in found and all(leader >= 0 for leader in found[name]) for name in topics)
        if led or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(LEADERS_POLL_SECONDS)


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, list[int]]:
    """The leader of every partition of every topic; -1 where there is none now."""
    topics = await admin.describe_topics()
    return {t["topic"]: [p["leader"] for p in t["partitions"]] for t in topics if t["partitions"]}
