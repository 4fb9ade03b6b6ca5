"""Replaying dead letters: each goes back to the step that gave up on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, null, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel
from channels.errors import Malformed
from gateway.eventlog.base import EventLog, Record
from gateway.evidence import MEDIA_TYPE, request_of_letter
from gateway.store.audit import record
from gateway.store.deadletters import settle
from gateway.store.engine import Store
from gateway.store.sql import clock
from gateway.store.tables import outbox
from gateway.updates.rules import UpdateInvalid, cleaned
from normalizer.cloudevents import headers
from normalizer.event import decode, encode
from normalizer.messages import decode_case_update
from normalizer.normalize import Normalizer


class ReplayError(Exception):
    """The letter cannot be replayed; the message says why. It stays where it is."""


class Replayer:
    """Replays letters into a log and a store. ``doors`` gives the channel and normalizer of each channel name."""

    def __init__(
        self,
        *,
        store: Store,
        log: EventLog,
        topic: str,
        updates_topic: str,
        source: str,
        doors: dict[str, tuple[Channel, Normalizer]],
    ) -> None:
        self._store = store
        self._log = log
        self._topic = topic
        self._updates_topic = updates_topic
        self._source = source
        self._doors = doors

    async def replay(self, letter: Any, by: str) -> str:
        """Replay one row of ``dead_letters`` for the operator ``by``; returns what came of it.

        That it was done stands in the audit, or it was not done: the append is the last thing before the transaction
        ends. Where that fails all the same, the letter waits on, and the log has an event that it knows already.
        Raises :class:`ReplayError`, :class:`~gateway.eventlog.base.LogUnavailable` and
        :class:`~gateway.store.engine.StoreUnavailable`; the letter stays where it is.
        """
        outcome, records = self._way_of(letter)
        async with self._store.write() as connection:
            now = time.time()
            await settle(connection, letter.id, at=now, outcome=outcome)
            await record(connection, by[:64], "replay", letter.id, outcome)
            if records:
                await self._log.append(records)
            elif letter.stage == "deliver":
                await _to_outbox(connection, letter, now, clock())
        return outcome

    def _way_of(self, letter: Any) -> tuple[str, Sequence[Record]]:
        """What comes of a letter, and the records that bring it about; none where the outbox has its reply."""
        match letter.stage:
            case "deliver":
                return "back in the outbox", ()
            case "intake":
                return self._from_evidence(letter)
            case "dispatch" | "decode":
                return self._from_event(letter)
            case "case_update":
                return self._from_update(letter)
            case stage:
                raise ReplayError(f"letters of the stage {stage} cannot be replayed")

    def _from_evidence(self, letter: Any) -> tuple[str, Sequence[Record]]:
        door = self._doors.get(letter.channel)
        if door is None:
            raise ReplayError(f"there is no channel {letter.channel} in the settings")
        channel, normalizer = door
        try:
            if letter.raw_type == MEDIA_TYPE:
                request, receipts = request_of_letter(letter.raw)
                messages = channel.parse_status(request) if receipts else channel.parse(request)
            else:
                messages = channel.reread(letter.raw, letter.raw_type)
        except Malformed as error:
            raise ReplayError(f"still cannot be read: {error}") from error
        received = datetime.fromtimestamp(letter.at, UTC)
        events = [normalizer.event(message, received) for message in messages]
        records = [Record(self._topic, e.sender.key.encode(), encode(e), headers(e, self._source)) for e in events]
        return f"read as {len(events)} event(s), appended to the log", records

    def _from_event(self, letter: Any) -> tuple[str, Sequence[Record]]:
        try:
            event = decode(letter.raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ReplayError(f"still cannot be decoded: {error}") from error
        again = Record(self._topic, event.sender.key.encode(), letter.raw, headers(event, self._source))
        return "appended to the log again", [again]

    def _from_update(self, letter: Any) -> tuple[str, Sequence[Record]]:
        try:
            given = cleaned(decode_case_update(letter.raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UpdateInvalid) as error:
            raise ReplayError(f"still no update: {error}") from error
        again = Record(self._updates_topic, given.number.encode(), letter.raw, headers(given, self._source))
        return "appended to the log again", [again]


async def _to_outbox(connection: AsyncConnection, letter: Any, now: float, due: ColumnElement[float]) -> None:
    """Have a reply wait again, due by the clock that those who send go by."""
    statement = (
        update(outbox)
        .where(outbox.c.id == letter.reference, outbox.c.state.in_(("failed", "dead")))
        .values(state="waiting", due_at=due, created_at=now, owner=null(), settled_at=null())
    )
    if not (await connection.execute(statement)).rowcount:
        raise ReplayError("its reply is not waiting for an operator any more")
