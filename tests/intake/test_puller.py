"""Reading sources: nothing lost, oldest first, one reader at a time, and another goes on where one stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from channels.base import Channel, InboundMessage, OutboundMessage, Request, Sender, Sent
from channels.errors import ChannelError, Misconfigured, RetryLater, Unverified
from channels.receiving import Fetched, Item, Source, Unreadable
from gateway.eventlog.base import LogUnavailable
from gateway.intake import puller as module
from gateway.intake.puller import Puller
from gateway.store.cursors import LeaseLost, StoreKept, load_cursor, save_cursor
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire
from gateway.store.tables import leases
from tests.channels.host import FakeHost

PATIENCE = 60.0


class Mailbox:
    """A provider: numbered messages, read by position; ``errors`` are raised by the next readings."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.errors: list[Exception] = []
        self.readers = 0
        self.most_readers = 0
        self.news = asyncio.Event()


class MailboxSource(Source):
    name = "inbox"

    def __init__(self, mailbox: Mailbox, batch: int = 2) -> None:
        self._mailbox = mailbox
        self._batch = batch
        self._open = False

    async def fetch(self, cursor: str) -> Fetched:
        box = self._mailbox
        if not self._open:
            self._open = True
            box.readers += 1
            box.most_readers = max(box.readers, box.most_readers)
        if box.errors:
            raise box.errors.pop(0)
        at = int(cursor or 0)
        while not box.texts[at:]:
            box.news.clear()
            await box.news.wait()
        texts = box.texts[at : at + self._batch]
        return Fetched([message(text) for text in texts], str(at + len(texts)))

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._mailbox.readers -= 1


def message(text: str) -> Item:
    if text == "?":
        return Unreadable(b"?", "text/plain", "odd")
    return InboundMessage(sender=Sender("a@b.test", "email"), provider_id=text, text=text, raw=text.encode())


class MailboxChannel(Channel):
    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__("box", None, FakeHost())
        self.mailbox = mailbox

    def verify(self, request: Request) -> None:
        raise Unverified("no webhook")

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        return ()

    async def send(self, message: OutboundMessage) -> Sent:
        return Sent()

    def sources(self) -> Sequence[Source]:
        return (MailboxSource(self.mailbox),)


class Log:
    """A recorder that keeps what it is handed; ``errors`` are raised by the next recordings, after keeping."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.errors: list[Exception] = []
        self._bell = asyncio.Condition()

    async def take(self, items: Sequence[Item]) -> None:
        async with self._bell:
            self.kept += [item.text if isinstance(item, InboundMessage) else "unreadable" for item in items]
            self._bell.notify_all()
        if self.errors:
            raise self.errors.pop(0)

    async def until(self, done: Callable[[list[str]], bool]) -> list[str]:
        async with asyncio.timeout(PATIENCE), self._bell:
            await self._bell.wait_for(lambda: done(self.kept))
        return self.kept


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_REST", 0.05)


@asynccontextmanager
async def pulling(mailbox: Mailbox, log: Log, store: Store, owner: str = "one") -> AsyncIterator[Puller]:
    puller = Puller(MailboxChannel(mailbox), log, store=store, owner=owner, lease=1.0)  # type: ignore[arg-type]
    task = asyncio.create_task(puller.run())
    try:
        yield puller
    finally:
        puller.stop()
        await task


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await true():
            await asyncio.sleep(0.01)


async def test_everything_comes_in_oldest_first_and_the_cursor_follows(store: Store) -> None:
    mailbox, log = Mailbox("1", "2", "?", "3", "4"), Log()
    async with pulling(mailbox, log, store) as puller:
        assert await log.until(lambda kept: len(kept) == 5) == ["1", "2", "unreadable", "3", "4"]
        mailbox.texts.append("5")
        mailbox.news.set()
        await log.until(lambda kept: "5" in kept)

        async def moved() -> bool:
            return await load_cursor(store, "box", "inbox") == "6"

        await until(moved)
        assert puller.reading["inbox"].state == "reading"
    assert mailbox.readers == 0


async def test_the_next_start_goes_on_from_the_cursor(store: Store) -> None:
    mailbox, log = Mailbox("1", "2", "3"), Log()
    async with pulling(mailbox, log, store):
        await log.until(lambda kept: len(kept) == 3)

        async def moved() -> bool:
            return await load_cursor(store, "box", "inbox") == "3"

        await until(moved)
    mailbox.texts.append("4")
    async with pulling(mailbox, log, store, "two"):
        assert await log.until(lambda kept: "4" in kept) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "error",
    [
        RetryLater("away"),
        RetryLater("busy", retry_after=0.01),
        pytest.param(LogUnavailable("disk"), id="log"),
        pytest.param(StoreUnavailable("gone"), id="store"),
    ],
    ids=lambda error: getattr(error, "reason", type(error).__name__),
)
async def test_what_fails_is_read_again(store: Store, error: Exception) -> None:
    mailbox, log = Mailbox("1", "2", "3"), Log()
    if isinstance(error, ChannelError):
        mailbox.errors = [error]
    else:
        log.errors = [error]
    async with pulling(mailbox, log, store):
        kept = await log.until(lambda kept: "3" in kept)
    assert list(dict.fromkeys(kept)) == ["1", "2", "3"]


async def test_refused_credentials_are_told_and_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MISCONFIGURED_REST", 0.2)
    mailbox, log = Mailbox("1"), Log()
    mailbox.errors = [Misconfigured("the password is refused")]
    async with pulling(mailbox, log, store) as puller:

        async def refused() -> bool:
            return puller.reading["inbox"].state == "refused"

        await until(refused)
        assert "the password is refused" in puller.reading["inbox"].reason
        await log.until(lambda kept: kept == ["1"])


async def test_one_reads_and_the_other_takes_over(store: Store) -> None:
    mailbox, log = Mailbox("1"), Log()
    async with pulling(mailbox, log, store, "two"):
        await log.until(lambda kept: kept == ["1"])
        async with pulling(mailbox, log, store, "one") as waiting:
            # One that dies gives nothing back: its lease is left to run out.
            assert waiting.reading["inbox"].state == "standby"
            mailbox.texts.append("2")
            mailbox.news.set()
            await log.until(lambda kept: "2" in kept)
            assert mailbox.most_readers == 1
    async with pulling(mailbox, log, store, "three"):
        mailbox.texts.append("3")
        mailbox.news.set()
        assert (await log.until(lambda kept: "3" in kept))[-1] == "3"
    assert mailbox.most_readers == 1


async def test_a_dead_readers_lease_runs_out(store: Store) -> None:
    assert await acquire(store, "pull:box", "dead", 1.0)
    mailbox, log = Mailbox("1"), Log()
    async with pulling(mailbox, log, store):
        await log.until(lambda kept: kept == ["1"])


async def test_a_reader_that_was_paused_does_not_take_the_cursor_back(store: Store) -> None:
    assert await acquire(store, "pull:box", "one", 60)
    await save_cursor(store, "box", "inbox", "1", lease="pull:box", owner="one")
    async with store.write() as connection:
        await connection.execute(update(leases).values(owner="two"))
    await save_cursor(store, "box", "inbox", "9", lease="pull:box", owner="two")
    with pytest.raises(LeaseLost):
        await save_cursor(store, "box", "inbox", "2", lease="pull:box", owner="one")
    assert await load_cursor(store, "box", "inbox") == "9"


async def test_a_channel_keeps_texts_apart_from_cursors_and_other_channels(store: Store) -> None:
    kept, other = StoreKept(store, "box", "one"), StoreKept(store, "other", "one")
    assert await kept.get("inbox") == ""
    await kept.put("inbox", "first")
    await kept.put("inbox", "second")
    assert (await kept.get("inbox"), await other.get("inbox")) == ("second", "")
    assert await load_cursor(store, "box", "inbox") == ""


async def test_a_turn_is_one_at_a_time_over_processes_and_tasks(store: Store) -> None:
    here, there = StoreKept(store, "box", "one"), StoreKept(store, "box", "two")
    inside = most = done = 0

    async def turn(kept: StoreKept) -> None:
        nonlocal inside, most, done
        async with kept.lease("token"):
            inside += 1
            most = max(most, inside)
            await kept.put("token", "x")
            inside -= 1
            done += 1

    await asyncio.gather(*(turn(kept) for kept in (here, there, here, there)))
    assert (most, done) == (1, 4)
