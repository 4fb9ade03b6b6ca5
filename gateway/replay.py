"""Replaying dead letters: each goes back to the step that gave up on it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import null, update

from channels.base import Channel
from channels.errors import Malformed
from gateway.eventlog.base import EventLog, Record
from gateway.evidence import MEDIA_TYPE, request_of_letter
from gateway.store.deadletters import settle
from gateway.store.engine import Store
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

    async def replay(self, letter: Any) -> str:
        """Replay one row of ``dead_letters``; returns what came of it. Raises :class:`ReplayError`."""
        try:
            steps = {
                "intake": self._from_evidence,
                "dispatch": self._from_event,
                "decode": self._from_event,
                "case_update": self._from_update,
            }
            outcome = await (self._to_outbox if letter.stage == "deliver" else steps[letter.stage])(letter)
        except KeyError as error:
            raise ReplayError(f"letters of the stage {letter.stage} cannot be replayed") from error
        async with self._store.write() as connection:
            await settle(connection, letter.id, at=time.time(), outcome=outcome)
        return outcome

    async def _from_evidence(self, letter: Any) -> str:
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
        await self._log.append(
            [Record(self._topic, e.sender.key.encode(), encode(e), headers(e, self._source)) for e in events]
        )
        return f"read as {len(events)} event(s), appended to the log"

    async def _from_event(self, letter: Any) -> str:
        try:
            event = decode(letter.raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ReplayError(f"still cannot be decoded: {error}") from error
        record = Record(self._topic, event.sender.key.encode(), letter.raw, headers(event, self._source))
        await self._log.append([record])
        return "appended to the log again"

    async def _from_update(self, letter: Any) -> str:
        try:
            update = cleaned(decode_case_update(letter.raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UpdateInvalid) as error:
            raise ReplayError(f"still no update: {error}") from error
        record = Record(self._updates_topic, update.number.encode(), letter.raw, headers(update, self._source))
        await self._log.append([record])
        return "appended to the log again"

    async def _to_outbox(self, letter: Any) -> str:
        now = time.time()
        statement = (
            update(outbox)
            .where(outbox.c.id == letter.reference, outbox.c.state.in_(("failed", "dead")))
            .values(state="waiting", due_at=now, created_at=now, owner=null(), settled_at=null())
        )
        async with self._store.write() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise ReplayError("its reply is not waiting for an operator any more")
        return "back in the outbox"
