"""The event log on Kafka.

The contract of :mod:`gateway.eventlog.base`, and here in particular:

* Durable means acknowledged by all in-sync replicas (``acks=all``, idempotent producer, no transactions). A single
  broker acknowledges before its disk has synced: it is the copies that survive a power cut.
* A key has its partition, the same in every process and release, as long as nobody changes a topic's partitions.
* Every append ends within twice ``append_timeout``. Records of one that failed may become durable later.
* Brokers that are away, now or at the start, are no error: connections are made again, with backoff, for ever.
  Producer and consumers are made anew when they die or stand still.
* What a consumer holds when its partitions are revoked, it has a moment to commit; then the next owner gets it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence

import structlog
from aiokafka.errors import KafkaError

from gateway.eventlog.base import LogUnavailable, Record, RecordRefused
from gateway.eventlog.kafka_cluster import Cluster, Topic, complete, ensure_topics
from gateway.eventlog.kafka_consumer import KafkaConsumer
from gateway.eventlog.kafka_producer import MAX_RECORD_BYTES, Link

log = structlog.get_logger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 2.0
IDLE_SECONDS = 5.0
FIRST_MISSING, LONGEST_MISSING = 0.5, 30.0


class KafkaLog:
    """An :class:`~gateway.eventlog.base.EventLog` on the ``topics`` of a cluster.

    ``append_timeout`` in seconds bounds an append. ``replication_factor`` is for topics that have to be made; 0: three
    copies, or one a broker where there are fewer. ``instance_id`` makes this process a static member of its groups:
    restarted within ``session_timeout`` seconds it gets its partitions back, and nobody else gets them meanwhile.
    ``stall_timeout`` in seconds is how long a consumer may bring nothing while there is something to bring.
    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Mapping[str, Topic],
        *,
        append_timeout: float = 1.0,
        replication_factor: int = 0,
        instance_id: str = "",
        session_timeout: float = 10.0,
        stall_timeout: float = 15.0,
    ) -> None:
        self._cluster = cluster
        self._topics = dict(topics)
        self._timeout = append_timeout
        self._replication_factor = replication_factor
        self._instance_id = instance_id
        self._session_timeout = session_timeout
        self._stall_timeout = stall_timeout
        self._link: Link | None = None
        self._trouble = "not connected yet"
        self._tried = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._consumers: list[KafkaConsumer] = []
        self.links = 0
        """Producers made so far."""

    async def start(self) -> None:
        """Begin to connect; returns when the first attempt has succeeded or failed, or takes long."""
        self._supervisor = asyncio.create_task(self._supervise(), name="kafka-producer")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._cluster.timeout):
                await self._tried.wait()

    async def close(self) -> None:
        """Finish the appends under way, leave every group, close the connections."""
        await asyncio.gather(*(consumer.close() for consumer in list(self._consumers)))
        link, self._link = self._link, None
        self._trouble = "the log is closed"
        if link is not None:
            await link.drain()
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None

    async def append(self, records: Sequence[Record]) -> None:
        """Make all of the records durable, in the order of each key.

        Raises :class:`RecordRefused` for a record that can never be taken, else :class:`LogUnavailable`; while the
        brokers are known to be away, at once.
        """
        if records:
            await self.submit(records)

    def submit(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """What :meth:`append` awaits: the records have their place in the order on return. Raises the same."""
        link = self._link
        if link is None or link.broken.done():
            raise LogUnavailable(f"the brokers are away: {self._trouble}")
        for record in records:
            if not link.has(record.topic):
                if record.topic in self._topics:
                    raise LogUnavailable(f"the topic {record.topic} is missing")
                raise RecordRefused(f"the topic {record.topic} is not among this log's topics")
            if len(record.key) + len(record.value) > MAX_RECORD_BYTES:
                raise RecordRefused(f"the record is larger than {MAX_RECORD_BYTES} bytes")
        return link.append(records)

    def consumer(self, group: str, topics: Sequence[str]) -> KafkaConsumer:
        """A new member of ``group`` on ``topics``; it joins in the background from its first fetch on."""
        consumer = KafkaConsumer(
            self._cluster,
            group,
            topics,
            instance_id=self._instance_id,
            session_timeout=self._session_timeout,
            stall_timeout=self._stall_timeout,
            closed=self._consumers.remove,
        )
        self._consumers.append(consumer)
        return consumer

    def ready(self) -> tuple[bool, str]:
        """Whether a producer is connected; it is looked after every few seconds while nothing is appended."""
        link = self._link
        if link is not None and link.broken.done():
            return False, link.broken.result()
        return link is not None, self._trouble

    async def _supervise(self) -> None:
        """Hold a working link, for ever."""
        backoff = FIRST_BACKOFF
        while True:
            link: Link | None = None
            try:
                link = await self._connect()
                backoff = FIRST_BACKOFF
                self._tried.set()
                reason = await self._watch(link)
                log.warning("log.kafka.producer_lost", reason=reason)
            except (KafkaError, OSError) as error:
                reason = type(error).__name__
                if reason != self._trouble:
                    log.warning("log.kafka.away", reason=reason)
            except Exception as error:
                reason = type(error).__name__
                log.exception("log.kafka.producer_failed")
            finally:
                self._link = None
                if link is not None:
                    await complete(link.drop())
            self._trouble = reason
            self._tried.set()
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _connect(self) -> Link:
        async with asyncio.timeout(self._cluster.timeout * 2):
            partitions = await ensure_topics(self._cluster, self._topics, replication_factor=self._replication_factor)
            link = Link(self._cluster, partitions, timeout=self._timeout)
            try:
                await link.connect()
            except BaseException:
                await complete(link.drop())
                raise
        self._link = link
        self.links += 1
        self._tell_missing(link)
        log.info("log.kafka.producer_connected", link=self.links)
        return link

    async def _watch(self, link: Link) -> str:
        """Wait until the link is of no use any more; returns why."""
        loop = asyncio.get_running_loop()
        backoff = FIRST_MISSING
        while True:
            await asyncio.wait([link.broken], timeout=backoff if self._missing(link) else IDLE_SECONDS)
            if link.broken.done():
                return link.broken.result()
            try:
                if self._missing(link):
                    backoff = min(backoff * 2, LONGEST_MISSING)
                    await self._look_for_topics(link)
                elif loop.time() - link.confirmed_at > IDLE_SECONDS:
                    async with asyncio.timeout(self._cluster.timeout):
                        if not await link.alive():
                            return "no broker answers"
            except (KafkaError, OSError) as error:
                return type(error).__name__

    async def _look_for_topics(self, link: Link) -> None:
        async with asyncio.timeout(self._cluster.timeout * 2):
            link.learn(await ensure_topics(self._cluster, self._topics, replication_factor=self._replication_factor))
        self._tell_missing(link)

    def _missing(self, link: Link) -> list[str]:
        return sorted(topic for topic in self._topics if not link.has(topic))

    def _tell_missing(self, link: Link) -> None:
        missing = self._missing(link)
        self._trouble = f"missing topics: {', '.join(missing)}" if missing else ""
