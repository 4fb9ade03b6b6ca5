"""How long Kafka keeps what was written to its topics, by the topics' own settings.

Source: Apache Kafka's documentation, "Topic Configs": ``retention.ms``, ``segment.ms``, ``cleanup.policy``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from gateway.eventlog.kafka_cluster import Cluster, complete

log = structlog.get_logger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """How long a topic keeps a record: ``seconds``, ``None`` for ever, and up to ``longer`` seconds more.

    Kafka lets go of whole segments, and of one only when its newest record is old enough; a segment takes records for
    ``longer`` seconds at most.
    """

    seconds: float | None
    longer: float


async def retentions(cluster: Cluster, topics: Collection[str]) -> dict[str, Kept]:
    """How long each topic keeps its records; a topic whose settings cannot be read is not in the answer."""
    admin = AIOKafkaAdminClient(**cluster.options("-admin"), request_timeout_ms=int(cluster.timeout * 1000))
    try:
        async with asyncio.timeout(cluster.timeout * 2):
            await admin.start()
            wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
            answers = await admin.describe_configs(wanted)
    except (KafkaError, TimeoutError, OSError) as error:
        log.warning("log.kafka.retention_not_read", reason=type(error).__name__)
        return {}
    finally:
        await complete(admin.close())
    found: dict[str, Kept] = {}
    for code, _, _, name, entries, *_ in (resource for answer in answers for resource in answer.resources):
        values = {entry[0]: entry[1] for entry in entries}
        if code == 0 and "retention.ms" in values:
            found[name] = _kept(values)
    return found


def _kept(values: dict[str, str | None]) -> Kept:
    milliseconds = int(values["retention.ms"] or -1)
    # A topic that is only compacted keeps the last record of every key, whatever its age.
    forever = milliseconds < 0 or "delete" not in (values.get("cleanup.policy") or "delete")
    return Kept(None if forever else milliseconds / 1000, int(values.get("segment.ms") or 0) / 1000)
