"""One life of a Kafka producer, and the group commit in front of it.

Each partition is a lane: one batch of it is under way at a time, and what comes meanwhile goes together in the next.
So a lane keeps its order, and under load a batch carries many records; nothing waits for company.

aiokafka's own ``send`` costs a coroutine, two futures and a look at the metadata for every record. Here a record
costs its encoding, and the rest is paid once a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from zlib import crc32

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from gateway.eventlog.base import LogUnavailable, Record, RecordRefused
from gateway.eventlog.kafka_cluster import Cluster
from gateway.seams import Seam, reached

log = structlog.get_logger(__name__)

# Under the brokers' default message.max.bytes (1048588), with room for the batch's own header.
MAX_BATCH_BYTES = 1_000_000
# Key and value of one record; headers beyond what is left are for the brokers to refuse.
MAX_RECORD_BYTES = 980_000
DROP_SECONDS = 2.0


class Append:
    """One append under way: the future is done when the last of its records is durable."""

    __slots__ = ("future", "left")

    def __init__(self, future: asyncio.Future[None], records: int) -> None:
        self.future = future
        self.left = records

    def durable(self) -> None:
        """One more record is."""
        self.left -= 1
        if not self.left and not self.future.done():
            self.future.set_result(None)

    def failed(self, error: LogUnavailable) -> None:
        """A record is not, or nobody knows."""
        if not self.future.done():
            self.future.set_exception(error)


_Pending = list[tuple[Record, Append]]


class Lane:
    """One partition: what waits for it, and what is under way."""

    __slots__ = ("partition", "topic", "under_way", "waiting")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.waiting: _Pending = []
        self.under_way: _Pending = []


class Link:
    """One connected producer. When it fails, everything on it fails, :attr:`broken` is done, and a new one is due.

    ``partitions`` tells how many partitions each topic has. ``timeout`` in seconds bounds the way of one batch. A
    producer that missed it is given up as a whole: its idempotent sender would deliver late, but never give up.
    """

    def __init__(self, cluster: Cluster, partitions: Mapping[str, int], *, timeout: float) -> None:
        self._timeout = timeout
        self._lanes: dict[str, list[Lane]] = {}
        self.learn(partitions)
        self._loop = asyncio.get_running_loop()
        self._producer = _Producer(
            **cluster.options(),
            enable_idempotence=True,
            acks="all",
            max_batch_size=MAX_BATCH_BYTES,
            request_timeout_ms=int(max(cluster.timeout, timeout) * 1000),
        )
        self._due: list[Lane] = []
        self._sends: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[str] = self._loop.create_future()
        self.confirmed_at = self._loop.time()

    async def connect(self) -> None:
        """Raises :class:`KafkaError` or :class:`OSError` where no broker answers."""
        await self._producer.start()

    def learn(self, partitions: Mapping[str, int]) -> None:
        """Take note of topics that are there now; a known one keeps its number of partitions."""
        for topic, count in partitions.items():
            if topic not in self._lanes:
                self._lanes[topic] = [Lane(topic, n) for n in range(count)]

    def has(self, topic: str) -> bool:
        """Whether the topic was there when it was last looked for."""
        return topic in self._lanes

    def append(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """Put the records into their lanes; all of their topics must be known and their sizes checked."""
        future = self._loop.create_future()
        append = Append(future, len(records))
        for record in records:
            lanes = self._lanes[record.topic]
            # Any hash will do that every process, in every release, computes alike.
            lane = lanes[crc32(record.key) % len(lanes)]
            if not lane.waiting and not lane.under_way:
                self._plan(lane)
            lane.waiting.append((record, append))
        return future

    async def alive(self) -> bool:
        """Ask the cluster for a sign of life."""
        return bool(await self._producer.client.force_metadata_update())

    async def drain(self) -> None:
        """Wait for what is under way; each send is bounded by the link's timeout."""
        while self._sends or self._due:
            await asyncio.sleep(0)
            if self._sends:
                await asyncio.wait(self._sends)

    async def drop(self) -> None:
        """Let go of the producer, with whatever it still holds."""
        self._break("the link is closed")
        for send in self._sends:
            send.cancel()
        await asyncio.gather(*self._sends, return_exceptions=True)
        await self._producer.drop()

    def _plan(self, lane: Lane) -> None:
        if not self._due:
            self._loop.call_soon(self._depart)
        self._due.append(lane)

    def _depart(self) -> None:
        lanes, self._due = self._due, []
        for lane in lanes:
            if lane.waiting and not self.broken.done():
                send = self._loop.create_task(self._send(lane))
                self._sends.add(send)
                send.add_done_callback(self._sends.discard)

    async def _send(self, lane: Lane) -> None:
        try:
            batch = self._fill(lane)
            reached(Seam.BEFORE_LOG_WRITE)
            async with asyncio.timeout(self._timeout):
                await (await self._producer.send_batch(batch, lane.topic, partition=lane.partition))
        except TimeoutError:
            self._break(f"no confirmation within {self._timeout:g} s")
        except MessageSizeTooLargeError:
            if len(lane.under_way) == 1:
                _fail(lane.under_way, RecordRefused("the record is larger than the brokers take"))
            self._break("a batch is larger than the brokers take")
        except KafkaError as error:
            # Whatever it is, the sequence numbers of an idempotent producer have a gap now.
            self._break(type(error).__name__)
        except Exception as error:
            log.exception("log.kafka.send_failed", topic=lane.topic, partition=lane.partition)
            self._break(type(error).__name__)
        else:
            reached(Seam.AFTER_LOG_WRITE)
            self.confirmed_at = self._loop.time()
            confirmed, lane.under_way = lane.under_way, []
            for _, append in confirmed:
                append.durable()
            if lane.waiting:
                self._plan(lane)

    def _fill(self, lane: Lane) -> BatchBuilder:
        """Move what waits, as far as it fits into one batch."""
        batch = self._producer.create_batch()
        taken = 0
        for record, _ in lane.waiting:
            headers = list(record.headers)
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
                break
            taken += 1
        lane.under_way, lane.waiting = lane.waiting[:taken], lane.waiting[taken:]
        return batch

    def _break(self, reason: str) -> None:
        if not self.broken.done():
            self.broken.set_result(reason)
            error = LogUnavailable(f"the brokers did not confirm: {reason}")
            for lanes in self._lanes.values():
                for lane in lanes:
                    _fail(lane.under_way + lane.waiting, error)
                    lane.under_way, lane.waiting = [], []


class _Producer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer, which can also be dropped."""

    async def drop(self) -> None:
        """Stop without delivering what is buffered; ``stop`` waits for that for as long as the brokers are away."""
        self._closed = True
        # Its requests fail at once when their connections do, so that its sender can be cancelled.
        await self.client.close()
        with contextlib.suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(DROP_SECONDS):
                await self._sender.close()
        await self.client.close()


def _fail(pending: _Pending, error: LogUnavailable) -> None:
    for _, append in pending:
        append.failed(type(error)(*error.args))
