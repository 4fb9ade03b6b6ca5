"""Files that come with messages: their names, which of them are fetched, and what becomes of each, over both stores."""

from __future__ import annotations

import asyncio
import hashlib
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from channels.base import Attachment, Channel, OutboundMessage, Part, RawReader, Request, Sent
from channels.errors import Misconfigured, Refused, RetryLater
from config.conversation import Rules
from config.settings import Attachments, Delivery, Settings
from gateway.attachments import collector as collecting
from gateway.attachments.collector import Collector
from gateway.attachments.names import MAX_BYTES, ending, safe_name
from gateway.attachments.rules import refusal
from gateway.attachments.shapes import Settlement, waiting_rows
from gateway.blobs.base import Blobs, Stored
from gateway.blobs.folder import Folder
from gateway.blobs.raw import keep_raw
from gateway.eventlog.sqlite import SqliteLog
from gateway.metrics import Metrics
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.tables import attachments, cases, messages, publications
from normalizer.cloudevents import CASE_CHANGED
from normalizer.cloudevents import read as read_headers
from normalizer.event import ComplaintEvent, Raw, encode
from tests.channels.host import FakeHost
from tests.dispatcher.make import case as case_facts
from tests.dispatcher.make import event as an_event
from tests.dispatcher.test_dispatcher import Bench
from tests.normalizer.make import sms

PATIENCE = 60.0
NUMBER = "4829137065"
PHOTO = Attachment("jalan rusak.jpg", "image/jpeg", 1000, reference="photo-1")


# Names.


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("jalan rusak.jpg", "jalan rusak.jpg"),
        ("Jalan Merdeka (2).JPG", "Jalan Merdeka (2).JPG"),
        ("foto ꦗꦭꦤ꧀.png", "foto ꦗꦭꦤ꧀.png"),
        ("", "file"),
        ("...", "file"),
        (" \t\n", "file"),
        ("/", "file"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\siti\\foto.png", "foto.png"),
        ("/var/spool/x/", "file"),
        (".htaccess", "htaccess"),
        ("-rf", "rf"),
        ("~root", "root"),
        ("foto.png. . ", "foto.png"),
        ("a\x00b\x1b[31mc\r\nd.txt", "ab[31mc d.txt"),
        ("foto\u202egnp.exe", "fotognp.exe"),
        ("a\u200b\u2066b\ufeff.txt", "ab.txt"),
        ("a\u2028b\u00a0c.txt", "a b c.txt"),
        ("\ud83d.png", "png"),
        ('a<b>c:d"e|f?g*h', "a_b_c_d_e_f_g_h"),
        ("a\uff0fb\uff3cc.txt", "a_b_c.txt"),
        ("a\u2105b.txt", "a_b.txt"),
        ("a\u2026b.txt", "a_b.txt"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("LPT1", "_LPT1"),
        ("com²", "_com²"),
        ("console.log", "console.log"),
        ("e\u0301.txt", "é.txt"),
        ("x" * 300 + ".jpeg", "x" * (MAX_BYTES - 5) + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * (MAX_BYTES - 2)),
        ("é" * 200 + ".png", "é" * ((MAX_BYTES - 4) // 2) + ".png"),
    ],
    ids=ascii,
)
def test_a_name_is_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.one_of(st.text(max_size=300), st.text(alphabet="/\\. -~_conCON1\u202e\u0300é𝔸\ud800", max_size=60)))
def test_every_name_is_safe_and_stays_so(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe.encode()) <= MAX_BYTES + 1  # a device has one more
    assert not set(safe) & set('/\\:*?"<>|')
    assert safe[0] not in ". -~"
    assert safe[-1] not in ". "
    assert not any(unicodedata.category(c).startswith("C") or c in "\u2028\u2029" for c in safe)
    assert not set(unicodedata.normalize("NFKC", safe)) & set("/\\")
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "last"),
    [("a.JPG", "jpg"), ("a.jpg.exe", "exe"), ("a.exe.", "exe"), ("a\u202efdp.exe", "exe"), ("exe", ""), (".exe", "")],
    ids=ascii,
)
def test_the_ending_is_that_of_the_safe_name(name: str, last: str) -> None:
    assert ending(name) == last


# Which files are fetched.


@pytest.mark.parametrize(
    ("file", "position", "rules", "reason"),
    [
        (PHOTO, 0, {}, ""),
        (Attachment("", "", 0), 0, {}, ""),
        (Attachment("a", "application/octet-stream"), 0, {}, ""),
        (PHOTO, 1, {"max_per_message": 2}, ""),
        (PHOTO, 2, {"max_per_message": 2}, "too_many: more than 2 files in one message"),
        (PHOTO, 0, {"max_size": 1000}, ""),
        (PHOTO, 0, {"max_size": 999}, "too_large: more than 999"),
        (Attachment("a.exe", "image/jpeg"), 0, {}, "type_blocked: image/jpeg, .exe"),
        (Attachment("foto.jpg.SCR", ""), 0, {}, "type_blocked: application/octet-stream, .scr"),
        (Attachment("x", "Application/X-MSDownload; name=x"), 0, {}, "type_blocked: application/x-msdownload"),
        (Attachment("a.pdf", "application/pdf"), 0, {"blocked_endings": (".PDF",)}, "type_blocked: application/pdf, .pdf"),
        (Attachment("a.exe", "image/jpeg"), 0, {"blocked_endings": ()}, ""),
        (PHOTO, 0, {"allowed_types": ("IMAGE/*",)}, ""),
        (PHOTO, 0, {"allowed_types": ("application/pdf", "video/*")}, "type_not_allowed: image/jpeg"),
        (PHOTO, 0, {"allowed_types": ("image/*",), "blocked_types": ("image/jpeg",)}, "type_blocked: image/jpeg, .jpg"),
    ],
)  # fmt: skip
def test_which_files_are_fetched(file: Attachment, position: int, rules: dict[str, Any], reason: str) -> None:
    assert refusal(file, position, Attachments.model_validate(rules)) == reason


# What becomes of them.

Answer = bytes | Exception | Callable[[RawReader], AsyncIterator[bytes]]


class Provider(Channel):
    """A channel whose files are what a test says: of each reference, the answers in turn, the last one again."""

    def __init__(self, name: str = "box") -> None:
        super().__init__(name, None, FakeHost())
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.open = 0
        self.most_open = 0
        self._given: list[AsyncIterator[bytes]] = []

    def download(self, attachment: Attachment, raw: RawReader) -> AsyncIterator[bytes]:
        # Kept, so that a source counts as open until someone closes it.
        self._given.append(self._pieces(attachment, raw))
        return self._given[-1]

    async def _pieces(self, attachment: Attachment, raw: RawReader) -> AsyncIterator[bytes]:
        self.asked.append(attachment.reference)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            left = self.answers[attachment.reference]
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, bytes):
                for start in range(0, len(answer), 1000):
                    yield answer[start : start + 1000]
                return
            async for piece in answer(raw):
                yield piece
        finally:
            self.open -= 1

    def verify(self, request: Request) -> None:
        raise NotImplementedError

    def parse(self, request: Request) -> Sequence[Any]:
        raise NotImplementedError

    async def send(self, message: OutboundMessage) -> Sent:
        raise NotImplementedError


class NoFiles(Provider):
    """A channel that brings no files, as the base has it."""

    download = Channel.download


class Yard:
    """Collectors on one store and one folder, and the channels they fetch from."""

    def __init__(self, store: Store, root: Path) -> None:
        self.store = store
        self.root = root
        self.blobs: Blobs = Folder(root)
        self.box = Provider()
        self.channels: dict[str, Channel] = {"box": self.box}
        self.metrics = Metrics()
        self.rules = Attachments()
        self.delivery = Delivery(first_retry=0.05, longest_retry=0.2, breaker_probe=0.1)

    def collector(self, owner: str = "one", **rules: Any) -> Collector:
        return Collector(
            self.channels,
            settings=Settings(attachments=self.rules.model_copy(update=rules), delivery=self.delivery),
            store=self.store,
            blobs=self.blobs,
            metrics=self.metrics,
            owner=owner,
            source="https://gateway.test",
        )

    @asynccontextmanager
    async def running(self, *collectors: Collector) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(collector.run()) for collector in collectors]
        try:
            yield
        finally:
            for collector in collectors:
                collector.stop()
            await asyncio.gather(*tasks)

    async def write(
        self, *files: Attachment, number: str | None = None, anonymous: bool = False, channel: str = "box", **more: Any
    ) -> ComplaintEvent:
        """A message with files, on a case where it has a number, as the dispatcher leaves it."""
        event = an_event(attachments=files or (PHOTO,), **more)
        event = msgspec.structs.replace(event, channel=msgspec.structs.replace(event.channel, instance=channel))
        facts = case_facts(NUMBER, anonymous=anonymous)
        message = {
            "event_id": event.id,
            "kind": "message",
            "channel_type": event.channel.type,
            "channel": channel,
            "sender_key": event.sender.key,
            "received_at": event.received_at.timestamp(),
            "case_number": number,
            "disposition": "complaint",
            "document": encode(event).decode(),
        }
        async with self.store.write() as connection:
            if number:
                row = {name: getattr(facts, name) for name in facts.__struct_fields__}
                await connection.execute(cases.insert(), row)
            await connection.execute(messages.insert(), message)
            await connection.execute(attachments.insert(), waiting_rows(event, number, time.time() - 1))
        return event

    async def rows(self, table: Any = attachments) -> Sequence[Any]:
        query = select(table).order_by(*table.primary_key.columns)
        async with self.store.read() as connection:
            return (await connection.execute(query)).all()

    async def row(self) -> Any:
        (row,) = await self.rows()
        return row

    async def set(self, **values: Any) -> None:
        async with self.store.write() as connection:
            await connection.execute(update(attachments).values(**values))

    async def until(self, *states: str) -> None:
        """Wait until every file is in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while not all(row.state in states for row in await self.rows()):
                await asyncio.sleep(0.01)

    async def until_told(self, outcome: str, times: int = 1) -> None:
        """Wait until an outcome was counted."""
        async with asyncio.timeout(PATIENCE):
            while self.count("attachments_total", outcome=outcome) < times:
                await asyncio.sleep(0.01)

    async def fetched(self, **rules: Any) -> Any:
        """Run a collector until every file is settled; the row of the only file."""
        async with self.running(self.collector(**rules)):
            await self.until("stored", "refused", "failed")
        return (await self.rows())[0]

    async def told(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(row.value) for row in await self.rows(publications)]

    def files(self) -> list[str]:
        """The keys of the blobs that are there, drafts among them."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())

    def count(self, name: str, channel: str = "box", **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"lapor_gateway_{name}", {"channel": channel, **labels}) or 0.0


@pytest.fixture
async def yard(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setattr(collecting, "IDLE_SECONDS", 0.02)
    return Yard(store, tmp_path / "blobs")


async def test_a_file_is_fetched_stored_and_told(yard: Yard) -> None:
    content = b"\xff\xd8" + b"x" * 300_000
    yard.box.answers["photo-1"] = [content]
    event = await yard.write(number=NUMBER, region="TANGKAB")
    row = await yard.fetched()

    digest = hashlib.sha256(content).hexdigest()
    assert (row.state, row.size, row.sha256, row.owner, row.attempts) == ("stored", len(content), digest, None, 1)
    assert await yard.blobs.get(row.stored) == content
    assert yard.files() == [row.stored]
    (said,) = await yard.told()
    assert (said["number"], said["change"], said["event_id"]) == (NUMBER, "attachment_stored", event.id)
    assert said["attachments"] == [
        {
            "name": "jalan rusak.jpg",
            "media_type": "image/jpeg",
            "size": len(content),
            "sha256": digest,
            "stored": row.stored,
            "reference": "photo-1",
        }
    ]
    assert yard.count("attachments_total", outcome="stored") == 1
    assert yard.count("attachment_bytes_total") == len(content)


async def test_what_is_told_is_a_cloud_event_of_the_case_without_its_sender(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write(number=NUMBER, anonymous=True)
    await yard.fetched()
    (row,) = await yard.rows(publications)
    headers = read_headers(msgspec.json.decode(row.headers, type=list[tuple[str, bytes]]))
    assert (row.topic, row.key, headers.type, headers.subject) == (
        "lapor.cases.v1",
        NUMBER.encode(),
        CASE_CHANGED,
        NUMBER,
    )
    said = msgspec.json.decode(row.value)
    assert "sender" not in said
    assert said["privacy"]["anonymous"] is True
    assert "+6281234567890" not in row.value.decode()


async def test_the_file_of_a_message_on_no_case_is_fetched_and_nobody_told(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write()
    assert (await yard.fetched()).state == "stored"
    assert await yard.told() == []


async def test_two_messages_with_the_same_file_have_a_blob_each(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"the same"]
    await yard.write(PHOTO, PHOTO)
    await yard.write(PHOTO)
    await yard.fetched()
    assert len({row.stored for row in await yard.rows()}) == len(yard.files()) == 3


@pytest.mark.parametrize("size", [100, 100_000], ids=["in the event", "in the blob store"])
async def test_a_channel_reads_the_message_s_payload(yard: Yard, size: int) -> None:
    async def last_byte(raw: RawReader) -> AsyncIterator[bytes]:
        yield (await raw())[-1:]

    yard.box.answers["photo-1"] = [last_byte]
    payload = b"m" * size + b"!"
    stored = await keep_raw(sms(raw=payload), yard.blobs)
    await yard.write(raw=Raw("message/rfc822", size, b"" if stored else payload, stored))
    row = await yard.fetched()
    assert await yard.blobs.get(row.stored) == b"!"


@pytest.mark.parametrize(
    "failure",
    [
        RetryLater("500", reason="http_500"),
        RetryLater("429", reason="throttled", retry_after=0.1),
        RetryLater("429", reason="throttled", retry_after=0.1, whole_channel=True),
        ValueError("a mistake of ours"),
    ],
    ids=["500", "429", "429 for the channel", "a bug"],
)
async def test_a_fetch_that_fails_for_a_while_is_tried_again(yard: Yard, failure: Exception) -> None:
    yard.box.answers["photo-1"] = [failure, failure, b"at last"]
    await yard.write()
    row = await yard.fetched()
    assert (row.state, row.attempts, row.detail) == ("stored", 3, "")
    assert yard.count("attachments_total", outcome="retry") == 2


async def test_a_file_that_breaks_off_is_fetched_whole(yard: Yard) -> None:
    async def half(raw: RawReader) -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        raise RetryLater("connection lost")

    yard.box.answers["photo-1"] = [half, b"the whole"]
    await yard.write()
    row = await yard.fetched()
    assert await yard.blobs.get(row.stored) == b"the whole"
    assert len(yard.files()) == 1


async def test_the_wish_to_wait_is_honoured(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [RetryLater("wait an hour", retry_after=3600.0)]
    await yard.write()
    async with yard.running(yard.collector()):
        await yard.until_told("retry")
    row = await yard.row()
    assert row.due_at - time.time() > 3000
    assert (row.state, row.owner, row.detail) == ("waiting", None, "unavailable: wait an hour")


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (RetryLater("wait", retry_after=3600.0, whole_channel=True), "retry"),
        (Misconfigured("the token is refused"), "held"),
    ],
    ids=["asked to wait", "credentials refused"],
)
async def test_a_channel_that_fails_as_a_whole_is_left_alone_while_others_go_on(
    yard: Yard, failure: Exception, outcome: str
) -> None:
    yard.delivery = Delivery(breaker_probe=3600.0)
    other = yard.channels["other"] = Provider("other")
    yard.box.answers["photo-1"] = [failure]
    other.answers["photo-1"] = [b"x"]
    await yard.write(PHOTO, PHOTO, PHOTO)
    async with yard.running(yard.collector(concurrency=1)):
        await yard.until_told(outcome)
        await yard.write(channel="other")
        async with asyncio.timeout(PATIENCE):
            while not yard.count("attachments_total", "other", outcome="stored"):
                await asyncio.sleep(0.01)
    assert yard.box.asked == ["photo-1"]


async def test_after_a_day_of_failures_it_is_given_up_and_told(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [RetryLater("the provider answered 500", reason="http_500")]
    await yard.write(number=NUMBER)
    await yard.set(created_at=time.time() - 86400)
    row = await yard.fetched()
    assert (row.state, row.detail) == ("failed", "http_500: the provider answered 500")
    (said,) = await yard.told()
    assert (said["change"], said["reason"]) == ("attachment_failed", "http_500")
    assert said["attachments"][0] == {
        "name": "jalan rusak.jpg",
        "media_type": "image/jpeg",
        "size": 1000,
        "reference": "photo-1",
    }


async def test_a_refusal_is_final_and_told(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [Refused("the file is gone", reason="http_404")]
    await yard.write(number=NUMBER)
    row = await yard.fetched()
    assert (row.state, row.detail, row.attempts) == ("refused", "http_404: the file is gone", 1)
    assert [said["reason"] for said in await yard.told()] == ["http_404"]


async def test_a_channel_without_files_refuses_them(yard: Yard) -> None:
    yard.channels["box"] = NoFiles()
    await yard.write()
    row = await yard.fetched()
    assert (row.state, row.detail) == ("refused", "no_files: this channel brings no files")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (Attachment("a.exe", "image/jpeg", reference="photo-1"), "type_blocked"),
        (Attachment("a.zip", "application/zip", 26 * 1024**2, reference="photo-1"), "too_large"),
    ],
    ids=["type", "size"],
)
async def test_what_the_rules_refuse_is_recorded_and_not_fetched(yard: Yard, file: Attachment, reason: str) -> None:
    await yard.write(file, number=NUMBER)
    row = await yard.fetched()
    assert (row.state, row.detail.partition(":")[0], row.stored) == ("refused", reason, "")
    assert yard.box.asked == yard.files() == []
    assert [said["reason"] for said in await yard.told()] == [reason]


async def test_a_file_larger_than_it_said_is_refused_on_the_way(yard: Yard) -> None:
    endless = 0

    async def lying(raw: RawReader) -> AsyncIterator[bytes]:
        nonlocal endless
        while True:
            endless += 1
            yield b"x" * 1000

    yard.box.answers["photo-1"] = [lying]
    await yard.write(Attachment("a.jpg", "image/jpeg", 10, reference="photo-1"))
    row = await yard.fetched(max_size=100_000)
    assert (row.state, row.detail, row.size) == ("refused", "too_large: more than 100000", 10)
    assert endless == 101
    assert yard.files() == []
    assert yard.box.open == 0  # its connection was let go


async def test_the_file_of_a_message_that_was_erased_is_refused(yard: Yard) -> None:
    async def payload(raw: RawReader) -> AsyncIterator[bytes]:
        yield await raw()

    yard.box.answers["photo-1"] = [payload]
    await yard.write()
    async with yard.store.write() as connection:
        await connection.execute(messages.delete())
    row = await yard.fetched()
    assert (row.state, row.detail) == ("refused", "no_message: the message was erased")


async def test_a_payload_that_is_in_no_blob_store_we_see_is_looked_for_again(yard: Yard, tmp_path: Path) -> None:
    async def payload(raw: RawReader) -> AsyncIterator[bytes]:
        yield await raw()

    yard.box.answers["photo-1"] = [payload]
    elsewhere = await keep_raw(sms(raw=b"x" * 100_000), Folder(tmp_path / "elsewhere"))
    await yard.write(raw=Raw("message/rfc822", 100_000, stored=elsewhere))
    async with yard.running(yard.collector()):
        await yard.until_told("retry")
    assert (await yard.row()).detail.startswith("raw_missing")


async def test_what_an_operator_has_to_put_right_waits_however_long(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [Misconfigured("the token is refused")]
    await yard.write()
    await yard.set(created_at=time.time() - 10 * 86400)
    async with yard.running(yard.collector()):
        await yard.until_told("held", 2)
        assert (await yard.row()).detail == "credentials: the token is refused"
        yard.box.answers["photo-1"] = [b"x"]
        await yard.until("stored")


async def test_a_blob_store_that_is_away_is_waited_for(yard: Yard) -> None:
    yard.root.write_bytes(b"in the way")
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write()
    await yard.set(created_at=time.time() - 10 * 86400)
    async with yard.running(yard.collector()):
        await yard.until_told("held", 2)
        assert (await yard.row()).detail.startswith("BlobsUnavailable")
        yard.root.unlink()
        await yard.until("stored")
    assert len(yard.files()) == 1


async def test_a_fetch_that_hangs_is_cut_off(yard: Yard) -> None:
    async def hanging(raw: RawReader) -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    yard.box.answers["photo-1"] = [hanging, b"whole"]
    await yard.write()
    async with yard.running(yard.collector(timeout=0.1)):
        await yard.until_told("retry")
        assert (await yard.row()).detail.startswith("timeout")
        await yard.until("stored")
    assert yard.box.open == 0


async def test_a_channel_that_is_no_more_holds_up_no_other(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write(channel="gone")
    await yard.write()
    async with yard.running(yard.collector()):
        await yard.until_told("stored")
    assert {row.channel: row.state for row in await yard.rows()} == {"gone": "waiting", "box": "stored"}


async def test_several_collectors_fetch_each_file_once(yard: Yard) -> None:
    photos = [Attachment(f"{n}.jpg", "image/jpeg", reference=f"photo-{n}") for n in range(60)]
    yard.box.answers = {photo.reference: [photo.reference.encode()] for photo in photos}
    await yard.write(*photos, number=NUMBER)
    async with yard.running(yard.collector("one"), yard.collector("two"), yard.collector("three")):
        await yard.until("stored")
    assert sorted(yard.box.asked) == sorted(yard.box.answers)
    assert [await yard.blobs.get(row.stored) for row in await yard.rows()] == [p.reference.encode() for p in photos]
    assert len(yard.files()) == len(await yard.told()) == 60


async def test_fetches_of_one_channel_at_once_are_bounded(yard: Yard) -> None:
    three = asyncio.Event()

    async def together(raw: RawReader) -> AsyncIterator[bytes]:
        if yard.box.open == 3:
            three.set()
        await three.wait()
        yield b"x"

    yard.box.answers["photo-1"] = [together]
    await yard.write(*[PHOTO] * 20)
    async with yard.running(yard.collector(concurrency=3)):
        await yard.until("stored")
    assert yard.box.most_open == 3


async def test_what_waits_is_counted(yard: Yard) -> None:
    yard.channels["gone"] = Provider("gone")
    yard.box.answers["photo-1"] = [Misconfigured("no")]
    await yard.write(PHOTO, PHOTO)
    async with yard.running(yard.collector()):
        await yard.until_told("held")
    assert yard.count("attachments_waiting") == 2


# Crashes, lost leases, lost answers.


class Held:
    """The settling of a collector, stopped in front of the store until it is let go."""

    def __init__(self, collector: Collector) -> None:
        self._honest = collector._queue.settle
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        collector._queue.settle = self  # type: ignore[method-assign]

    async def __call__(self, settlement: Settlement) -> bool:
        self.reached.set()
        await self.go.wait()
        return await self._honest(settlement)


async def test_a_crash_between_the_blob_and_the_commit_leaves_a_retry_and_no_orphan(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"fetched twice"]
    await yard.write(number=NUMBER)
    crashing = yard.collector("crashing")
    settle = Held(crashing)
    task = asyncio.create_task(crashing.run())
    await settle.reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (orphan,) = yard.files()
    row = await yard.row()
    assert (row.state, row.owner, row.attempts, row.stored) == ("waiting", "crashing", 1, "")
    assert row.due_at > time.time()

    await yard.set(due_at=0)  # its lease lapses
    row = await yard.fetched()
    assert (row.state, row.attempts) == ("stored", 2)
    assert row.stored != orphan
    assert yard.files() == [row.stored]  # the orphan is erased
    assert len(await yard.told()) == 1


@pytest.mark.parametrize("last", [False, True], ids=["tried again", "given up"])
async def test_a_put_that_was_cut_off_and_yet_went_through_leaves_no_orphan(yard: Yard, last: bool) -> None:
    class Late(Folder):
        """Answers too late, as a bucket may."""

        async def put(self, pieces: AsyncIterator[bytes], *, key: str, limit: int) -> Stored:
            stored = await super().put(pieces, key=key, limit=limit)
            if len(yard.box.asked) == 1:
                await asyncio.Event().wait()
            return stored

    yard.blobs = Late(yard.root)
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write()
    if last:
        await yard.set(created_at=time.time() - 86400)
    row = await yard.fetched(timeout=0.5)
    assert (row.state, row.attempts) == (("failed", 1) if last else ("stored", 2))
    async with asyncio.timeout(PATIENCE):
        while yard.files() != ([] if last else [row.stored]):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("owner", ["another", "one"], ids=["another process", "the same process"])
async def test_an_attempt_that_lost_its_lease_takes_back_nothing_but_its_own(yard: Yard, owner: str) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def paused(raw: RawReader) -> AsyncIterator[bytes]:
        begun.set()
        await go.wait()
        yield b"of the paused one"

    yard.box.answers["photo-1"] = [paused, b"of the other"]
    await yard.write(number=NUMBER)
    async with yard.running(yard.collector("one", concurrency=1)):
        await begun.wait()
        await yard.set(due_at=0)
        async with yard.running(yard.collector(owner)):
            await yard.until("stored")
        row = await yard.row()
        go.set()
    assert await yard.row() == row
    assert await yard.blobs.get(row.stored) == b"of the other"
    assert yard.files() == [row.stored]
    assert len(await yard.told()) == 1
    assert yard.count("attachments_total", outcome="stored") == 1


async def test_a_late_word_of_an_attempt_leaves_the_next_one_s_lease_alone(yard: Yard) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(raw: RawReader) -> AsyncIterator[bytes]:
        begun.set()
        await go.wait()
        yield b"x"

    yard.box.answers["photo-1"] = [RetryLater("500", retry_after=3600.0), slow]
    await yard.write()
    paused, next_ = yard.collector("one", concurrency=1), yard.collector("one")
    settle = Held(paused)
    task = asyncio.create_task(paused.run())
    await settle.reached.wait()
    await yard.set(due_at=0)
    async with yard.running(next_):
        await begun.wait()
        leased = await yard.row()
        settle.go.set()
        paused.stop()
        await task
        assert await yard.row() == leased
        go.set()
        await yard.until("stored")


async def test_a_commit_whose_answer_was_lost_stands(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write(number=NUMBER)
    collector = yard.collector()
    honest, answers = collector._queue.settle, iter([StoreUnavailable("the answer was lost")])

    async def losing(settlement: Settlement) -> bool:
        done = await honest(settlement)
        for lost in answers:
            raise lost
        return done

    collector._queue.settle = losing  # type: ignore[method-assign]
    async with yard.running(collector):
        await yard.until_told("stored")
    row = await yard.row()
    assert (row.state, yard.files()) == ("stored", [row.stored])
    assert len(await yard.told()) == 1


async def test_another_process_s_lease_is_left_alone(yard: Yard) -> None:
    await yard.write()
    await yard.set(owner="another", due_at=time.time() + 3600)
    assert await yard.collector()._lease() == 0
    assert (await yard.row()).owner == "another"


async def test_a_file_written_down_by_a_clock_that_is_ahead_does_not_wait_for_ours(yard: Yard) -> None:
    yard.box.answers["photo-1"] = [b"x"]
    await yard.write()
    await yard.set(due_at=time.time() + 600)
    assert (await yard.fetched()).state == "stored"


async def test_what_a_stop_cuts_off_is_another_s_at_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "STOP_SECONDS", 0.01)
    begun = asyncio.Event()

    async def endless(raw: RawReader) -> AsyncIterator[bytes]:
        yield b"x"
        begun.set()
        await asyncio.Event().wait()

    yard.box.answers["photo-1"] = [endless, b"whole"]
    await yard.write()
    async with yard.running(yard.collector("one")):
        await begun.wait()
    assert (await yard.row()).due_at <= time.time()
    assert (yard.box.open, yard.files()) == (0, [])
    async with yard.running(yard.collector("two")):
        await yard.until("stored")


async def test_a_stop_lets_what_is_nearly_done_finish(yard: Yard) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(raw: RawReader) -> AsyncIterator[bytes]:
        begun.set()
        await go.wait()
        yield b"x"

    yard.box.answers["photo-1"] = [slow]
    await yard.write()
    collector = yard.collector()
    async with yard.running(collector):
        await begun.wait()
        collector.stop()
        go.set()
    assert ((await yard.row()).state, yard.box.asked) == ("stored", ["photo-1"])


# What the dispatcher writes.


@pytest.fixture
async def bench(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    log = SqliteLog(tmp_path / "log.db", retention_seconds=3600)
    await log.start()
    yield Bench(log, store, Settings(rules=Rules(part_window=0.5)))
    await log.close()


async def test_a_message_s_files_wait_from_its_own_transaction_on(bench: Bench) -> None:
    kept = Attachment("surat.pdf", "application/pdf", stored="files/ab/c")
    odd = Attachment("../\u202efoto.png", "image/png", 7, reference="photo-2")
    sent = an_event(attachments=(PHOTO, kept, odd))
    await bench.take(sent)

    (case,) = await bench.rows(cases)
    rows = await bench.rows(attachments, attachments.c.position)
    assert [(r.event_id, r.position, r.name, r.reference, r.state, r.case_number) for r in rows] == [
        (sent.id, 0, "jalan rusak.jpg", "photo-1", "waiting", case.number),
        (sent.id, 2, "foto.png", "photo-2", "waiting", case.number),
    ]


async def test_copies_of_an_event_have_their_files_once(bench: Bench) -> None:
    one = an_event(attachments=(PHOTO,))
    await bench.take(one, one)
    await bench.take(one)
    assert len(await bench.rows(attachments)) == 1


async def test_the_files_of_a_robot_are_not_fetched(bench: Bench) -> None:
    await bench.take(an_event(attachments=(PHOTO,), automated="auto-reply"))
    assert len(await bench.rows(messages)) == 1
    assert await bench.rows(attachments) == []


async def test_the_files_of_an_album_come_once_with_the_whole(bench: Bench) -> None:
    parts = [
        an_event(
            text="",
            kind="part",
            part=Part("album", index, 3),
            attachments=(Attachment(f"{index}.jpg", "image/jpeg", reference=f"photo-{index}"),),
            after=index,
        )
        for index in (1, 2, 3)
    ]
    await bench.take(*parts)
    (case,) = await bench.rows(cases)
    rows = await bench.rows(attachments, attachments.c.position)
    assert [(r.reference, r.case_number) for r in rows] == [(f"photo-{n}", case.number) for n in (1, 2, 3)]
    assert {r.event_id for r in rows}.isdisjoint({part.id for part in parts})


async def test_a_late_part_of_an_album_brings_its_own_file(bench: Bench) -> None:
    def part(index: int) -> ComplaintEvent:
        file = Attachment(f"{index}.jpg", "image/jpeg", reference=f"photo-{index}")
        return an_event(text="", kind="part", part=Part("album", index), attachments=(file,), after=index)

    first, late = part(1), part(2)
    await bench.append(first)
    async with bench.running(), asyncio.timeout(PATIENCE):
        while not await bench.rows(attachments):
            await asyncio.sleep(0.01)
    await bench.take(late)
    rows = await bench.rows(attachments, attachments.c.reference)
    assert [r.reference for r in rows] == ["photo-1", "photo-2"]
    assert len({r.case_number for r in rows}) == 1
