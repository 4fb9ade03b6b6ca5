"""Consumes the topic of case updates: the store first, then the offset, as with complaint events.

A consumer group of its own, so that neither complaints nor updates wait for the other.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from sqlalchemy.exc import IntegrityError

from config.settings import Settings
from gateway.eventlog.base import EventLog, Taken
from gateway.metrics import Metrics
from gateway.seams import Seam, reached
from gateway.store.engine import StoreUnavailable
from gateway.updates.desk import TRIES, Desk
from gateway.updates.rules import UpdateInvalid, cleaned
from gateway.updates.writer import Refusal, Written
from normalizer.messages import CaseUpdate, DeadLetter, decode_case_update

log = structlog.get_logger(__name__)

STAGE = "case_update"
BATCH = 100
WAIT_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 15.0
_SAID = {
    Refusal.UNKNOWN_NUMBER: "no case bears this number",
    Refusal.ID_REUSED: "an update of another case has this id",
}


def group_of(settings: Settings) -> str:
    """The consumer group that reads the updates."""
    return f"{settings.log.group}-updates"


class Inbox:
    """One member of the group that consumes case updates."""

    def __init__(self, *, settings: Settings, log: EventLog, desk: Desk, metrics: Metrics) -> None:
        self._settings = settings
        self._log = log
        self._desk = desk
        self._metrics = metrics
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish the batch under way, commit it and leave."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        consumer = self._log.consumer(group_of(self._settings), [self._settings.topics.case_updates])
        try:
            while not self._stopping.is_set():
                taken = await consumer.fetch(limit=BATCH, timeout=WAIT_SECONDS)
                if taken:
                    reached(Seam.UPDATE_TAKEN)
                if taken and await self._settle(taken):
                    reached(Seam.UPDATE_STORED)
                    await consumer.commit()
                    reached(Seam.UPDATE_COMMITTED)
                self._metrics.case_updates_lag.set(await consumer.lag())
        finally:
            await consumer.close()

    async def _settle(self, taken: Sequence[Taken]) -> bool:
        """Bring records into the store, however long it takes; false only when told to stop first.

        What fails as a whole is taken apart; a record that fails alone becomes a dead letter.
        """
        pause, tries = FIRST_PAUSE, 0
        while True:
            try:
                await self._take(taken)
            except StoreUnavailable as error:
                log.warning("updates.store_away", reason=str(error), waiting=len(taken), retry_in=pause)
                if await self._rest(pause):
                    return False
                pause = min(pause * 2, LONGEST_PAUSE)
            except IntegrityError:
                tries += 1
                if tries >= TRIES:
                    return await self._one_by_one(taken)
            except Exception:
                log.exception("updates.batch_failed", updates=len(taken))
                return await self._one_by_one(taken)
            else:
                return True

    async def _one_by_one(self, taken: Sequence[Taken]) -> bool:
        for one in taken:
            failed: Exception | None = None
            tries = 0
            while True:
                try:
                    await self._take([one], failed)
                except StoreUnavailable:
                    if await self._rest(1.0):
                        return False
                except Exception as error:
                    if failed is not None:
                        raise
                    tries += 1
                    if tries >= TRIES:
                        log.exception("updates.update_failed")
                        failed = error
                else:
                    break
        return True

    async def _take(self, taken: Sequence[Taken], failed: Exception | None = None) -> None:
        """One transaction. With ``failed`` the records are only kept as dead letters, for that reason."""
        letters: list[DeadLetter] = []
        readable: list[tuple[Taken, CaseUpdate]] = []
        for one in taken:
            if failed is not None:
                letters.append(_letter(one, type(failed).__name__, "this process's log has the traceback"))
                continue
            try:
                update = cleaned(decode_case_update(one.record.value))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UpdateInvalid) as error:
                letters.append(_letter(one, "malformed", str(error)))
            else:
                readable.append((one, update))

        def buried(written: Written) -> list[DeadLetter]:
            refused = [
                _letter(one, result.value, _SAID[result], update)
                for (one, update), result in zip(readable, written.results, strict=True)
                if isinstance(result, Refusal)
            ]
            return [*letters, *refused]

        await self._desk.take_all([update for _, update in readable], buried)

    async def _rest(self, seconds: float) -> bool:
        """Wait; true as soon as told to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _letter(one: Taken, reason: str, detail: str, update: CaseUpdate | None = None) -> DeadLetter:
    place = f"{one.record.topic}/{one.partition}/{one.offset}"
    return DeadLetter(
        id=hashlib.sha256(place.encode() + one.record.value).hexdigest()[:32],
        stage=STAGE,
        reason=reason,
        detail=f"{place}: {detail}"[:500],
        at=datetime.now(UTC),
        event_id=update.id[:64] if update is not None else "",
        raw=one.record.value,
        raw_type="application/json" if update is not None else "application/octet-stream",
    )
