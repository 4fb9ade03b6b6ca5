"""One life of a Kafka producer, and the group commit in front of it.

Each partition is a lane: one batch of it is under way at a time, and what comes meanwhile goes together in the next.
So a lane keeps its order, and under load a batch carries many records; nothing waits for company.

Lanes that are due at the same moment depart together, in one request for each broker; others need not wait for that
to come back. A record costs its encoding, and the rest is paid once a departure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from zlib import crc32

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from gateway.eventlog.base import LogUnavailable, Record, RecordRefused
from gateway.eventlog.kafka_cluster import Cluster
from gateway.eventlog.kafka_sender import Batch, Sender
from gateway.seams import Seam, reached

log = structlog.get_logger(__name__)

# Key and value of one record; headers beyond what is left are for the brokers to refuse.
MAX_RECORD_BYTES = 980_000


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

    __slots__ = ("place", "under_way", "waiting")

    def __init__(self, topic: str, partition: int) -> None:
        self.place = TopicPartition(topic, partition)
        self.waiting: _Pending = []
        self.under_way: _Pending = []


class Link:
    """One connected producer. When it fails, everything on it fails, :attr:`broken` is done, and a new one is due.

    ``partitions`` tells how many partitions each topic has. ``timeout`` in seconds bounds the way of one batch. A
    producer that missed it is given up as a whole: its idempotent sender would deliver late, but never give up.
    """

    def __init__(self, cluster: Cluster, partitions: Mapping[str, int], *, timeout: float) -> None:
        self._timeout = timeout
        self._lanes = {topic: _lanes(topic, count) for topic, count in partitions.items()}
        self._sender = Sender(cluster, timeout=max(cluster.timeout, timeout))
        self._loop = asyncio.get_running_loop()
        self._due: list[Lane] = []
        self._departures: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[str] = self._loop.create_future()
        self.confirmed_at = self._loop.time()

    async def connect(self) -> None:
        """Raises :class:`KafkaError` or :class:`OSError` where no broker answers."""
        await self._sender.connect(self._lanes)

    def learn(self, partitions: Mapping[str, int]) -> None:
        """Take note of topics that are there now; a known one keeps its number of partitions."""
        for topic, count in partitions.items():
            if topic not in self._lanes:
                self._lanes[topic] = _lanes(topic, count)
                self._sender.learn(topic)

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
        return await self._sender.alive()

    async def drain(self) -> None:
        """Wait for what is under way; each departure is bounded by the link's timeout."""
        while self._departures or self._due:
            await asyncio.sleep(0)
            if self._departures:
                await asyncio.wait(self._departures)

    async def drop(self) -> None:
        """Let go of the producer, with whatever it still holds."""
        self._break("the link is closed")
        for departure in self._departures:
            departure.cancel()
        await asyncio.gather(*self._departures, return_exceptions=True)
        await self._sender.close()

    def _plan(self, lane: Lane) -> None:
        if not self._due:
            self._loop.call_soon(self._depart)
        self._due.append(lane)

    def _depart(self) -> None:
        lanes, self._due = self._due, []
        if self.broken.done():
            return
        by_leader: dict[int, list[Lane]] = {}
        for lane in lanes:
            if lane.waiting:
                by_leader.setdefault(self._sender.leader(lane.place), []).append(lane)
        for together in by_leader.values():
            departure = self._loop.create_task(self._travel(together))
            self._departures.add(departure)
            departure.add_done_callback(self._departures.discard)

    async def _travel(self, lanes: Iterable[Lane]) -> None:
        by_place = {lane.place: lane for lane in lanes}
        try:
            batches = {place: self._fill(lane) for place, lane in by_place.items()}
            reached(Seam.BEFORE_LOG_WRITE)
            async with asyncio.timeout(self._timeout):
                await self._sender.deliver(batches, lambda place: self._confirmed(by_place[place]))
        except TimeoutError:
            self._break(f"no confirmation within {self._timeout:g} s")
        except (KafkaError, OSError) as error:
            self._break(type(error).__name__)
        except Exception as error:
            log.exception("log.kafka.send_failed", partitions=len(by_place))
            self._break(type(error).__name__)

    def _confirmed(self, lane: Lane) -> None:
        reached(Seam.AFTER_LOG_WRITE)
        self.confirmed_at = self._loop.time()
        confirmed, lane.under_way = lane.under_way, []
        for _, append in confirmed:
            append.durable()
        if lane.waiting:
            self._plan(lane)

    def _fill(self, lane: Lane) -> Batch:
        """Move what waits, as far as it fits into one batch."""
        data, taken = self._sender.batch(lane.place, [record for record, _ in lane.waiting])
        lane.under_way, lane.waiting = lane.waiting[:taken], lane.waiting[taken:]
        return Batch(data, partial(_refuse, lane))

    def _break(self, reason: str) -> None:
        if not self.broken.done():
            self.broken.set_result(reason)
            error = LogUnavailable(f"the brokers did not confirm: {reason}")
            for lanes in self._lanes.values():
                for lane in lanes:
                    _fail(lane.under_way + lane.waiting, error)
                    lane.under_way, lane.waiting = [], []


def _lanes(topic: str, count: int) -> list[Lane]:
    return [Lane(topic, partition) for partition in range(count)]


def _refuse(lane: Lane) -> None:
    """The brokers take less than a batch may hold: where it is one record, that one will never be taken."""
    if len(lane.under_way) == 1:
        _fail(lane.under_way, RecordRefused("the record is larger than the brokers take"))


def _fail(pending: _Pending, error: LogUnavailable) -> None:
    for _, append in pending:
        append.failed(type(error)(*error.args))
