"""A member of a Kafka consumer group that looks after itself.

aiokafka's consumer may die, or stand still without an error after its broker was restarted. So a supervisor holds
one, compares its own progress with the end of the log, and makes a new one when it has stood still for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from gateway.eventlog.base import LogUnavailable, Record, Taken
from gateway.eventlog.kafka_cluster import Cluster, complete, has_member

log = structlog.get_logger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 2.0
COMMIT_SECONDS = 5.0
LEAVE_SECONDS, LEAVE_TRIES = 2.0, 3
SETTLE_SECONDS = 2.0
ENDS_SECONDS = 1.0
# Whoever does not ask for so long is not waiting for records.
ASKING_SECONDS = 1.0


class KafkaConsumer:
    """A :class:`~gateway.eventlog.base.Consumer`; see :class:`~gateway.eventlog.kafka.KafkaLog` for the parameters."""

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        *,
        instance_id: str,
        session_timeout: float,
        stall_timeout: float,
        closed: Callable[[KafkaConsumer], None],
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._topics = list(topics)
        self._instance_id = instance_id
        self._session_timeout = session_timeout
        self._stall_timeout = stall_timeout
        self._on_closed = closed
        self._client_suffix = f"-{secrets.token_hex(4)}"
        self._supervisor: asyncio.Task[None] | None = None
        self._member: AIOKafkaConsumer | None = None
        self._joined = asyncio.Event()
        self._lost: asyncio.Future[str] | None = None
        self._hungry_since: float | None = None
        self._asked_at = 0.0
        self._fetched: dict[TopicPartition, int] = {}
        self._intended: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._settled = asyncio.Event()
        self._ends: dict[TopicPartition, int] = {}
        self._ends_at = 0.0
        self.members = 0
        """Consumers made so far."""

    async def fetch(self, *, limit: int, timeout: float) -> Sequence[Taken]:
        """Up to ``limit`` records, waiting up to ``timeout`` seconds for the first.

        Empty too while the brokers are away.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        if self._supervisor is None:
            self._supervisor = loop.create_task(self._supervise(), name=f"kafka-consumer {self._group}")
        if self._hungry_since is None or loop.time() - self._asked_at > ASKING_SECONDS:
            self._hungry_since = loop.time()
        try:
            return await self._fetch(limit, deadline)
        finally:
            self._asked_at = loop.time()

    async def _fetch(self, limit: int, deadline: float) -> Sequence[Taken]:
        loop = asyncio.get_running_loop()
        while True:
            remaining = deadline - loop.time()
            member = self._member
            try:
                if member is None:
                    async with asyncio.timeout(remaining):
                        await self._joined.wait()
                    continue
                # During a rebalance aiokafka waits for its end, however long that takes.
                async with asyncio.timeout(max(0.0, remaining) + 0.1):
                    batches = await member.getmany(timeout_ms=max(0, int(remaining * 1000)), max_records=limit)
            except TimeoutError:
                return ()
            except KafkaError as error:
                self._lose(member, type(error).__name__)
                continue
            taken = [self._take(tp, message) for tp, messages in batches.items() for message in messages]
            if taken:
                self._hungry_since = None
            if taken or loop.time() >= deadline:
                return taken

    async def commit(self) -> None:
        """Commit everything that :meth:`fetch` has returned so far. Raises :class:`LogUnavailable`."""
        self._intended |= self._fetched
        await self._commit()
        self._fetched.clear()
        self._settled.set()

    async def lag(self) -> int:
        """Records of this member's partitions that are not committed, as of about a second ago."""
        member = self._member
        if member is None:
            return 0
        with contextlib.suppress(KafkaError, TimeoutError, IllegalStateError):
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._refresh(member)
        return sum(max(0, end - self._committed.get(tp, end)) for tp, end in self._ends.items())

    async def close(self) -> None:
        """Leave the group without committing."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        with contextlib.suppress(ValueError):
            self._on_closed(self)

    def revoked(self) -> None:
        """What was fetched belongs to somebody else now."""
        self._fetched.clear()
        self._intended.clear()
        self._committed.clear()
        self._ends.clear()

    async def settle(self) -> None:
        """Before partitions go: let the batch that is being worked on be committed, but not for long."""
        if self._fetched:
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._settled.wait()
        with contextlib.suppress(LogUnavailable):
            await self._commit()
        self.revoked()

    def _take(self, tp: TopicPartition, message: object) -> Taken:
        offset: int = message.offset  # type: ignore[attr-defined]
        self._fetched[tp] = offset + 1
        return Taken(
            Record(tp.topic, message.key or b"", message.value or b"", tuple(message.headers)),  # type: ignore[attr-defined]
            tp.partition,
            offset,
            message.timestamp / 1000,  # type: ignore[attr-defined]
        )

    async def _commit(self) -> None:
        member, offsets = self._member, dict(self._intended)
        if member is None or not offsets:
            self._intended.clear()
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await member.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            log.info("log.kafka.commit_too_late", group=self._group, partitions=len(offsets))
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"the offsets are not committed ({type(error).__name__})") from error
        else:
            self._committed |= offsets
        self._intended = {tp: n for tp, n in self._intended.items() if offsets.get(tp) != n}

    async def _refresh(self, member: AIOKafkaConsumer) -> None:
        """Learn the ends of the partitions, at most once a second, and where the group stands in those that are new."""
        now = asyncio.get_running_loop().time()
        assigned = member.assignment()
        if now - self._ends_at >= ENDS_SECONDS or assigned != self._ends.keys():
            ends = await member.end_offsets(list(assigned))
            unknown = [tp for tp in assigned if tp not in self._committed]
            first = await member.beginning_offsets(unknown)
            for tp in unknown:
                self._committed.setdefault(tp, await member.committed(tp) or first[tp])
            self._ends, self._ends_at = ends, now

    def _lose(self, member: AIOKafkaConsumer | None, reason: str) -> None:
        if member is not None and member is self._member and self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)
            self._member = None
            self._joined.clear()

    async def _supervise(self) -> None:
        """Hold a working member, for ever."""
        backoff = FIRST_BACKOFF
        reason = ""
        while True:
            member = self._make()
            try:
                async with asyncio.timeout(self._cluster.timeout + 3 * self._session_timeout):
                    await member.start()
                backoff = FIRST_BACKOFF
                self.members += 1
                self._member = member
                self._lost = asyncio.get_running_loop().create_future()
                self._joined.set()
                log.info("log.kafka.consumer_joined", group=self._group, member=self.members)
                reason = await self._watch(member, self._lost)
                log.warning("log.kafka.consumer_lost", group=self._group, reason=reason)
            except (KafkaError, OSError) as error:
                if reason != type(error).__name__:
                    reason = type(error).__name__
                    log.warning("log.kafka.consumer_away", group=self._group, reason=reason)
            except Exception:
                log.exception("log.kafka.consumer_failed", group=self._group)
            finally:
                self._member = None
                self._joined.clear()
                self.revoked()
                await complete(member.leave())
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _make(self) -> _Member:
        member = _Member(
            **self._cluster.options(self._client_suffix),
            group_id=self._group,
            group_instance_id=self._instance_id or None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._session_timeout * 1000),
            heartbeat_interval_ms=int(self._session_timeout * 1000 / 5),
            rebalance_timeout_ms=int(2 * self._session_timeout * 1000),
            # A join is answered only when the rebalance is over.
            request_timeout_ms=int(2 * self._session_timeout * 1000 + self._cluster.timeout * 1000),
        )
        member.subscribe(self._topics, listener=_Listener(self))
        return member

    async def _watch(self, member: AIOKafkaConsumer, lost: asyncio.Future[str]) -> str:
        """Wait until the member is of no use any more; returns why."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.wait([lost], timeout=self._stall_timeout / 3)
            if lost.done():
                return lost.result()
            hungry = self._hungry_since
            if hungry is None or loop.time() - hungry < self._stall_timeout:
                continue
            well = await self._is_well(member)
            if self._hungry_since == hungry:
                if not well:
                    return "it stands still"
                self._hungry_since = loop.time()

    async def _is_well(self, member: AIOKafkaConsumer) -> bool:
        """Whether a member that has brought nothing for long has a good reason: it is at the end, or a mere reserve."""
        try:
            # A coordinator amid a rebalance, or a busy one, answers late: that proves nothing against the member.
            async with asyncio.timeout(max(self._stall_timeout, 2 * self._cluster.timeout)):
                assigned = member.assignment()
                if not assigned:
                    return await has_member(self._cluster, self._group, self._cluster.client_id + self._client_suffix)
                ends = await member.end_offsets(list(assigned))
                return all([await member.position(tp) >= end for tp, end in ends.items()])
        except IllegalStateError:
            # It has lost a partition while it was looked at: a rebalance, which it takes part in.
            return True
        except (KafkaError, OSError) as error:
            log.info("log.kafka.consumer_not_proven", group=self._group, reason=type(error).__name__)
            return False


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """aiokafka's way to tell of a rebalance."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """All partitions go; some may come back."""
        if revoked:
            await self._consumer.settle()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing to do: positions start at what is committed."""


class _Member(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, which can also leave within a bounded time."""

    async def leave(self) -> None:
        """Leave the group if the brokers answer soon, and let go in any case."""
        stopping = asyncio.ensure_future(self.stop())
        for _ in range(LEAVE_TRIES):
            await asyncio.wait([stopping], timeout=LEAVE_SECONDS)
            if stopping.done():
                break
            # What it waits for fails at once when the connections do.
            await self._client.close()
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError, KafkaError):
            await stopping
