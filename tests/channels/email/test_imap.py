"""The source over IMAP: the same table on a real Dovecot and on the stand-in, and what only a stand-in can do wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from channels.base import InboundMessage
from channels.email import imap
from channels.email.imap import ImapSource
from channels.email.mailbox import Mailbox, responses
from channels.email.settings import EmailSettings
from channels.email.standin import Fault, StandIn
from channels.email.standins.imapd import Folder
from channels.errors import ChannelError, Misconfigured, RetryLater
from channels.receiving import Fetched, Item, Unreadable
from tests.channels.email.accounts import plain, settings
from tests.channels.email.dovecot import Dovecot, numbered
from tests.services import require

NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
LARGE = 64 * 1024


class Peer(Protocol):
    """A mailbox's server."""

    @property
    def url(self) -> str: ...

    async def add(self, raw: bytes, at: datetime | None = None) -> None: ...

    async def fill(self, count: int) -> None: ...

    async def expunge(self, number: int) -> None: ...

    async def renew(self) -> None: ...

    async def seen(self) -> list[bool]: ...


class StandInPeer:
    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.url = plain(standin.overrides(standin.accounts[0])["imap_url"])

    async def add(self, raw: bytes, at: datetime | None = None) -> None:
        self.standin.imap.folders["INBOX"].add(raw, at)

    async def fill(self, count: int) -> None:
        for number in range(count):
            self.standin.imap.folders["INBOX"].add(numbered(number))

    async def expunge(self, number: int) -> None:
        folder = self.standin.imap.folders["INBOX"]
        folder.expunge(folder.letters[number - 1].uid)

    async def renew(self) -> None:
        await self.standin.imap.renew()

    async def seen(self) -> list[bool]:
        return [letter.seen for letter in self.standin.imap.folders["INBOX"].letters]


@pytest.fixture(params=["dovecot", "stand-in"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    if request.param == "dovecot":
        require("dovecot")
        async with Dovecot() as dovecot:
            yield dovecot
    else:
        async with StandIn(settings()) as standin:
            yield StandInPeer(standin)


@pytest.fixture
async def standin() -> AsyncIterator[StandIn]:
    async with StandIn(settings()) as standin:
        yield standin


@asynccontextmanager
async def reading(url: str, *, folder: str = "INBOX", idle: float = 20.0, **changes: Any) -> AsyncIterator[ImapSource]:
    account: EmailSettings = settings(imap_url=url, **changes)
    assert account.imap is not None
    source = ImapSource(account.imap, folder, account, idle_seconds=idle)
    try:
        yield source
    finally:
        await source.close()


def url_of(standin: StandIn) -> str:
    return plain(standin.overrides(standin.accounts[0])["imap_url"])


def subjects(items: Sequence[Item]) -> list[str]:
    return [item.subject if isinstance(item, InboundMessage) else item.reason for item in items]


def laporan(*numbers: int) -> list[str]:
    return [f"Laporan {number}" for number in numbers]


async def read_all(source: ImapSource, cursor: str = "") -> tuple[list[Item], str]:
    """Everything there is, up to the first reading that brings nothing."""
    items: list[Item] = []
    while (fetched := await source.fetch(cursor)).items:
        items += fetched.items
        cursor = fetched.cursor
    return items, fetched.cursor


async def test_mails_come_oldest_first_and_once(peer: Peer) -> None:
    for number in (1, 2, 3):
        await peer.add(numbered(number))
    async with reading(peer.url) as source:
        first = await source.fetch("")
        assert subjects(first.items) == laporan(1, 2, 3)
        assert first.rest == 0
        await peer.add(numbered(4))
        second = await source.fetch(first.cursor)
        assert subjects(second.items) == laporan(4)
    for item in (*first.items, *second.items):
        assert isinstance(item, InboundMessage)
        assert item.raw == numbered(int(item.subject.split()[1]))
    assert await peer.seen() == [False] * 4


async def test_a_reading_that_was_not_made_durable_comes_again(peer: Peer) -> None:
    await peer.add(numbered(1))
    async with reading(peer.url) as source:
        assert subjects((await source.fetch("")).items) == laporan(1)
        assert subjects((await source.fetch("")).items) == laporan(1)


async def test_a_new_connection_goes_on_from_the_cursor(peer: Peer) -> None:
    await peer.add(numbered(1))
    async with reading(peer.url) as source:
        cursor = (await source.fetch("")).cursor
    await peer.add(numbered(2))
    async with reading(peer.url) as source:
        fetched = await source.fetch(cursor)
        assert subjects(fetched.items) == laporan(2)
        await source.close()
        assert (await source.fetch(fetched.cursor)).items == ()


async def test_a_mail_that_comes_while_it_waits_ends_the_waiting(peer: Peer) -> None:
    async with reading(peer.url, idle=250) as source:
        cursor = (await source.fetch("")).cursor
        waiting = asyncio.create_task(source.fetch(cursor))
        await peer.add(numbered(1))
        assert subjects((await waiting).items) == laporan(1)


async def test_waiting_in_vain_ends_and_the_connection_goes_on(peer: Peer) -> None:
    async with reading(peer.url, idle=0.05) as source:
        cursor = (await source.fetch("")).cursor
        fetched = await source.fetch(cursor)
        assert (fetched.items, fetched.cursor, fetched.rest) == ((), cursor, 0)
        await peer.add(numbered(1))
        assert subjects((await source.fetch(cursor)).items) == laporan(1)


async def test_a_cancelled_reading_leaves_no_thread_and_can_be_had_again(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Mailbox.wait
    begun = threading.Event()

    def told(mailbox: Mailbox, seconds: float) -> bool:
        begun.set()
        return wait(mailbox, seconds)

    monkeypatch.setattr(Mailbox, "wait", told)
    await peer.add(numbered(1))
    async with reading(peer.url, idle=250) as source:
        cursor = (await source.fetch("")).cursor
        await source.fetch(cursor)
        waiting = asyncio.create_task(source.fetch(cursor))
        assert await asyncio.to_thread(begun.wait, 10)
        (thread,) = [one for one in threading.enumerate() if one.name.startswith("mail INBOX")]
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
        assert subjects((await source.fetch("")).items) == laporan(1)


async def test_a_changed_uidvalidity_reads_everything_again(peer: Peer) -> None:
    for number in (1, 2):
        await peer.add(numbered(number))
    async with reading(peer.url) as source:
        _, cursor = await read_all(source)
        await peer.expunge(1)
        await peer.renew()
        await peer.add(numbered(3))
        items: list[Item] = []
        while len(items) < 2:
            try:
                fetched = await source.fetch(cursor)
            except RetryLater:
                continue  # the server closed the connection
            items += fetched.items
            cursor = fetched.cursor
    assert subjects(items) == laporan(2, 3)


async def test_a_mail_that_is_expunged_before_it_is_read_is_passed_over(peer: Peer) -> None:
    for number in (1, 2, 3):
        await peer.add(numbered(number))
    async with reading(peer.url) as source:
        # The reader learns of three mails, and only then one goes.
        await source.fetch("")
        await peer.expunge(2)
        fetched = await source.fetch("")
        assert subjects(fetched.items) == laporan(1, 3)
        assert (await source.fetch(fetched.cursor)).items == ()


@pytest.mark.parametrize(("peer", "count"), [("dovecot", 10_000), ("stand-in", 2_000)], indirect=["peer"])
async def test_thousands_of_mails_come_in_batches(peer: Peer, count: int) -> None:
    await peer.fill(count)
    async with reading(peer.url) as source:
        found: list[str] = []
        sizes = []
        cursor = ""
        while (fetched := await source.fetch(cursor)).items:
            cursor = fetched.cursor
            sizes.append(len(fetched.items))
            found += subjects(fetched.items)
    assert len(found) == count
    assert set(found) == set(laporan(*range(count)))
    assert max(sizes) == imap.MAILS


async def test_a_mail_that_is_too_large_is_told_of_by_its_header(peer: Peer) -> None:
    await peer.add(numbered(1))
    await peer.add(numbered(2) + b"besar\r\n" * LARGE)
    await peer.add(numbered(3))
    async with reading(peer.url, max_size=LARGE) as source:
        items, _ = await read_all(source)
    assert subjects(items) == ["Laporan 1", "too_large", "Laporan 3"]
    large = items[1]
    assert isinstance(large, Unreadable)
    assert large.raw.startswith(b"From: ana@example.org\r\n")
    assert len(large.raw) < 300
    assert str(LARGE) in large.detail


async def test_a_batch_has_bounded_bytes(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "BYTES", 1000)
    for number in range(4):
        await peer.add(numbered(number) + b"x" * 400)
    await peer.add(numbered(4) + b"x" * 4000)
    async with reading(peer.url) as source:
        counts = []
        cursor = ""
        while (fetched := await source.fetch(cursor)).items:
            cursor = fetched.cursor
            counts.append(len(fetched.items))
    assert counts == [1, 1, 1, 1, 1]


async def test_mails_from_before_the_start_are_recorded_and_not_answered(peer: Peer) -> None:
    now = datetime.now(UTC)
    await peer.add(numbered(1), now - timedelta(days=400))
    await peer.add(numbered(2), now - timedelta(hours=25))
    await peer.add(numbered(3), now - timedelta(hours=23))
    async with reading(peer.url) as source:
        items, cursor = await read_all(source)
        # Moved here from another folder, which keeps the date: still older than the start.
        await peer.add(numbered(4), now - timedelta(days=2))
        await peer.add(numbered(5), now)
        items += (await source.fetch(cursor)).items
    assert [item.automated for item in items if isinstance(item, InboundMessage)] == [
        "before_start", "before_start", "", "before_start", "",
    ]  # fmt: skip


async def test_three_days_without_a_connection(peer: Peer) -> None:
    await peer.add(numbered(1))
    async with reading(peer.url) as source:
        _, cursor = await read_all(source)
    started = json.loads(cursor) | {"start": (datetime.now(UTC) - timedelta(days=4)).isoformat()}
    for number in (2, 3):
        await peer.add(numbered(number), datetime.now(UTC) - timedelta(days=5 - number))
    async with reading(peer.url) as source:
        items, _ = await read_all(source, json.dumps(started))
    assert subjects(items) == laporan(2, 3)
    assert [item.automated for item in items if isinstance(item, InboundMessage)] == ["", ""]


async def test_a_wrong_password_is_ours_to_put_right(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = peer.url.replace("0ther-pa55", "s3cret-guess")
    async with reading(wrong) as source:
        with pytest.raises(Misconfigured) as caught:
            await source.fetch("")
    assert caught.value.reason == "credentials"
    assert "s3cret-guess" not in str(caught.value) + caplog.text


async def test_a_folder_that_is_not_there(peer: Peer) -> None:
    async with reading(peer.url, folder="Tidak Ada") as source:
        with pytest.raises(Misconfigured) as caught:
            await source.fetch("")
    assert (source.name, caught.value.reason) == ("imap:Tidak Ada", "folder")


async def test_a_login_works_or_tells_why(peer: Peer) -> None:
    for url, reason in (
        (peer.url, ""),
        (peer.url.replace("0ther-pa55", "salah"), "credentials"),
        (peer.url.replace("0ther-pa55", "sal%C3%A9h"), "credentials"),
        ("imap://lapor:0ther-pa55@127.0.0.1:1", "connection"),
    ):
        server = settings(imap_url=url).imap
        assert server is not None
        found = ""
        try:
            await imap.probe(server)
        except ChannelError as error:
            found = error.reason
        assert found == reason


class TestTrouble:
    """What a stand-in does to order."""

    async def test_nobody_there(self) -> None:
        async with reading("imap://lapor:0ther-pa55@127.0.0.1:1") as source:
            with pytest.raises(RetryLater) as caught:
                await source.fetch("")
        assert caught.value.reason == "connection"

    async def test_cut_in_the_middle_of_a_mail(self, standin: StandIn) -> None:
        standin.imap.folders["INBOX"].add(numbered(1))
        async with reading(url_of(standin)) as source:
            cursor = (await source.fetch("")).cursor
            standin.imap.folders["INBOX"].add(numbered(2))
            standin.fault = Fault(kind="reset", times=1)
            struck = []
            for _ in range(2):
                try:
                    fetched = await source.fetch(cursor)
                except RetryLater as error:
                    struck.append(error.reason)
        assert struck == ["connection"]
        assert subjects(fetched.items) == laporan(2)

    async def test_cut_within_the_literal(self, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        standin.imap.folders["INBOX"].add(numbered(1))
        describe = Mailbox.describe

        def then_break(mailbox: Mailbox, uids: Sequence[int]) -> Any:
            found = describe(mailbox, uids)
            standin.fault = Fault(kind="reset", times=1)
            return found

        monkeypatch.setattr(Mailbox, "describe", then_break)
        async with reading(url_of(standin)) as source:
            with pytest.raises(RetryLater) as caught:
                await source.fetch("")
            monkeypatch.undo()
            assert standin.imap.commands[-1] == "UID FETCH"
            assert subjects((await source.fetch("")).items) == laporan(1)
        assert caught.value.reason == "connection"

    async def test_a_server_that_says_no_for_now(self, standin: StandIn) -> None:
        standin.fault = Fault(kind="status")
        async with reading(url_of(standin)) as source:
            for _ in range(2):
                with pytest.raises(RetryLater) as caught:
                    await source.fetch("")
                assert caught.value.reason == "imap_no"
            standin.fault = None
            assert (await source.fetch("")).items == ()

    async def test_a_server_that_hangs_is_left_when_the_reading_is_cancelled(self, standin: StandIn) -> None:
        standin.fault = Fault(kind="hang")
        async with reading(url_of(standin)) as source:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(source.fetch(""), 0.2)
            standin.fault = None
            assert (await source.fetch("")).items == ()

    async def test_a_slow_server(self, standin: StandIn) -> None:
        standin.fault = Fault(kind="slow", delay=0.02)
        standin.imap.folders["INBOX"].add(numbered(1))
        async with reading(url_of(standin)) as source:
            assert subjects((await source.fetch("")).items) == laporan(1)

    async def test_without_idle_it_is_asked_again_after_a_while(self, standin: StandIn) -> None:
        standin.imap.idle = False
        async with reading(url_of(standin), poll_seconds=7) as source:
            first = await source.fetch("")
            second = await source.fetch(first.cursor)
        assert (first.rest, second.rest) == (7, 7)
        assert "IDLE" not in standin.imap.commands

    async def test_a_connection_that_breaks_while_it_waits(self, standin: StandIn) -> None:
        async with reading(url_of(standin), idle=250) as source:
            cursor = (await source.fetch("")).cursor
            async with standin.imap.idling:
                waiting = asyncio.create_task(source.fetch(cursor))
                await standin.imap.idling.wait()
            await standin.imap.disconnect()
            with pytest.raises(RetryLater):
                await waiting
            standin.imap.folders["INBOX"].add(numbered(1))
            assert subjects((await source.fetch(cursor)).items) == laporan(1)

    async def test_a_mail_that_the_server_does_not_give_holds_up_no_other(
        self, standin: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in (1, 2, 3):
            standin.imap.folders["INBOX"].add(numbered(number))
        read = Mailbox.read

        def broken(mailbox: Mailbox, uids: Sequence[int]) -> dict[int, bytes]:
            if 2 in uids:
                raise RetryLater("no", reason="imap_no")
            return read(mailbox, uids)

        monkeypatch.setattr(Mailbox, "read", broken)
        async with reading(url_of(standin)) as source:
            found: list[str] = []
            cursor = ""
            refused = 0
            while len(found) < 3:
                try:
                    fetched: Fetched = await source.fetch(cursor)
                except RetryLater:
                    refused += 1
                    continue
                found += subjects(fetched.items)
                cursor = fetched.cursor
        assert found == ["Laporan 1", "not_given", "Laporan 3"]
        assert refused == imap.ATTEMPTS - 2

    async def test_a_mail_that_is_left_out_of_an_answer_is_asked_for_again(
        self, standin: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in (1, 2, 3):
            standin.imap.folders["INBOX"].add(numbered(number))
        read, describe = Mailbox.read, Mailbox.describe
        monkeypatch.setattr(Mailbox, "describe", lambda mailbox, uids: describe(mailbox, uids)[:1])
        monkeypatch.setattr(Mailbox, "read", lambda mailbox, uids: read(mailbox, uids[:1]))
        async with reading(url_of(standin)) as source:
            assert subjects((await source.fetch("")).items) == laporan(1, 2, 3)

    async def test_a_folder_s_name_is_encoded_for_the_server(self, standin: StandIn) -> None:
        standin.imap.folders["S&AOk-lection &- co"] = folder = Folder(77)  # modified UTF-7, RFC 3501, 5.1.3
        folder.add(numbered(1))
        async with reading(url_of(standin), folder="Sélection & co") as source:
            assert subjects((await source.fetch("")).items) == laporan(1)


@pytest.mark.parametrize("cursor", ["", "garbage", '{"uid": "x"}', "[]"])
async def test_a_cursor_that_is_not_ours_is_the_very_first_reading(cursor: str, standin: StandIn) -> None:
    standin.imap.folders["INBOX"].add(numbered(1), datetime(2020, 1, 1, tzinfo=UTC))
    async with reading(url_of(standin)) as source:
        (message,) = (await source.fetch(cursor)).items
    assert isinstance(message, InboundMessage)
    assert message.automated == "before_start"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ([None], {}),
        ([b"1 (UID 5 RFC822.SIZE 10)"], {5: (b"1 (UID 5 RFC822.SIZE 10)", b"")}),
        ([(b"1 (UID 5 BODY[] {2}", b"ab"), b")"], {5: (b"1 (UID 5 BODY[] {2})", b"ab")}),
        ([(b"1 (BODY[] {2}", b"ab"), b" UID 5)"], {5: (b"1 (BODY[] {2} UID 5)", b"ab")}),
        (
            [(b"1 (UID 5 BODY[] {2}", b"ab"), b")", b"1 (UID 5 FLAGS (\\Seen))"],
            {5: (b"1 (UID 5 BODY[] {2})1 (UID 5 FLAGS (\\Seen))", b"ab")},
        ),
        ([b"1 (FLAGS (\\Seen))", (b"2 (UID 6 BODY[] {1}", b"c"), b")"], {6: (b"2 (UID 6 BODY[] {1})", b"c")}),
    ],
    ids=["nothing", "no literal", "a literal", "the UID behind it", "a flag with it", "a flag that nobody asked for"],
)
def test_fetch_responses(data: Any, found: dict[int, tuple[bytes, bytes]]) -> None:
    assert responses(data) == found
