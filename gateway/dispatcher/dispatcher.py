"""The dispatcher: takes events from the log in batches, decides, and writes cases and replies in one transaction.

The log's offset is committed after the store's transaction. A crash between the two brings the batch again; the
unique event id makes that harmless. No transaction spans the log and the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from config.settings import Settings
from gateway.dispatcher.letters import letter_of_bytes, letter_of_event, letter_of_letter
from gateway.dispatcher.lookup import Lookup
from gateway.dispatcher.outgoing import reply_told
from gateway.dispatcher.parts import Gathering, Gatherings
from gateway.dispatcher.receipts import Settled, apply_receipts
from gateway.dispatcher.rules import Decision, Row, decide
from gateway.dispatcher.working import Outcome, WorkingSet
from gateway.eventlog.base import Consumer, EventLog, Taken
from gateway.metrics import Metrics
from gateway.pace import Pace
from gateway.privacy.late import forgotten_senders, late_ones, note_copies
from gateway.replies import Replies
from gateway.seams import Seam, reached
from gateway.store.deadletters import bury
from gateway.store.engine import Store, StoreUnavailable
from normalizer import tracking
from normalizer.cloudevents import headers as headers_of
from normalizer.event import ComplaintEvent, decode
from normalizer.messages import DeadLetter, DeliveryEvent, encode
from normalizer.normalize import Normalizer

log = structlog.get_logger(__name__)

SPARE_NUMBERS = 8
"""Numbers drawn beyond need: at a million cases about one draw in a thousand is taken already."""
SWEEP_SECONDS = 1.0
LONGEST_WAIT = 15.0
PACE_SECONDS = 0.02
"""Between two batches: a citizen does not notice it, and under load it makes one transaction of several."""
TRIES = 3
_TOLD: Mapping[str, Literal["reply_delivered", "reply_failed"]] = {
    "delivered": "reply_delivered",
    "failed": "reply_failed",
}


class Step(msgspec.Struct):
    """One event of a batch and how it is to be taken.

    A part that only waits has ``gathering`` and ``waits``; the joined message of a gathering has ``joins``; a part
    that came too late has ``late``.
    """

    event: ComplaintEvent
    gathering: Gathering | None = None
    waits: bool = False
    joins: bool = False
    late: bool = False


class Dispatcher:
    """One member of the dispatchers' consumer group.

    ``normalizer`` gives the normalizer of a channel type and instance, to join the parts of a long message;
    ``notice`` the lines to add to an acknowledgement, by channel and language.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        log: EventLog,
        store: Store,
        replies: Replies,
        metrics: Metrics,
        private_types: frozenset[str],
        normalizer: Callable[[str, str], Normalizer],
        source: str,
        notice: Callable[[str, str], str] = lambda _channel, _language: "",
        on_replies: Callable[[], None] = lambda: None,
        on_publications: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._log = log
        self._store = store
        self._replies = replies
        self._metrics = metrics
        self._private_types = private_types
        self._normalizer = normalizer
        self._source = source
        self._notice = notice
        self._on_replies = on_replies
        self._on_publications = on_publications
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish the batch under way, commit it and leave."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        topics = self._settings.topics
        consumer = self._log.consumer(self._settings.log.group, [topics.complaints, topics.dead_letters])
        swept = 0.0
        pace = Pace(PACE_SECONDS)
        try:
            while not self._stopping.is_set():
                await pace.turn()
                taken = await consumer.fetch(limit=self._settings.dispatcher.batch, timeout=SWEEP_SECONDS / 2)
                if taken:
                    reached(Seam.TAKEN)
                if taken and await self._settle(taken):
                    reached(Seam.AFTER_STORE_COMMIT)
                    await consumer.commit()
                    reached(Seam.AFTER_LOG_COMMIT)
                    self._metrics.log_lag.set(await consumer.lag())
                if time.monotonic() - swept >= SWEEP_SECONDS:
                    swept = time.monotonic()
                    await self._sweep(consumer)
        finally:
            await consumer.close()

    async def _sweep(self, consumer: Consumer) -> None:
        """Join the gatherings whose deadline has passed. Failing is no harm: the next sweep finds them again."""
        try:
            outcome = await self._transact([], [], due=True)
        except (StoreUnavailable, DBAPIError) as error:
            log.warning("dispatcher.sweep_failed", reason=type(error).__name__)
            return
        self._count(outcome)
        self._metrics.log_lag.set(await consumer.lag())

    async def _settle(self, taken: Sequence[Taken]) -> bool:
        """Bring one batch into the store, however long it takes; false only when told to stop first."""
        events, letters = self._read(taken)
        pause = 0.1
        tries = 0
        while not self._stopping.is_set() or tries == 0:
            tries += 1
            try:
                self._count(await self._transact(events, letters))
            except StoreUnavailable as error:
                log.warning("dispatcher.store_away", reason=str(error), waiting=len(events), retry_in=pause)
                await self._rest(pause)
                pause = min(pause * 2, LONGEST_WAIT)
            except IntegrityError:
                # Another dispatcher was faster (a rebalance), or two drew one number: a second look settles it.
                log.warning("dispatcher.looks_again", events=len(events), tries=tries)
                if tries >= TRIES:
                    return await self._one_by_one(events, letters)
            except Exception:
                # What fails as a whole is taken apart, so that one bad message cannot hold up the rest.
                log.exception("dispatcher.batch_failed", events=len(events))
                return await self._one_by_one(events, letters)
            else:
                return True
        return False

    async def _one_by_one(self, events: Sequence[ComplaintEvent], letters: Sequence[DeadLetter]) -> bool:
        """Settle a batch that failed as a whole, an event at a time; what fails alone becomes a dead letter."""
        pending: list[tuple[list[ComplaintEvent], list[DeadLetter]]] = [([], [letter]) for letter in letters]
        pending += [([event], []) for event in events]
        for batch, buried in pending:
            tries, ours = 0, False
            while True:
                tries += 1
                try:
                    self._count(await self._transact(batch, buried))
                except StoreUnavailable:
                    if self._stopping.is_set():
                        return False
                    await self._rest(1.0)
                except Exception as error:
                    if tries < TRIES:
                        continue
                    if ours:
                        raise
                    ours = True
                    if batch:
                        log.exception("dispatcher.event_failed", event_id=batch[0].id)
                        batch, buried = [], [letter_of_event(batch[0], error)]
                    else:
                        log.exception("dispatcher.letter_failed", letter=buried[0].id)
                        buried = [letter_of_letter(buried[0], error)]
                else:
                    break
        return True

    async def _transact(
        self, events: Sequence[ComplaintEvent], letters: Sequence[DeadLetter], *, due: bool = False
    ) -> Outcome:
        """One transaction: look up, decide, write."""
        settings = self._settings
        now = time.time()
        async with self._store.write() as connection:
            lookup = Lookup(connection, settings.rules)
            seen = await lookup.seen(event.id for event in events) if events else set()
            unseen = list({event.id: event for event in events if event.id not in seen}.values())
            senders = await forgotten_senders(connection, events)
            late = await late_ones(connection, unseen, senders)
            await note_copies(connection, [e for e in events if e.id in seen and e.sender.key in senders])
            fresh = [event for event in unseen if event.id not in late]
            gatherings = Gatherings(window=settings.rules.part_window, album_window=settings.rules.album_window)
            if due:
                steps = [self._joined(g) for g in await gatherings.load_due(connection, now) if g.parts]
            else:
                parts = [event for event in fresh if event.kind == "part" and event.part]
                await gatherings.load(connection, parts, now)
                steps = self._steps(fresh, gatherings, now)
            if not steps and not unseen and not letters:
                return Outcome()
            judged = [step.event for step in steps if not step.waits]
            known = await lookup.known(judged)
            known.seen = seen
            await lookup.cases(
                known, {s.gathering.case_number for s in steps if s.gathering and s.gathering.case_number}
            )
            numbers = await lookup.free_numbers(tracking.draw(len(judged) + SPARE_NUMBERS)) if judged else []
            working = WorkingSet(
                known,
                numbers,
                replies=self._replies,
                private_types=self._private_types,
                flood_window=settings.rules.flood_window,
                duplicate_window=settings.rules.duplicate_window,
                cases_topic=settings.topics.cases,
                source=self._source,
                notice=self._notice,
            )
            for step in steps:
                self._take(step, working, gatherings, settings)
            for event in late.values():
                working.record(event, Row.FORGOTTEN, None)
            receipts = [event for event in fresh if event.kind == "receipt"]
            for event in receipts:
                working.record(event, Row.RECEIPT, None)
            settled = await apply_receipts(connection, receipts)
            await lookup.cases(known, {one.case_number for one in settled if one.case_number})
            for one in settled:
                self._tell(one, working)
            reached(Seam.DECIDED)
            await gatherings.write(connection)
            for letter in await bury(connection, self._store, letters):
                working.outcome.dead.append(letter.stage)
                if letter.stage != "intake":
                    headers = headers_of(letter, self._source)
                    key = letter.id.encode()
                    working.publish(settings.topics.dead_letters, key, encode(letter), headers)
            await working.write(connection)
            reached(Seam.BEFORE_STORE_COMMIT)
        return working.outcome

    def _steps(self, events: Sequence[ComplaintEvent], gatherings: Gatherings, now: float) -> list[Step]:
        """How each event is to be taken, in order; a part that completes its message is followed by the whole."""
        steps: list[Step] = []
        for event in events:
            if event.kind == "receipt":
                continue
            if event.kind != "part" or event.part is None:
                steps.append(Step(event))
                continue
            gathering = gatherings.add(event, now)
            if gathering.joined:
                steps.append(Step(event, gathering, late=True))
                continue
            steps.append(Step(event, gathering, waits=True))
            if gathering.complete():
                steps.append(self._joined(gathering))
        return steps

    def _joined(self, gathering: Gathering) -> Step:
        join = self._normalizer(gathering.channel_type, gathering.whose[0]).joined
        return Step(gathering.whole(join), gathering, joins=True)

    @staticmethod
    def _take(step: Step, working: WorkingSet, gatherings: Gatherings, settings: Settings) -> None:
        """Carry one event through the rules."""
        event, gathering = step.event, step.gathering
        if step.waits and gathering:
            working.record(event, Row.PART, None, gathering=gathering.id)
            return
        case = working.case(gathering.case_number) if step.late and gathering else None
        if case is not None and not working.facts(event).blocked:
            decision = Decision(Row.PART, case=case)
        else:
            if event.kind == "part":
                event = msgspec.structs.replace(event, kind="message", incomplete=True)
            decision = decide(event, working.facts(event), settings.rules)
        number = working.apply(event, decision, gathering=gathering.id if gathering else None)
        if step.joins and gathering:
            gatherings.settle(gathering, number)

    def _tell(self, settled: Settled, working: WorkingSet) -> None:
        """Tell the log what a receipt settled."""
        if settled.state == "failed":
            working.outcome.receipts_failed.append(settled.channel)
        told = DeliveryEvent(
            id=hashlib.sha256(f"{settled.outbox_id}:{settled.state}".encode()).hexdigest()[:32],
            delivery=settled.outbox_id,
            number=settled.case_number or "",
            channel=settled.channel,
            outcome=settled.state,
            attempt=settled.attempt,
            at=datetime.fromtimestamp(settled.at, UTC),
            reason=settled.code,
        )
        headers = headers_of(told, self._source)
        key = (settled.case_number or settled.outbox_id).encode()
        working.publish(self._settings.topics.deliveries, key, encode(told), headers)
        case = working.case(settled.case_number)
        if case is not None:
            change = _TOLD[settled.state]
            heard = reply_told(case, settled.outbox_id, change, settled.at, settled.code)
            working.publish(
                self._settings.topics.cases, case.number.encode(), encode(heard), headers_of(heard, self._source)
            )

    def _read(self, taken: Sequence[Taken]) -> tuple[list[ComplaintEvent], list[DeadLetter]]:
        """Decode a batch; what cannot be decoded is a dead letter with its raw bytes."""
        events: list[ComplaintEvent] = []
        letters: list[DeadLetter] = []
        for one in taken:
            try:
                if one.record.topic == self._settings.topics.dead_letters:
                    letters.append(msgspec.json.decode(one.record.value, type=DeadLetter))
                else:
                    events.append(decode(one.record.value))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                letters.append(letter_of_bytes(one, error))
        return events, letters

    def _count(self, outcome: Outcome) -> None:
        """Count what a committed transaction did, and wake who has to act on it."""
        for (channel, intent), count in Counter(outcome.events).items():
            self._metrics.events.labels(channel, intent).inc(count)
        for channel, count in Counter(outcome.opened).items():
            self._metrics.cases_opened.labels(channel).inc(count)
        for stage in outcome.dead:
            self._metrics.dead_letters.labels(stage).inc()
        for channel in outcome.receipts_failed:
            self._metrics.replies_failed.labels(channel, "receipt").inc()
        if outcome.replies:
            self._on_replies()
        if outcome.publications:
            self._on_publications()

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
