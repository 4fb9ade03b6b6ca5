"""Plays a row: the adapters' messages through the real normalizer, dispatcher and store, one step after another."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row as Record
from sqlalchemy import Table, delete, select, update

from channels.sms.regions import REGIONS
from config.conversation import Rules
from config.settings import Settings
from gateway.dispatcher.dispatcher import Dispatcher
from gateway.dispatcher.outgoing import PRIVATELY
from gateway.metrics import Metrics
from gateway.replies import Replies
from gateway.store.engine import Store
from gateway.store.operations import blocks
from gateway.store.tables import cases, deliveries, gatherings, messages, outbox
from normalizer import tracking
from normalizer.event import ComplaintEvent, Language, decode
from normalizer.normalize import Normalizer
from tests.conversation import doors
from tests.conversation.memory import MemoryLog
from tests.conversation.story import Blocked, Closing, Deadline, Number, On, Pause, Row, Says, Step, Together, Unblocked

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
SETTLED_SECONDS = 120.0
NEVER = 3600.0
"""Seconds that the dispatcher waits for the missing parts of a message, unless the story brings the deadline."""
TYPES = ("sms", "telegram", "twitter", "email")
PRIVATE_TYPES = frozenset({"sms", "telegram", "twitter"})
FREE = "5932104477"
_ids = itertools.count(1001)
_CASE = re.compile(r"case\d+")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came of the message under test, in the table's words."""

    intent: str | None
    rule: str
    case: str | None
    replies: tuple[str, ...]
    text: str | None = None
    region: str | None = None
    flags: str | None = None
    state: str | None = None
    in_all: int | None = None


def expected(row: Row) -> Heard:
    """What the table says must come of it."""
    return Heard(
        intent=row.intent,
        rule=row.rule.value,
        case=row.case,
        replies=row.replies,
        text=row.text,
        region=row.region,
        flags=row.flags,
        state=row.state,
        in_all=row.in_all,
    )


class Stage:
    """A dispatcher at work on one store, for one conversation after another or for many at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.settings = Settings(rules=Rules(part_window=NEVER, album_window=NEVER))
        self.replies = Replies(override=None, default_language="id", channel_types=TYPES)
        self._log = MemoryLog(self.settings.topics.complaints)
        self._dispatcher = Dispatcher(
            settings=self.settings,
            log=self._log,
            store=store,
            replies=self.replies,
            metrics=Metrics(),
            private_types=PRIVATE_TYPES,
            normalizer=self.normalizer,
            source="https://gateway.test",
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stage]:
        """The dispatcher at work."""
        task = asyncio.create_task(self._dispatcher.run())
        task.add_done_callback(lambda _: self._log.end())
        try:
            yield self
        finally:
            self._dispatcher.stop()
            await task

    def normalizer(self, kind: str, instance: str) -> Normalizer:
        """The normalizer of a channel; region keywords are 1708's."""
        return Normalizer(kind, instance, secret=b"of the senders", regions=REGIONS if kind == "sms" else ())

    async def take(self, events: Sequence[ComplaintEvent]) -> None:
        """Append events in one go and wait until the dispatcher has committed them."""
        async with asyncio.timeout(SETTLED_SECONDS):
            await self._log.settled(await self._log.put(events))

    async def rows(self, table: Table, column: Any, *values: str) -> Sequence[Record[Any]]:
        """The rows of a table that have one of these values."""
        async with self.store.read() as connection:
            return (await connection.execute(select(table).where(column.in_(values)))).all()

    async def play(self, row: Row) -> Heard:
        """Play a story up to its message under test; tells what came of that one."""
        story = Story(self, row)
        for step in row.history:
            await story.step(step)
        await story.step(row.message)
        return await story.heard()


@dataclass
class Story:
    """One row being played."""

    stage: Stage
    row: Row
    now: datetime = NOON
    pause: float | None = None
    room: int = field(default_factory=lambda: next(_ids))
    people: dict[str, int] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    said: list[tuple[On, ComplaintEvent]] = field(default_factory=list)
    answered: list[tuple[str, Record[Any]]] = field(default_factory=list)
    replies: list[Record[Any]] = field(default_factory=list)
    reply_ids: dict[str, str] = field(default_factory=dict)

    async def step(self, step: Step) -> None:
        """One step of the story; a text alone is the citizen's."""
        if isinstance(step, str):
            step = Says(text=step)
        if isinstance(step, Pause):
            self.pause = step.seconds
        elif isinstance(step, Closing):
            await self._close(self._number(step.case))
        elif isinstance(step, Deadline):
            await self._deadline()
        elif isinstance(step, Blocked):
            await self._block(step.who)
        elif isinstance(step, Unblocked):
            async with self.stage.store.write() as connection:
                await connection.execute(delete(blocks).where(blocks.c.sender_key == self._key(step.who)))
        else:
            said = step.messages if isinstance(step, Together) else (step,)
            events = [await self._event(one) for one in said]
            await self.stage.take(events)
            await self._learn(events)

    async def heard(self) -> Heard:
        """What came of the last message, read from the store."""
        _, event = self.said[-1]
        found = await self._outcome(event)
        event = decode(found.document.encode())
        replies = [one for one in self.replies if one.event_id == found.event_id]
        replies.sort(key=lambda one: str(one.template).endswith(PRIVATELY))
        for reply in replies:
            await self._check(reply, event, found.sender_key)
        number = found.case_number
        (case,) = await self.stage.rows(cases, cases.c.number, number) if number else (None,)
        opened = case is not None and case.opened_at == found.received_at and found.disposition in _OPENING
        row = self.row
        return Heard(
            intent=None if row.intent is None else event.intent,
            rule=found.disposition,
            case="new" if opened else self._name(number),
            replies=tuple(self._told(reply, number, public=event.channel.thread.public) for reply in replies),
            text=None if row.text is None else event.text,
            region=None if row.region is None else event.region,
            flags=None if row.flags is None else _flags(case or event.privacy),
            state=None if row.state is None or case is None else case.state,
            in_all=None if row.in_all is None else len(self.replies),
        )

    async def _event(self, said: Says) -> ComplaintEvent:
        on = said.on or self.row.on
        self.now += timedelta(seconds=said.after if self.pause is None else self.pause)
        self.pause = None
        target = said.edits or said.deletes
        letter = doors.Letter(
            said=said,
            on=on,
            text=self._filled(said.text),
            subject=self._filled(said.subject),
            who=self._who(said.by),
            id=next(_ids),
            room=self.room,
            at=self.now,
            answers=[await self._provider_id(name, on) for name in said.answers],
            target=await self._provider_id(target, on) if target else "",
        )
        event = self.stage.normalizer(*doors.channel_of(on, said.carrier)).event(doors.read(letter), self.now)
        self.said.append((on, event))
        return event

    async def _learn(self, events: Sequence[ComplaintEvent]) -> None:
        """Which numbers were given out, and what was answered."""
        ids = [event.id for event in events]
        taken = {found.event_id: found for found in await self.stage.rows(messages, messages.c.event_id, *ids)}
        noted = set()
        for event in events:
            found = taken[event.id]
            if found.gathering is not None and not found.case_number and (whole := await self._whole(found)):
                found = whole
            if found.event_id not in noted:
                noted.add(found.event_id)
                await self._note(found)

    async def _note(self, found: Record[Any]) -> None:
        if found.case_number and found.case_number not in self.numbers:
            self.numbers.append(found.case_number)
        self.replies += await self.stage.rows(outbox, outbox.c.event_id, found.event_id)

    async def _outcome(self, event: ComplaintEvent) -> Record[Any]:
        (found,) = await self.stage.rows(messages, messages.c.event_id, event.id)
        if found.gathering is not None and not found.case_number:
            return await self._whole(found) or found
        return found

    async def _whole(self, part: Record[Any]) -> Record[Any] | None:
        """The message that a part was joined to, once it is."""
        async with self.stage.store.read() as connection:
            query = select(messages).where(messages.c.gathering == part.gathering, messages.c.kind == "message")
            return (await connection.execute(query)).one_or_none()

    async def _deadline(self) -> None:
        """The deadline of the last part's message passes; the dispatcher's next look at the clock joins it."""
        _, event = self.said[-1]
        (part,) = await self.stage.rows(messages, messages.c.event_id, event.id)
        async with self.stage.store.write() as connection:
            await connection.execute(update(gatherings).where(gatherings.c.id == part.gathering).values(deadline=0.0))
        async with asyncio.timeout(SETTLED_SECONDS):
            while (whole := await self._whole(part)) is None:
                await asyncio.sleep(0.02)
        await self._note(whole)

    async def _block(self, who: str) -> None:
        row = {"sender_key": self._key(who), "type": "", "shown": "", "reason": "spam", "blocked_by": "sri", "at": 0.0}
        async with self.stage.store.write() as connection:
            await connection.execute(blocks.insert(), [row])

    def _key(self, who: str) -> str:
        """The sender's key of somebody where the row is: that of a message which they never send."""
        letter = doors.Letter(
            said=Says(),
            on=self.row.on,
            text="",
            subject="",
            who=self._who(who),
            id=next(_ids),
            room=self.room,
            at=self.now,
        )
        return self.stage.normalizer(*doors.channel_of(self.row.on)).event(doors.read(letter), self.now).sender.key

    def _who(self, name: str) -> int:
        return self.people.setdefault(name, next(_ids))

    async def _close(self, number: str) -> None:
        async with self.stage.store.write() as connection:
            await connection.execute(update(cases).where(cases.c.number == number).values(state="closed"))

    async def _provider_id(self, name: str, on: On) -> str:
        """The provider's id of ``message 2``, ``reply 1`` or ``elsewhere``; a reply's is made when it is asked for."""
        if name == "elsewhere":
            return doors.unknown_id(on, self.room)
        kind, _, at = name.partition(" ")
        if kind == "message":
            return self.said[int(at) - 1][1].channel.message_id
        if name not in self.reply_ids:
            reply = self.replies[int(at) - 1]
            self.reply_ids[name] = doors.reply_id(on, msgspec.json.decode(reply.thread), reply.id, next(_ids))
            step = {
                "outbox_id": reply.id,
                "channel": reply.channel,
                "step": "attempt",
                "at": self.now.timestamp(),
                "outcome": "sent",
                "provider_id": self.reply_ids[name],
            }
            async with self.stage.store.write() as connection:
                await connection.execute(deliveries.insert(), [step])
        return self.reply_ids[name]

    def _filled(self, text: str) -> str:
        known = {f"case{at}": Number(number) for at, number in enumerate(self.numbers, 1)}
        return text.format(free=Number(FREE), **known) if "{" in text else text

    def _number(self, name: str) -> str:
        return self.numbers[int(name.removeprefix("case")) - 1]

    def _name(self, number: str | None) -> str | None:
        return f"case{self.numbers.index(number) + 1}" if number in self.numbers else number

    def _told(self, reply: Record[Any], on_case: str | None, *, public: bool) -> str:
        template, apart, _ = reply.template.partition(PRIVATELY)
        words = [template]
        if reply.case_number and reply.case_number != on_case:
            words.append(str(self._name(reply.case_number)))
        assert bool(apart) == (public and not msgspec.json.decode(reply.thread).get("public", False))
        if apart:
            words.append("privately")
        return " ".join(words)

    async def _check(self, reply: Record[Any], event: ComplaintEvent, sender_key: str) -> None:
        """What holds for every reply: whom it goes to, where, whose case it tells of, and its every letter."""
        assert (reply.channel, reply.address) == (event.channel.instance, event.sender.address)
        thread: Mapping[str, Any] = msgspec.json.decode(reply.thread)
        template, apart, _ = reply.template.partition(PRIVATELY)
        if apart:
            assert thread == {}, "to the sender, not to a place where others read along"
        else:
            assert thread["replies_to"][0] == event.channel.message_id
            assert thread.get("conversation", "") == event.channel.thread.conversation
        number, state = reply.case_number or "", ""
        if number:
            (case,) = await self.stage.rows(cases, cases.c.number, number)
            assert case.sender_key == sender_key, "a case of somebody else's"
            state = case.state
        if event.channel.thread.public and template == "acknowledgement":
            template = "acknowledgement_public"
        assert reply.text == self._text(template, event.channel.type, number, state, self.row.language)

    def _text(self, template: str, channel_type: str, number: str, state: str, language: Language) -> str:
        shown = tracking.shown(number) if number else ""
        return self.stage.replies.render(
            template, language=language, channel_type=channel_type, number=shown, typed=number, state=state
        )


_OPENING = frozenset({"complaint", "new_case"})


def _flags(wishes: Any) -> str:
    """The two wishes, as the case or the event has them."""
    return " ".join(name for name in ("anonymous", "confidential") if getattr(wishes, name)) or "none"
