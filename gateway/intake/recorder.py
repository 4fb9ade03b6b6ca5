"""Recording: what came in on one channel becomes events on the log, durable when the call returns.

Under load many calls are read and recorded together: reading thirty in one go takes half the time of reading each
between two requests (what the processor needs for it stays at hand), and the log is asked once.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime

from channels.base import Channel, InboundMessage
from channels.receiving import Item, Unreadable
from config.settings import Settings
from gateway.blobs.base import Blobs, BlobsUnavailable
from gateway.blobs.raw import LARGEST_IN_EVENT, keep_raw
from gateway.eventlog.base import EventLog, LogUnavailable, Record, RecordRefused
from gateway.eventlog.gather import Gather
from gateway.metrics import Metrics
from gateway.seams import Seam, reached
from normalizer.cloudevents import headers
from normalizer.event import encode
from normalizer.messages import DeadLetter
from normalizer.messages import encode as encode_message
from normalizer.normalize import Normalizer

Read = Callable[[], Sequence[InboundMessage]]
"""Reads the messages of one call."""

Appended = tuple[list[Record], Sequence[InboundMessage], asyncio.Future[Sequence[InboundMessage]]]
"""The records of one call, its messages, and who waits for them to be durable."""


class Recorder:
    """Makes durable what comes in on one channel: messages as events, what cannot be read as dead letters."""

    def __init__(
        self,
        channel: Channel,
        normalizer: Normalizer,
        *,
        log: EventLog,
        metrics: Metrics,
        settings: Settings,
        source: str,
        blobs: Blobs,
    ) -> None:
        self._channel = channel.name
        self._normalizer = normalizer
        self._log = log
        self._metrics = metrics
        self._topic = settings.topics.complaints
        self._dead_letters = settings.topics.dead_letters
        self._source = source
        self._blobs = blobs
        self._waiting: list[tuple[Read, datetime, asyncio.Future[Sequence[InboundMessage]]]] = []
        self._gather = Gather(self._hand_over)
        self._appending: set[asyncio.Task[None]] = set()
        self._received = metrics.messages_received.labels(channel.name)
        self.last_received = 0.0
        """When the last message came in, Unix seconds; 0 before the first."""

    async def call(self, read: Read) -> Sequence[InboundMessage]:
        """Record the messages that ``read`` returns, in order; it is called within the next milliseconds.

        Raises whatever ``read`` raises, and :class:`~gateway.eventlog.base.LogUnavailable`.
        """
        return await self.submit(read)

    def submit(self, read: Read) -> asyncio.Future[Sequence[InboundMessage]]:
        """The same for who is told later: the future of what :meth:`call` returns or raises."""
        done: asyncio.Future[Sequence[InboundMessage]] = asyncio.get_running_loop().create_future()
        self._waiting.append((read, datetime.now(UTC), done))
        self._gather.came()
        return done

    def _hand_over(self) -> None:
        """Read all calls that wait, make their events, and append them together."""
        waiting, self._waiting = self._waiting, []
        calls: list[Appended] = []
        for read, at, done in waiting:
            try:
                messages = read()
                if any(len(message.raw) > LARGEST_IN_EVENT for message in messages):
                    self._do(self._append_large(messages, at, done))
                    continue
                records = [self._record(message, at) for message in messages]
            except Exception as error:  # noqa: BLE001 - it is the call's own, and raised where that is awaited
                if not done.done():
                    done.set_exception(error)
            else:
                calls.append((records, messages, done))
        if calls:
            self._do(self._append(calls))

    def _record(self, message: InboundMessage, at: datetime, stored: str = "") -> Record:
        event = self._normalizer.event(message, at, raw_stored=stored)
        return Record(self._topic, event.sender.key.encode(), encode(event), headers(event, self._source))

    async def _append_large(
        self, messages: Sequence[InboundMessage], at: datetime, done: asyncio.Future[Sequence[InboundMessage]]
    ) -> None:
        """Store what is too large for an event, then append."""
        try:
            stored = [await self._kept(message) for message in messages]
        except LogUnavailable as error:
            _fail(done, error)
            return
        records = [self._record(message, at, place) for message, place in zip(messages, stored, strict=True)]
        await self._append([(records, messages, done)])

    async def _append(self, calls: Sequence[Appended]) -> None:
        """Append the records of all calls, and tell each what came of it."""
        error: LogUnavailable | None = None
        reached(Seam.BEFORE_APPEND)
        try:
            await self._log.append([record for records, _, _ in calls for record in records])
            reached(Seam.AFTER_APPEND)
        except RecordRefused as refused:
            if len(calls) > 1:
                # One record that the log will never take costs the others a second append, no more.
                for call in calls:
                    await self._append([call])
                return
            error = refused
        except LogUnavailable as unavailable:
            error = unavailable
        for _, messages, done in calls:
            if error is not None:
                _fail(done, error)
            elif not done.done():
                done.set_result(messages)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._appending.add(task)
        task.add_done_callback(self._appending.discard)

    async def _kept(self, message: InboundMessage) -> str:
        """The place of a large payload in the blob store, durable before its event is; ``""`` for a small one."""
        try:
            return await keep_raw(message, self._blobs)
        except BlobsUnavailable as error:
            raise LogUnavailable(f"the blob store: {error}") from error

    async def letter(self, letter: DeadLetter) -> None:
        """Record a dead letter. Raises :class:`~gateway.eventlog.base.LogUnavailable`."""
        await self._log.append([self._dead(letter)])

    async def take(self, items: Sequence[Item]) -> None:
        """Record what a source or a listener brought, in order.

        Raises :class:`~gateway.eventlog.base.LogUnavailable`; then some may still be durable.
        """
        messages = [item for item in items if isinstance(item, InboundMessage)]
        if letters := [self._dead(self._letter(item)) for item in items if isinstance(item, Unreadable)]:
            await self._log.append(letters)
        if messages:
            await self.call(lambda: messages)
        self.count(messages)

    def count(self, messages: Sequence[InboundMessage]) -> None:
        """Messages were made durable (receipts are none)."""
        self.last_received = time.time()
        self._received.inc(len(messages))

    def _dead(self, letter: DeadLetter) -> Record:
        return Record(self._dead_letters, letter.id.encode(), encode_message(letter), headers(letter, self._source))

    def _letter(self, item: Unreadable) -> DeadLetter:
        # The same for every reading of the same bytes: a source may bring them again.
        digest = hashlib.blake2b(item.raw, digest_size=16, person=b"lapor.letter.v1", key=self._channel.encode()[:64])
        return DeadLetter(
            id=digest.hexdigest(),
            stage="intake",
            channel=self._channel,
            reason=item.reason,
            detail=item.detail,
            at=datetime.now(UTC),
            raw=item.raw,
            raw_type=item.raw_type,
        )


def _fail(done: asyncio.Future[Sequence[InboundMessage]], error: LogUnavailable) -> None:
    """Tell one call; each hears of an error of its own, as each adds its own way to the traceback."""
    if not done.done():
        done.set_exception(type(error)(*error.args))
