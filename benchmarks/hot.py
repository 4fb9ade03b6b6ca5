"""What has to stay fast however many cases there are.

Each work is done by the gateway's own code against a store that :mod:`benchmarks.grown` has filled: finding a case or a
message, and the dispatcher's transaction for a batch of one kind of event.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from benchmarks import grown
from channels.base import Thread
from config.settings import Settings
from gateway.channelset import load_channels
from gateway.console.search import search
from gateway.delivery.queue import Queue, Settlement
from gateway.dispatcher.dispatcher import Dispatcher
from gateway.eventlog.base import Record, Taken
from gateway.metrics import Metrics
from gateway.replies import Replies
from gateway.store.casebook import story
from gateway.store.engine import Store
from normalizer.event import ComplaintEvent, EventChannel, EventSender, encode

Draw = Callable[[], int]
"""The ordinal of a case that is there."""

SETTINGS = Settings(
    channels={
        "sms": {
            "type": "sms",
            "dialect": "kannel",
            "sender": "1708",
            "webhook_token": "benchmark",
            "username": "benchmark",
            "password": "benchmark",
            "send_url": "http://127.0.0.1:1/nowhere",
        },
        "telegram": {"type": "telegram", "token": "1708:benchmark"},
    }
)
SECRET = b"benchmark"
LEASED = 100

_ids = itertools.count(1)


class Work(msgspec.Struct, frozen=True):
    """Something to be done ``size`` times in one go; ``do`` returns the seconds that it took."""

    name: str
    size: int
    do: Callable[[Store, Draw], Awaitable[float]]


class _Batch:
    """An event log with one batch on it; tells how long that took from its being fetched to its commit."""

    def __init__(self, events: Sequence[ComplaintEvent]) -> None:
        topic = SETTINGS.topics.complaints
        self._taken = [Taken(Record(topic, e.sender.key.encode(), encode(e)), 0, n, 0.0) for n, e in enumerate(events)]
        self._began = 0.0
        self.seconds = 0.0
        self.done: Callable[[], None] = lambda: None

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def append(self, records: Sequence[Record]) -> None:
        del records

    def ready(self) -> tuple[bool, str]:
        return True, ""

    def consumer(self, group: str, topics: Sequence[str]) -> _Batch:
        del group, topics
        return self

    async def fetch(self, *, limit: int, timeout: float) -> Sequence[Taken]:
        del limit, timeout
        taken, self._taken = self._taken, []
        self._began = time.perf_counter()
        return taken

    async def commit(self) -> None:
        self.seconds = time.perf_counter() - self._began
        self.done()

    async def lag(self) -> int:
        return 0


async def dispatch(store: Store, events: Sequence[ComplaintEvent]) -> float:
    """The seconds that a dispatcher takes for these events, in one transaction."""
    log = _Batch(events)
    dispatcher = Dispatcher(
        settings=SETTINGS,
        log=log,
        store=store,
        replies=_replies(),
        metrics=Metrics(),
        private_types=frozenset({"sms", "telegram"}),
        normalizer=_no_parts,
        source="https://gateway.example.go.id",
    )
    log.done = dispatcher.stop
    await dispatcher.run()
    return log.seconds


def event(n: int, *, channel: str = "sms", key: str = "", thread: Thread | None = None, **more: Any) -> ComplaintEvent:
    """A message about the ``n``-th case, by who opened it unless another sender's ``key`` is given."""
    own = next(_ids)
    fresh = f"{random.getrandbits(64):016x}{own:016x}"
    return ComplaintEvent(
        id=fresh,
        channel=EventChannel(channel, channel, f"provider-{fresh}", thread or Thread()),
        sender=EventSender(key or grown.sender_key(n), f"+62812{own:08d}", "phone"),
        received_at=datetime.now(UTC),
        text=f"Sampai hari ini belum ada petugas yang datang, laporan ke-{fresh}",
        language="id",
        **more,
    )


def _complaint(n: int) -> ComplaintEvent:
    return event(n, key=f"{random.getrandbits(128):032x}")


def _named(n: int) -> ComplaintEvent:
    return event(n, numbers=(grown.number(n),), intent="follow_up")


def _threaded(n: int) -> ComplaintEvent:
    n -= n % 4  # those came by Telegram
    return event(n, channel="telegram", thread=Thread(str(n), (grown.answer_id(n),)))


def _asking(n: int) -> ComplaintEvent:
    return event(n, numbers=(grown.number(n),), intent="status")


def _batch(name: str, make: Callable[[int], ComplaintEvent], size: int) -> Work:
    async def do(store: Store, draw: Draw) -> float:
        return await dispatch(store, [make(draw()) for _ in range(size)])

    return Work(name, size, do)


def _one(name: str, find: Callable[[Store, int], Awaitable[object]]) -> Work:
    async def do(store: Store, draw: Draw) -> float:
        n = draw()
        began = time.perf_counter()
        if not await find(store, n):
            raise AssertionError(f"{name}: the store does not have what was put into it")
        return time.perf_counter() - began

    return Work(name, 1, do)


async def _by_message(store: Store, n: int) -> object:
    channels = load_channels(SETTINGS)
    return (await search(store, grown.provider_id(n), channels=channels, secret=SECRET, unnamed=True)).messages


async def _by_sender(store: Store, n: int) -> object:
    # Nobody has this address: what is looked for by its hash is found as fast as it is missed.
    found = await search(store, f"+62813{n:08d}", channels=load_channels(SETTINGS), secret=SECRET, unnamed=True)
    return not found.cases


async def _send(store: Store, draw: Draw) -> float:
    """Lease what the batches before have left in the outbox, and settle it."""
    del draw
    queue = Queue(store, "sms", "benchmark", cases_topic=SETTINGS.topics.cases, source="https://gateway.example.go.id")
    began = time.perf_counter()
    leased = await queue.lease(LEASED, 30.0)
    await queue.settle([Settlement(one, "sent", time.time()) for one in leased], [], [])
    return time.perf_counter() - began


def works(batch: int = 100) -> Sequence[Work]:
    """All there are, in an order in which they can be done: batches leave replies that are then sent."""
    return (
        _one("case by number", lambda store, n: story(store, grown.number(n))),
        _one("search by message id", _by_message),
        _one("search by sender", _by_sender),
        _batch(f"dispatch {batch} complaints", _complaint, batch),
        _batch(f"dispatch {batch} follow-ups, by number", _named, batch),
        _batch(f"dispatch {batch} follow-ups, by thread", _threaded, batch),
        _batch(f"dispatch {batch} status questions", _asking, batch),
        Work(f"lease and settle {LEASED} replies", LEASED, _send),
    )


def _no_parts(channel_type: str, instance: str) -> Any:
    raise AssertionError(f"{channel_type} {instance}: no part was dispatched")


_made: list[Replies] = []


def _replies() -> Replies:
    if not _made:
        _made.append(Replies(override=None, default_language="id", channel_types=("sms", "telegram")))
    return _made[0]
