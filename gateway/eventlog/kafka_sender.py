"""Sending batches to Kafka, idempotently: a batch that is sent again is written once.

aiokafka's client holds the connections and the metadata, its record builder writes the batches. Its own producer is
not used: it makes several futures and a task for every batch of every partition, and has one request under way at a
time. Here all batches that are due for one broker are one request, and requests follow one another without waiting.

Protocol: Apache Kafka's protocol guide (``InitProducerId``, ``Produce``, record batch format v2) and KIP-98.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    NoError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from gateway.eventlog.base import Record
from gateway.eventlog.kafka_cluster import Cluster

# Under the brokers' default message.max.bytes (1048588), with room for the batch's own header.
MAX_BATCH_BYTES = 1_000_000
SEQUENCES = 2**31
"""A partition's sequence number is 31 bits and begins again at 0."""
ALL_IN_SYNC = -1
BACKOFF_SECONDS = 0.05


class Batch(NamedTuple):
    """Records as one partition takes them; ``refused`` is called where they are too large for its broker."""

    data: bytes
    refused: Callable[[], None]


Batches = Mapping[TopicPartition, Batch]


class Sender:
    """One idempotent producer's identity, and its connections. ``timeout`` in seconds bounds one request.

    What it sends to one partition must be sent in order, one batch at a time.
    """

    def __init__(self, cluster: Cluster, *, timeout: float) -> None:
        self._timeout_ms = int(timeout * 1000)
        self._client = AIOKafkaClient(**cluster.options(), request_timeout_ms=self._timeout_ms)
        self._identity = (-1, -1)
        self._sequences: dict[TopicPartition, int] = {}

    async def connect(self, topics: Iterable[str]) -> None:
        """Find the brokers and the leaders of ``topics``, and get an identity, which a broker gives once it is ready.

        Raises :class:`KafkaError` or :class:`OSError` where no broker answers.
        """
        await self._client.bootstrap()
        await self._client.set_topics(list(topics))
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=self._timeout_ms)
        while True:
            answer = await self._client.send(self._client.get_random_node(), request)
            error = for_code(answer.error_code)
            if error is NoError:
                break
            if not error.retriable:
                raise error
            await asyncio.sleep(BACKOFF_SECONDS)
        self._identity = (answer.producer_id, answer.producer_epoch)

    async def close(self) -> None:
        """Let go of the connections; requests under way fail."""
        await self._client.close()

    def learn(self, topic: str) -> None:
        """Follow the leaders of one topic more."""
        self._client.add_topic(topic)

    async def alive(self) -> bool:
        """Ask the cluster for a sign of life."""
        return bool(await self._client.force_metadata_update())

    def leader(self, place: TopicPartition) -> int:
        """The broker that takes a partition's batches; -1 where none is known."""
        leader = self._client.cluster.leader_for_partition(place)
        return -1 if leader is None else int(leader)

    def batch(self, place: TopicPartition, records: Sequence[Record]) -> tuple[bytes, int]:
        """The first of the records as one batch, and how many went into it: as many as it may hold."""
        sequence = self._sequences.get(place, 0)
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=0,
            producer_id=self._identity[0],
            producer_epoch=self._identity[1],
            base_sequence=sequence,
            batch_size=MAX_BATCH_BYTES,
        )
        taken = 0
        for one in records:
            if builder.append(taken, None, key=one.key, value=one.value, headers=list(one.headers)) is None:
                break
            taken += 1
        self._sequences[place] = (sequence + taken) % SEQUENCES
        return bytes(builder.build()), taken

    async def deliver(self, batches: Batches, confirmed: Callable[[TopicPartition], None]) -> None:
        """Send batches until each is confirmed; ``confirmed`` hears of each at once.

        Raises :class:`KafkaError` where no repetition mends it, :class:`OSError` where a connection breaks in its
        making; has no bound in time of its own.
        """
        left = dict(batches)
        while True:
            groups: dict[int, dict[TopicPartition, Batch]] = {}
            for place, batch in left.items():
                groups.setdefault(self.leader(place), {})[place] = batch
            if len(groups) == 1:
                [(node, group)] = groups.items()
                left = await self._send(node, group, confirmed)
            else:
                parts = await asyncio.gather(*(self._send(node, group, confirmed) for node, group in groups.items()))
                left = {place: batch for part in parts for place, batch in part.items()}
            if not left:
                return
            await asyncio.sleep(BACKOFF_SECONDS)
            await self._client.force_metadata_update()

    async def _send(
        self, node: int, batches: dict[TopicPartition, Batch], confirmed: Callable[[TopicPartition], None]
    ) -> dict[TopicPartition, Batch]:
        """One request; returns what it is worth sending again."""
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for place, batch in batches.items():
            topics.setdefault(place.topic, []).append((place.partition, batch.data))
        request = ProduceRequest(
            transactional_id=None,
            required_acks=ALL_IN_SYNC,
            timeout=self._timeout_ms,
            topics=list(topics.items()),
        )
        try:
            if node < 0:
                raise LeaderNotAvailableError
            answer = await self._client.send(node, request)
        except KafkaError as failure:
            if not failure.retriable:
                raise
            return batches
        left = dict(batches)
        fatal: KafkaError | None = None
        for topic, partitions in answer.topics:
            for partition, code, *_ in partitions:
                place = TopicPartition(topic, partition)
                error = for_code(code)
                if error is NoError or error is DuplicateSequenceNumber:
                    del left[place]
                    confirmed(place)
                elif not error.retriable:
                    if error is MessageSizeTooLargeError:
                        batches[place].refused()
                    fatal = error()
        if fatal is not None:
            # Whatever it is, the sequence numbers have a gap now.
            raise fatal
        return left
