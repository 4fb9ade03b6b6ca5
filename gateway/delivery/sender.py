"""One channel's sender: leases replies, hands them to the provider within its limits, settles each on its own."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from aiolimiter import AsyncLimiter
from sqlalchemy.exc import DBAPIError

from channels.base import Channel
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from config.settings import Settings
from gateway.delivery.breaker import Breaker, State
from gateway.delivery.outcome import settlement_of, status_of
from gateway.delivery.queue import Leased, Publication, Queue, Settlement
from gateway.dispatcher.outgoing import PRIVATELY
from gateway.health.journal import Journal
from gateway.health.others import Others
from gateway.health.pauses import Pauses
from gateway.metrics import Metrics
from gateway.pace import Pace
from gateway.seams import Seam, reached
from gateway.store.engine import Store, StoreUnavailable
from normalizer.cloudevents import headers
from normalizer.messages import DeadLetter, DeliveryEvent, encode

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
"""How often an idle sender looks for replies that another process wrote, or for its next turn."""


LEASE_PACE, SETTLE_PACE = 0.02, 0.01
"""Seconds between two leases, and between two writings of outcomes: each is a transaction for all that came by then."""
PACED_SLOTS = 20
"""With fewer replies in flight than these, leases come closer: pace is not to bound what the provider may take."""


class Sender:
    """The sender of one channel in one process.

    What is leased is in flight: never more than ``max_in_flight`` replies, each until its outcome is in the store.
    So a crash leaves at most that many replies of which nobody knows whether the provider took them. ``idle`` is how
    long it rests, in seconds, when there was nothing to send and nobody wakes it.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        owner: str,
        source: str,
        pauses: Pauses | None = None,
        journal: Journal | None = None,
        others: Others | None = None,
        idle: float = IDLE_SECONDS,
    ) -> None:
        self.channel = channel
        self._idle = idle
        self._pauses = pauses or Pauses(known=True)
        self._journal = journal or Journal()
        self._others = others or Others()
        self._settings = settings
        self._metrics = metrics
        self._sent = metrics.replies_sent.labels(channel.name)
        self._latency = metrics.reply_latency.labels(channel.name)
        self._source = source
        self._queue = Queue(store, channel.name, owner, cases_topic=settings.topics.cases, source=source)
        limits, own = channel.spec.limits, channel.settings
        self._whole_rate = own.max_per_second or limits.max_per_second
        self._limiter: AsyncLimiter | None = None
        self.rate: float | None = None
        """Replies a second that this process sends at most: its share of what the channel may; ``None``: no bound."""
        self._take_share()
        self._slots = own.max_in_flight or limits.max_in_flight
        delivery = settings.delivery
        self.breaker = Breaker(failures=delivery.breaker_failures, probe=delivery.breaker_probe)
        self._lease_pace = Pace(LEASE_PACE * min(1.0, self._slots / PACED_SLOTS))
        self._settle_pace = Pace(SETTLE_PACE * min(1.0, self._slots / PACED_SLOTS))
        self._in_flight: set[asyncio.Task[None]] = set()
        self._settlements: list[Settlement] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._settle_wake = asyncio.Event()
        self._stopping = False
        self.credentials_refused = ""
        self.last_sent = 0.0
        """When the provider last took a reply, Unix seconds; 0 before the first."""
        self.last_failed = 0.0
        """When the breaker was last told of a failure, Unix seconds; 0 before the first."""
        self.waiting = 0
        """Replies of the channel that wait or are in delivery, in any process, as somebody last counted them."""

    @property
    def trying(self) -> bool:
        """Whether replies are in flight."""
        return bool(self._in_flight)

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def stop(self) -> None:
        """Lease nothing more; what is in flight is finished."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Send until :meth:`stop`, then finish what is in flight and settle it."""
        settling = asyncio.create_task(self._settle_forever(), name=f"settle {self.channel.name}")
        try:
            while not self._stopping:
                try:
                    leased = await self._lease()
                except (StoreUnavailable, DBAPIError) as error:
                    log.warning("delivery.store_away", channel=self.channel.name, reason=type(error).__name__)
                    await self._rest(2.0)
                    continue
                if not leased:
                    await self._rest(self._idle if self._turns(1) else IDLE_SECONDS)
            await asyncio.gather(*self._in_flight)
        finally:
            self._settle_wake.set()
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)

    async def _lease(self) -> int:
        """Lease what there is room for and start sending it; returns how much that was."""
        await self._lease_pace.turn()
        room = self._slots - len(self._in_flight)
        if self.breaker.state is State.HALF_OPEN:
            room = min(room, 1 - len(self._in_flight))
        elif self.breaker.state is State.OPEN:
            room = 0
        self._take_share()
        room = self._turns(room)
        if room <= 0 or self._pauses.holds(self.channel.name, "out"):
            return 0
        # Our own clock, read before the question: by the time of the answer some of the lease has passed.
        until = time.monotonic() + self._settings.delivery.lease
        leased = await self._queue.lease(room, self._settings.delivery.lease)
        if leased:
            reached(Seam.LEASED)
            if self._limiter is not None:
                # There is so much left: nobody else takes of it.
                await self._limiter.acquire(len(leased))
        for one in leased:
            task = asyncio.create_task(self._deliver(one, until), name=f"deliver {one.message.delivery}")
            self._in_flight.add(task)
            task.add_done_callback(self._landed)
        return len(leased)

    def _turns(self, most: int) -> int:
        """How many of ``most`` replies may be sent now.

        Nothing is leased before its turn: what waits for it longer than its lease would give the turn away.
        """
        limiter = self._limiter
        if limiter is None:
            return most
        most = min(most, int(limiter.max_rate))
        return next((turns for turns in range(most, 0, -1) if limiter.has_capacity(turns)), 0)

    def _take_share(self) -> None:
        """The provider counts what all processes send: each takes an equal part of the rate, of how many there are."""
        rate = self._whole_rate and self._whole_rate / self._others.deliverers
        if rate and rate != self.rate:
            self.rate = rate
            self._limiter = AsyncLimiter(max(1.0, rate), max(1.0, rate) / rate)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("delivery.task_failed", channel=self.channel.name, exc_info=task.exception())

    async def _deliver(self, leased: Leased, until: float) -> None:
        """Send one reply, and wait until its outcome is in the store."""
        began = time.monotonic()
        settlement = await self._attempt(leased, until)
        self._note(leased, settlement, time.monotonic() - began)
        settled = asyncio.get_running_loop().create_future()
        self._settlements.append(settlement)
        self._waiters.append(settled)
        self._settle_wake.set()
        await settled
        self._count(settlement)

    async def _attempt(self, leased: Leased, until: float) -> Settlement:
        """One attempt, and what it came to."""
        delivery = self._settings.delivery
        # A process that was paused may hold a lease that is another's by now.
        if time.monotonic() + delivery.timeout > until:
            return Settlement(leased, "held", time.time(), detail="the lease ran out")
        if leased.doubtful:
            self._metrics.replies_maybe_doubled.labels(self.channel.name).inc()
            log.warning("delivery.maybe_doubled", channel=self.channel.name, delivery=leased.message.delivery)
        reached(Seam.BEFORE_SEND)
        try:
            async with asyncio.timeout(delivery.timeout):
                sent = await self.channel.send(leased.message)
        except TimeoutError:
            return self._failed(Uncertain("no answer within the time allowed", reason="timeout"), leased)
        except (Refused, Misconfigured, RetryLater) as error:
            return self._failed(error, leased)
        except Exception as error:
            log.exception("delivery.channel_failed", channel=self.channel.name)
            return self._failed(Uncertain(type(error).__name__, reason="bug"), leased)
        reached(Seam.SENT)
        await self._succeeded()
        return Settlement(leased, "sent", time.time(), provider_ids=sent.provider_ids)

    def _note(self, leased: Leased, settlement: Settlement, seconds: float) -> None:
        """Into the journal, without a word of the reply."""
        name, message = self.channel.name, leased.message
        if settlement.outcome == "sent" and not self._journal.wants(name, "out"):
            return
        status = 200 if settlement.outcome == "sent" else status_of(settlement.detail)
        ids = ", ".join(settlement.provider_ids)
        answer = settlement.detail or (f"taken as {ids}" if ids else "taken")
        told = f"reply {message.delivery}, {len(message.text)} characters, attempt {leased.attempts}"
        self._journal.note(name, "out", f"send {message.purpose}", status, seconds, told, answer)

    async def _succeeded(self) -> None:
        was_down = self.breaker.state is not State.CLOSED
        self.breaker.succeeded()
        self.credentials_refused = ""
        if was_down:
            log.info("delivery.channel_back", channel=self.channel.name)
            try:
                await self._queue.recall()
            except (StoreUnavailable, DBAPIError):
                log.warning("delivery.recall_failed", channel=self.channel.name)

    def _failed(self, error: ChannelError, leased: Leased) -> Settlement:
        """Tell the breaker, count, and settle a failed attempt."""
        reason = f"{error.reason}: {error}"
        one_way = isinstance(error, RetryLater) and not error.whole_channel
        slowed = one_way and error.reason == "throttled"
        if one_way and error.reason == "quota":
            # The provider was not asked: direct messages are used up for now, posts go on.
            pass
        elif slowed or isinstance(error, Refused):
            # The provider answered: the channel is well, this reply or this conversation is not.
            self.breaker.succeeded()
        elif isinstance(error, Misconfigured):
            self.credentials_refused = reason
            self.last_failed = time.time()
            self.breaker.failed(reason, at_once=True)
        elif isinstance(error, RetryLater):
            self.last_failed = time.time()
            self.breaker.failed(reason, retry_after=error.retry_after if error.whole_channel else None)
        self._metrics.replies_failed.labels(self.channel.name, error.reason).inc()
        log.warning(
            "delivery.attempt_failed",
            channel=self.channel.name,
            delivery=leased.message.delivery,
            reason=error.reason,
            detail=str(error),
            attempt=leased.attempts,
        )
        settlement = settlement_of(error, leased, time.time(), self._settings.delivery)
        if settlement.outcome in ("retry", "held"):
            self.waiting = max(self.waiting, 1)
        return settlement

    async def _settle_forever(self) -> None:
        """Write outcomes to the store as they come: all that are there in one transaction."""
        while True:
            await self._settle_wake.wait()
            await self._settle_pace.turn()
            self._settle_wake.clear()
            settlements, self._settlements = self._settlements, []
            waiters, self._waiters = self._waiters, []
            if settlements:
                await self._write(settlements)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _write(self, settlements: Sequence[Settlement]) -> None:
        pause = 0.1
        publish = [self._publication(s) for s in settlements if s.outcome in ("sent", "refused", "gave_up")]
        letters = [self._letter(s) for s in settlements if _needs_somebody(s)]
        while True:
            try:
                await self._queue.settle(settlements, publish, letters)
            except (StoreUnavailable, DBAPIError) as error:
                log.warning("delivery.settle_waits", channel=self.channel.name, reason=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                reached(Seam.SETTLED)
                return

    def _count(self, settlement: Settlement) -> None:
        if settlement.outcome == "sent":
            self.last_sent = max(self.last_sent, settlement.at)
            self._sent.inc()
            waited = settlement.at - settlement.leased.received_at
            self._latency.observe(max(0.0, waited))
        elif _needs_somebody(settlement):
            self._metrics.dead_letters.labels("deliver").inc()

    def _publication(self, settlement: Settlement) -> Publication:
        leased = settlement.leased
        told = DeliveryEvent(
            id=hashlib.sha256(f"{leased.message.delivery}:{settlement.outcome}".encode()).hexdigest()[:32],
            delivery=leased.message.delivery,
            number=leased.case_number or "",
            channel=self.channel.name,
            outcome="sent" if settlement.outcome == "sent" else "failed",
            attempt=leased.attempts,
            at=datetime.fromtimestamp(settlement.at, UTC),
            reason=settlement.detail.partition(":")[0],
        )
        return Publication(
            self._settings.topics.deliveries,
            (leased.case_number or leased.message.delivery).encode(),
            encode(told),
            msgspec.json.encode(headers(told, self._source)),
        )

    def _letter(self, settlement: Settlement) -> DeadLetter:
        leased = settlement.leased
        place = f"{leased.message.delivery}:{leased.attempts}:{leased.created_at}"
        return DeadLetter(
            id=hashlib.sha256(place.encode()).hexdigest()[:32],
            stage="deliver",
            channel=self.channel.name,
            reason=settlement.outcome,
            detail=settlement.detail,
            at=datetime.fromtimestamp(settlement.at, UTC),
            event_id=leased.message.delivery,
            raw=msgspec.json.encode(leased.message),
            raw_type="application/json",
        )

    async def _rest(self, seconds: float) -> None:
        """Until woken, at most ``seconds``; a breaker that is open is not woken by new replies."""
        try:
            await asyncio.wait_for(self._wake.wait(), min(seconds, self.breaker.wait() or seconds))
        except TimeoutError:
            return
        self._wake.clear()
        if not self._stopping and self.breaker.state is State.OPEN:
            await asyncio.sleep(min(self.breaker.wait(), IDLE_SECONDS))


def _needs_somebody(settlement: Settlement) -> bool:
    """Whether an operator is to look at it: not where a citizen takes no private message beside a public reply."""
    if settlement.outcome == "refused":
        return not settlement.leased.message.purpose.endswith(PRIVATELY)
    return settlement.outcome == "gave_up"
