"""Citizens who number their messages, and the books that tell from the topic what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import aiohttp
import msgspec

from benchmarks.load import TEXT, percentile
from benchmarks.servers import TOKEN, TOPIC
from normalizer.event import decode


class Away(StrEnum):
    """How the broker goes away."""

    KILLED = "killed"
    STOPPED = "stopped"


class Phase(StrEnum):
    """When a message was due: with the broker there, without it, and with it back."""

    BEFORE = "before"
    AWAY = "away"
    BACK = "back"


class Message(msgspec.Struct):
    """One message. ``seconds`` is from when it was due to its answer; ``status`` is ``closed`` where there was none."""

    away: Away
    phase: Phase
    sender: int
    number: int
    seconds: float = 0.0
    status: str = ""

    @property
    def id(self) -> str:
        """The provider's id."""
        return f"{self.away}-{self.sender}-{self.number}"


class Found(msgspec.Struct, frozen=True):
    """One record of the topic; those of one partition come in their order."""

    message: str
    event: str


class Books(msgspec.Struct, frozen=True):
    """What became of the messages. ``copies`` are records of an event that stood on the topic already.

    ``reordered`` counts messages whose first copy stands behind that of a later message of their sender, and
    ``doubled`` those that became two events.
    """

    refused: int
    lost: int
    reordered: int
    doubled: int
    copies: int

    @property
    def balanced(self) -> bool:
        """Whether all is as promised; copies are known by their event's id, and allowed."""
        return not (self.refused or self.lost or self.reordered or self.doubled)


class Answers(msgspec.Struct, frozen=True):
    """How the webhook answered in one phase; times in milliseconds."""

    away: Away
    phase: Phase
    messages: int
    refused: int
    p50: float
    p99: float
    longest: float


class Citizens:
    """Everybody who writes, at ``rate`` messages a second. Who has not been answered yet does not write again."""

    def __init__(self, http: aiohttp.ClientSession, url: str, away: Away, *, rate: float, senders: int) -> None:
        self.messages: list[Message] = []
        self.phase = Phase.BEFORE
        self._http = http
        self._url = url
        self._away = away
        self._rate = rate
        self._free = deque(range(senders))
        self._written = [0] * senders
        self._under_way: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """They write for the time of the block; at its end all have been answered."""
        task = asyncio.create_task(self._write())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for n in itertools.count():
            due = began + n / self._rate
            await asyncio.sleep(due - loop.time())
            task = asyncio.create_task(self._send(self._next(), due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def _next(self) -> Message:
        if not self._free:
            self._free.append(len(self._written))
            self._written.append(0)
        sender = self._free.popleft()
        message = Message(self._away, self.phase, sender, self._written[sender])
        self._written[sender] += 1
        self.messages.append(message)
        return message

    async def _send(self, message: Message, due: float) -> None:
        form = {
            "token": TOKEN,
            "from": f"+62812{list(Away).index(self._away)}{message.sender:07d}",
            "to": "1708",
            "text": f"{TEXT} {message.number}",
            "id": message.id,
            "ts": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "charset": "UTF-8",
        }
        try:
            async with self._http.post(self._url, data=form) as answer:
                await answer.read()
                message.status = str(answer.status)
        except aiohttp.ClientError:
            message.status = "closed"
        message.seconds = asyncio.get_running_loop().time() - due
        self._free.append(message.sender)


async def on_topic(bootstrap: str) -> list[Found]:
    """Every record of the topic, those of each partition by offset."""
    # Imported here: without a broker nothing of this is needed.
    from aiokafka import AIOKafkaConsumer

    found: list[Found] = []
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        left = {place: end for place, end in ends.items() if end}
        while left:
            for place, records in (await consumer.getmany(timeout_ms=1000)).items():
                events = [decode(record.value) for record in records]
                found += [Found(event.channel.message_id, event.id) for event in events]
                if place in left and records[-1].offset + 1 >= left[place]:
                    del left[place]
    finally:
        await consumer.stop()
    return found


def answered(messages: Sequence[Message]) -> Iterator[Answers]:
    """How one outage's messages were answered, phase by phase."""
    for phase in Phase:
        of_phase = [message for message in messages if message.phase is phase]
        if not of_phase:
            continue
        took = sorted(1000 * message.seconds for message in of_phase)
        refused = sum(message.status != "200" for message in of_phase)
        middle, most = percentile(took, 0.5), percentile(took, 0.99)
        yield Answers(messages[0].away, phase, len(of_phase), refused, middle, most, took[-1])


def balance(messages: Sequence[Message], found: Sequence[Found]) -> Books:
    """Settle one outage's messages with the topic, which may hold others, too."""
    sent = {message.id: message for message in messages}
    events: dict[str, set[str]] = {}
    last: dict[int, int] = {}
    copies = reordered = 0
    for one in found:
        message = sent.get(one.message)
        if message is None:
            continue
        known = events.setdefault(message.id, set())
        if one.event in known:
            copies += 1
        elif not known:
            if message.number < last.get(message.sender, -1):
                reordered += 1
            last[message.sender] = max(message.number, last.get(message.sender, -1))
        known.add(one.event)
    return Books(
        refused=sum(message.status != "200" for message in messages),
        lost=sum(message.status == "200" and message.id not in events for message in messages),
        reordered=reordered,
        doubled=sum(len(known) > 1 for known in events.values()),
        copies=copies,
    )
