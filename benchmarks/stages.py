"""What one message costs, stage by stage, in CPU time: the program's own functions, each stage on its own.

The messages are SMS that open cases, taken in batches as under load; log and store are SQLite files. A stage's cost is
the CPU time of this whole process, threads and system calls included, so that waiting for the disk is no part of it.
What lies between the stages is not measured: the web server, tasks, wake-ups. ``send`` calls a provider in a process of
its own, over the loopback.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from benchmarks.outcome import Outcome
from benchmarks.phones import render
from benchmarks.servers import TOKEN, free_port
from channels.base import Channel, InboundMessage, Request
from channels.forms import FORM
from channels.http import HttpClient
from config.settings import Logging, Settings
from gateway.channelset import load_channels
from gateway.delivery.queue import Leased, Publication, Queue, Settlement
from gateway.dispatcher.lookup import Lookup
from gateway.dispatcher.relay import Relay
from gateway.dispatcher.rules import decide
from gateway.dispatcher.working import WorkingSet
from gateway.eventlog.base import Record
from gateway.eventlog.factory import make_log
from gateway.hub import Hub
from gateway.log import configure
from gateway.readers import Readers
from gateway.replies import Replies
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.tables import publications
from normalizer import tracking
from normalizer.cloudevents import headers
from normalizer.event import ComplaintEvent, decode, encode
from normalizer.messages import DeliveryEvent
from normalizer.messages import encode as encode_message
from normalizer.normalize import Normalizer

CALLS = 32
"""Webhook calls that intake reads and appends together under load, and replies in flight at once."""
BATCH = 500
"""Events that the dispatcher takes in one transaction."""

STAGES = {
    "receive": "verify and parse the webhook call",
    "normalise": "make the event",
    "encode": "the event's JSON and headers",
    "append": "make it durable on the log",
    "fetch": "read it back, and commit the offset",
    "decode": "the event from its JSON",
    "look up": "what the store knows of it",
    "rules": "decide, open the case, write the rows in memory",
    "render": "the reply's text",
    "store": "case, message and reply in one transaction",
    "lease": "take the reply from the outbox",
    "send": "call the provider",
    "settle": "write down the provider's yes",
    "relay": "tell the log of the case and the delivery",
}


class Stage(msgspec.Struct, frozen=True):
    """Microseconds of CPU time for one message, median over the rounds, and the share of all stages."""

    name: str
    microseconds: float
    share: float


class Meter:
    """Adds up the CPU time of this process by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What runs in the block is of this stage."""
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.process_time() - began


class Rendering(Replies):
    """Replies whose rendering is measured on its own, within the stage of the rules that goes on around it."""

    meter: Meter | None = None

    def render(self, name: str, **values: str) -> str:
        """The text of one reply."""
        began = time.process_time()
        text = super().render(name, **values)
        if self.meter is not None:
            took = time.process_time() - began
            self.meter.seconds["render"] += took
            self.meter.seconds["rules"] -= took
        return text


class Line:
    """One gateway's parts, taken out of the program: its log, its store, its SMS channel."""

    def __init__(self, folder: Path, provider: int) -> None:
        folder.mkdir(parents=True)
        self.settings = Settings.model_validate(
            {
                "log": {"path": folder / "log.db"},
                "store": {"url": f"sqlite+aiosqlite:///{folder}/gateway.db"},
                "channels": {
                    "sms": {
                        "type": "sms",
                        "dialect": "kannel",
                        "sender": "1708",
                        "webhook_token": TOKEN,
                        "username": "benchmark",
                        "password": "benchmark",
                        "send_url": f"http://127.0.0.1:{provider}/cgi-bin/sendsms",
                    }
                },
            }
        )
        self.log = make_log(self.settings)
        self.store = Store(self.settings.store.url.get_secret_value())
        self.source = self.settings.server.base_url
        self._http = HttpClient()
        [config] = load_channels(self.settings).values()
        hub = Hub(self.source, self.store, "one", self._http)
        self.channel: Channel = config.spec.make("sms", config.settings, hub)
        self.normalizer: Normalizer = Readers(self.settings, {"sms": config})("sms", "sms")
        self.replies = Rendering(override=None, default_language="id", channel_types=("sms",))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Log, store and HTTP client are open in the block."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._http)
            stack.push_async_callback(self.channel.close)
            stack.push_async_callback(self.store.close)
            await migrate(self.store)
            await self.log.start()
            stack.push_async_callback(self.log.close)
            yield

    async def carry(self, calls: Sequence[bytes], meter: Meter) -> None:
        """Carry every message from the webhook's request to the end of its delivery."""
        self.replies.meter = meter
        for some in _groups(calls, CALLS):
            await self._take_in(some, meter)
        await self._dispatch(meter)
        await self._deliver(meter)
        await self._relay(meter)

    async def _take_in(self, calls: Sequence[bytes], meter: Meter) -> None:
        requests = [_request(call) for call in calls]
        messages: list[InboundMessage] = []
        with meter.stage("receive"):
            for request in requests:
                self.channel.verify(request)
                messages += self.channel.parse(request)
        at = datetime.now(UTC)
        with meter.stage("normalise"):
            events = [self.normalizer.event(message, at) for message in messages]
        topic = self.settings.topics.complaints
        with meter.stage("encode"):
            records = [Record(topic, e.sender.key.encode(), encode(e), headers(e, self.source)) for e in events]
        with meter.stage("append"):
            await self.log.append(records)

    async def _dispatch(self, meter: Meter) -> None:
        consumer = self.log.consumer(self.settings.log.group, [self.settings.topics.complaints])
        while True:
            with meter.stage("fetch"):
                taken = await consumer.fetch(limit=BATCH, timeout=0.0)
            if not taken:
                break
            with meter.stage("decode"):
                events = [decode(one.record.value) for one in taken]
            await self._settle(events, meter)
            with meter.stage("fetch"):
                await consumer.commit()
        await consumer.close()

    async def _settle(self, events: Sequence[ComplaintEvent], meter: Meter) -> None:
        rules = self.settings.rules
        async with AsyncExitStack() as stack:
            with meter.stage("look up"):
                connection = await stack.enter_async_context(self.store.write())
                lookup = Lookup(connection, rules)
                await lookup.seen(event.id for event in events)
                known = await lookup.known(events)
                numbers = await lookup.free_numbers(tracking.draw(len(events) + 8))
            working = WorkingSet(
                known,
                numbers,
                replies=self.replies,
                private_types=frozenset({"sms"}),
                flood_window=rules.flood_window,
                duplicate_window=rules.duplicate_window,
                cases_topic=self.settings.topics.cases,
                source=self.source,
                notice=lambda _channel, _language: "",
            )
            with meter.stage("rules"):
                for event in events:
                    working.apply(event, decide(event, working.facts(event), rules))
            with meter.stage("store"):
                await working.write(connection)
                await stack.aclose()

    async def _deliver(self, meter: Meter) -> None:
        topics = self.settings.topics
        queue = Queue(self.store, "sms", "one", cases_topic=topics.cases, source=self.source)
        while True:
            with meter.stage("lease"):
                leased = await queue.lease(CALLS, 30.0)
            if not leased:
                return
            with meter.stage("send"):
                await asyncio.gather(*(self.channel.send(one.message) for one in leased))
            with meter.stage("settle"):
                told = [self._told(one) for one in leased]
                await queue.settle([Settlement(one, "sent", time.time()) for one in leased], told, [])

    def _told(self, leased: Leased) -> Publication:
        """What the sender has to say of a reply that was taken."""
        delivery, number = leased.message.delivery, leased.case_number or ""
        told = DeliveryEvent(
            id=delivery,
            delivery=delivery,
            number=number,
            channel="sms",
            outcome="sent",
            attempt=leased.attempts,
            at=datetime.now(UTC),
        )
        head = msgspec.json.encode(headers(told, self.source))
        return Publication(self.settings.topics.deliveries, number.encode(), encode_message(told), head)

    async def _relay(self, meter: Meter) -> None:
        relay = Relay(store=self.store, log=self.log, owner="one")
        with meter.stage("relay"):
            carrying = asyncio.create_task(relay.run())
            while await self._unsaid():  # noqa: ASYNC110 - only the store knows
                await asyncio.sleep(0.05)
            relay.stop()
            await carrying

    async def _unsaid(self) -> bool:
        async with self.store.read() as connection:
            return (await connection.execute(select(publications.c.id).limit(1))).first() is not None


async def measure(folder: Path, *, messages: int, rounds: int) -> list[Stage]:
    """Carry so many messages in each round, after a tenth of them to warm up; the costliest stage first."""
    provider = free_port()
    taker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.phones", "--provider", str(provider)), stdout=asyncio.subprocess.PIPE
    )
    assert taker.stdout is not None
    found: list[dict[str, float]] = []
    try:
        await taker.stdout.readline()
        line = Line(folder, provider)
        async with line.open():
            warmup = messages // 10
            await line.carry(_calls(0, warmup), Meter())
            for number in range(rounds):
                meter = Meter()
                calls = _calls(warmup + number * messages, messages)
                gc.collect()
                await line.carry(calls, meter)
                found.append(meter.seconds)
    finally:
        taker.terminate()
        await taker.wait()
    cost = {name: 1e6 * statistics.median(one[name] for one in found) / messages for name in STAGES}
    stages = [Stage(name, each, each / sum(cost.values())) for name, each in cost.items()]
    return sorted(stages, key=lambda stage: -stage.microseconds)


def table(stages: Sequence[Stage], messages: int, rounds: int) -> Table:
    """What is printed."""
    shown = Table(title=f"CPU time of one message by stage, {messages:,} messages, median of {rounds} rounds")
    shown.add_column("stage")
    shown.add_column("what")
    for column in ("µs", "share"):
        shown.add_column(column, justify="right")
    for stage in stages:
        shown.add_row(stage.name, STAGES[stage.name], f"{stage.microseconds:.0f}", f"{stage.share:.0%}")
    shown.add_section()
    shown.add_row("all", "", f"{sum(stage.microseconds for stage in stages):.0f}", "")
    return shown


async def run(console: Console, work: Path, *, quick: bool) -> Outcome:
    """Measure and print; ``quick`` carries a few hundred messages once."""
    messages, rounds = (500, 1) if quick else (5_000, 3)
    # In a thread with a loop like the program's.
    stages = await asyncio.to_thread(_on_uvloop, work / "stages", messages, rounds)
    console.print(table(stages, messages, rounds))
    return Outcome({"messages": messages, "rounds": rounds, "stages": stages})


def _on_uvloop(folder: Path, messages: int, rounds: int) -> list[Stage]:
    configure(Logging(level="warning"), UTC, sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure(folder, messages=messages, rounds=rounds))


def _calls(first: int, count: int) -> list[bytes]:
    return render("http://127.0.0.1/webhooks/sms", TOKEN, range(first, first + count))


def _request(call: bytes) -> Request:
    """The webhook's request as the door hands it to the channel."""
    body = call.partition(b"\r\n\r\n")[2]
    return Request(method="POST", target="/webhooks/sms", query={}, headers={}, body=body, content_type=FORM)


def _groups(calls: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (calls[start : start + size] for start in range(0, len(calls), size))
