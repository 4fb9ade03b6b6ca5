"""Recording: what came in on one channel becomes events on the log, durable when the call returns."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from channels.base import Channel, InboundMessage
from channels.receiving import Item, Unreadable
from config.settings import Settings
from gateway.blobs.base import Blobs, BlobsUnavailable
from gateway.blobs.raw import LARGEST_IN_EVENT, keep_raw
from gateway.eventlog.base import EventLog, LogUnavailable, Record
from gateway.metrics import Metrics
from normalizer.cloudevents import headers
from normalizer.event import encode
from normalizer.messages import DeadLetter
from normalizer.messages import encode as encode_message
from normalizer.normalize import Normalizer


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
        self._received = metrics.messages_received.labels(channel.name)
        self.last_received = 0.0
        """When the last message came in, Unix seconds; 0 before the first."""

    async def messages(self, messages: Sequence[InboundMessage]) -> None:
        """Record the messages of one call, in order. Raises :class:`~gateway.eventlog.base.LogUnavailable`."""
        now = datetime.now(UTC)
        records = []
        for message in messages:
            stored = await self._kept(message) if len(message.raw) > LARGEST_IN_EVENT else ""
            event = self._normalizer.event(message, now, raw_stored=stored)
            records.append(Record(self._topic, event.sender.key.encode(), encode(event), headers(event, self._source)))
        await self._log.append(records)

    async def _kept(self, message: InboundMessage) -> str:
        """The place of a large payload in the blob store, durable before its event is."""
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
            await self.messages(messages)
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
