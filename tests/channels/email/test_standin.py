"""The stand-in against the channel: there and back by IMAP, by SMTP and by LMTP, and its faults."""

from __future__ import annotations

import asyncio
import hashlib
import imaplib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from channels.base import Attachment, InboundMessage, OutboundMessage, Request, Thread
from channels.email import EmailChannel, EmailSettings
from channels.email.channel import PIECE
from channels.email.standin import Fault, StandIn
from channels.errors import ChannelError, Malformed, Misconfigured, Refused, RetryLater, Unverified
from channels.receiving import Item
from tests.channels.email.accounts import plain, settings
from tests.channels.email.dovecot import free_ports, numbered
from tests.channels.host import FakeHost, request

CITIZEN = "ana@example.org"


def reply_to(message: InboundMessage, delivery: str = "d-1", text: str = "Nomor: 482 913 7065") -> OutboundMessage:
    return OutboundMessage(
        delivery=delivery,
        to=message.sender.address,
        text=text,
        subject=message.subject,
        number="4829137065",
        thread=Thread(replies_to=(message.provider_id or "", *message.thread.replies_to)),
    )


class Inbox:
    """What the channel takes in."""

    def __init__(self, channel: EmailChannel) -> None:
        self.channel = channel
        self.items: list[Item] = []
        self.cursor = ""

    async def take(self, items: Sequence[Item]) -> None:
        self.items += items

    async def message(self) -> InboundMessage:
        """The next message, read or taken."""
        if not self.items:
            (source,) = self.channel.sources()
            try:
                while not self.items:
                    fetched = await source.fetch(self.cursor)
                    self.cursor, self.items = fetched.cursor, list(fetched.items)
            finally:
                await source.close()
        found = self.items.pop(0)
        assert isinstance(found, InboundMessage)
        return found


@asynccontextmanager
async def connected(standin: StandIn, account: EmailSettings) -> AsyncIterator[Inbox]:
    channel = EmailChannel("email", account.model_copy(update=standin.overrides(account)), FakeHost())
    inbox = Inbox(channel)
    listener = channel.listener(inbox.take)
    if listener is not None:
        await listener.start()
    try:
        yield inbox
    finally:
        if listener is not None:
            await listener.stop()
        await channel.close()


WAYS: dict[str, dict[str, Any]] = {
    "imap": {},
    "smtp": {"imap_url": None, "listen": "free"},
    "lmtp": {"imap_url": None, "listen": "free", "protocol": "lmtp"},
}


@pytest.fixture(params=WAYS)
def account(request: pytest.FixtureRequest) -> EmailSettings:
    changes = dict(WAYS[request.param])
    if "listen" in changes:
        changes["listen"] = f"127.0.0.1:{free_ports(1)[0]}"
    return settings(**changes)


async def test_there_and_back_and_there_again_in_one_thread(account: EmailSettings) -> None:
    async with StandIn(account) as standin, connected(standin, account) as inbox:
        posted = await standin.text("", CITIZEN, "Jalan rusak — 🚧", subject="Jalan di depan pasar")
        assert posted.status == 200
        first = await inbox.message()
        assert (first.sender.address, first.subject, first.text) == (
            CITIZEN,
            "Jalan di depan pasar",
            "Jalan rusak — 🚧",
        )
        sent = await inbox.channel.send(reply_to(first))
        (heard,) = await standin.wait_for(lambda sent: len(sent) == 1)
        assert (heard.sender, heard.to, heard.text) == ("lapor@example.go.id", CITIZEN, "Nomor: 482 913 7065")
        assert heard.subject == "Re: Jalan di depan pasar [482 913 7065]"
        assert sent.provider_ids == (heard.message_id,)
        assert heard.headers["in-reply-to"] == first.provider_id
        await standin.text("", CITIZEN, "Kapan diperbaiki?", reply_to=heard)
        second = await inbox.message()
        assert (second.subject, second.text) == ("Re: Jalan di depan pasar [482 913 7065]", "Kapan diperbaiki?")
        assert second.thread.replies_to == (heard.message_id, first.provider_id)


def test_it_works_on_the_gateway_s_own_event_loop(account: EmailSettings) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_there_and_back_and_there_again_in_one_thread(account))


async def test_the_same_delivery_twice_is_recognisable(account: EmailSettings) -> None:
    async with StandIn(account) as standin, connected(standin, account) as inbox:
        await standin.text("", CITIZEN, "Halo")
        message = await inbox.message()
        assert await inbox.channel.send(reply_to(message)) == await inbox.channel.send(reply_to(message))
        assert len({heard.message_id for heard in standin.sent}) == 1


async def test_our_own_reply_come_back_is_automated(account: EmailSettings) -> None:
    async with StandIn(account) as standin, connected(standin, account) as inbox:
        await standin.text("", CITIZEN, "Halo")
        await inbox.channel.send(reply_to(await inbox.message()))
        await standin.text("", "lapor@example.go.id", "", raw=standin.sent[0].raw)
        assert (await inbox.message()).automated


async def test_a_raw_mail_comes_as_it_is(account: EmailSettings) -> None:
    async with StandIn(account) as standin, connected(standin, account) as inbox:
        await standin.text("", CITIZEN, "", raw=numbered(7))
        assert (await inbox.message()).raw == numbered(7)


async def test_a_refused_delivery_is_told() -> None:
    account = settings(imap_url=None, listen=f"127.0.0.1:{free_ports(1)[0]}", allowed_peers=["192.0.2.1"])
    async with StandIn(account) as standin, connected(standin, account):
        with pytest.raises(OSError, match="554"):  # smtplib's errors are OSErrors
            await standin.text("", CITIZEN, "Halo")


async def test_one_way_in_may_stand_beside_the_other() -> None:
    account = settings(listen=f"127.0.0.1:{free_ports(1)[0]}")
    channel = EmailChannel("email", account, FakeHost())

    async def take(items: Sequence[Item]) -> None: ...

    assert [source.name for source in channel.sources()] == ["imap:INBOX"]
    assert channel.listener(take) is not None
    assert EmailChannel("email", settings(), FakeHost()).listener(take) is None
    two = settings(folders=["INBOX", "Spam"])
    assert [source.name for source in EmailChannel("email", two, FakeHost()).sources()] == ["imap:INBOX", "imap:Spam"]


@pytest.mark.parametrize("given", [request(channel="email"), request(channel="email", document={})])
def test_there_is_no_webhook(given: Request) -> None:
    channel = EmailChannel("email", settings(), FakeHost())
    with pytest.raises(Unverified):
        channel.verify(given)
    with pytest.raises(Malformed):
        channel.parse(given)


class TestFiles:
    MAIL = (
        b"From: ana@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nFoto\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 60_000 + b"\r\n--b--\r\n"
    )

    async def raw(self) -> bytes:
        return self.MAIL

    async def test_one_comes_in_pieces(self) -> None:
        account = settings()
        async with StandIn(account) as standin, connected(standin, account) as inbox:
            await standin.text("", CITIZEN, "", raw=self.MAIL)
            message = await inbox.message()
            (attachment,) = message.attachments
            pieces = [piece async for piece in inbox.channel.download(attachment, self.raw)]
        assert b"".join(pieces) == b"ABC" * 60_000
        assert len(pieces) == -(-180_000 // PIECE)
        assert (attachment.name, attachment.sha256) == ("a.png", hashlib.sha256(b"ABC" * 60_000).hexdigest())

    @pytest.mark.parametrize("reference", ["part:99", "https://example.org/", ""])
    async def test_one_that_is_not_there(self, reference: str) -> None:
        channel = EmailChannel("email", settings(), FakeHost())
        with pytest.raises(Refused):
            async for _ in channel.download(Attachment("a", "image/png", reference=reference), self.raw):
                pass


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "reason", "kept"),
        [
            (Fault(kind="status", status=503, times=1), "smtp_451", 1),
            (Fault(kind="status", taken=True, times=1), "smtp_451", 2),
            (Fault(kind="reset", times=1), "uncertain", 1),
            (Fault(kind="reset", taken=True, times=1), "uncertain", 2),
            (Fault(kind="slow", delay=0.01, times=1), "sent", 2),
            (Fault(kind="status", probability=0.0), "sent", 2),
        ],
        ids=lambda value: f"{value.kind}{' taken' * value.taken}" if isinstance(value, Fault) else str(value),
    )
    async def test_sending(self, fault: Fault, reason: str, kept: int) -> None:
        account = settings(imap_url=None, listen=f"127.0.0.1:{free_ports(1)[0]}")
        async with StandIn(account) as standin, connected(standin, account) as inbox:
            standin.fault = fault
            outcomes = []
            for number in range(2):
                try:
                    await inbox.channel.send(OutboundMessage(delivery=f"d-{number}", to=CITIZEN, text="Halo"))
                except ChannelError as error:
                    outcomes.append(error.reason)
                else:
                    outcomes.append("sent")
            assert outcomes == [reason, "sent"]
            assert len(standin.sent) == kept

    async def test_one_that_hangs_does_not_hold_up_the_end(self) -> None:
        account = settings(imap_url=None, listen=f"127.0.0.1:{free_ports(1)[0]}")
        async with StandIn(account) as standin:
            channel = EmailChannel("email", account.model_copy(update=standin.overrides(account)), FakeHost())
            standin.fault = Fault(kind="hang", taken=True)
            sending = asyncio.create_task(channel.send(OutboundMessage(delivery="d-1", to=CITIZEN, text="Halo")))
            await standin.wait_for(lambda sent: len(sent) == 1)
        with pytest.raises(RetryLater):
            await sending
        await channel.close()


class TestCredentials:
    async def test_the_probe_asks_both_servers(self) -> None:
        account = settings()
        async with StandIn(account) as standin, connected(standin, account) as inbox:
            assert await inbox.channel.probe() == "IMAP and SMTP serve us"

    @pytest.mark.parametrize("which", ["imap_url", "smtp_url"])
    async def test_a_wrong_password_is_refused_on_either_way(self, which: str) -> None:
        account = settings()
        async with StandIn(account) as standin:
            urls = {key: plain(url) for key, url in standin.overrides(account).items()}
            urls[which] = urls[which].replace("pa55", "salah")
            channel = EmailChannel("email", settings(**urls), FakeHost())
            with pytest.raises(Misconfigured) as caught:
                await channel.probe()
            assert caught.value.reason == "credentials"
            await channel.close()

    async def test_nobody_sends_without_a_login(self) -> None:
        account = settings()
        async with StandIn(account) as standin:
            without = settings(smtp_url=standin.url)
            channel = EmailChannel("email", without, FakeHost())
            with pytest.raises(Misconfigured):
                await channel.send(OutboundMessage(delivery="d-1", to=CITIZEN, text="Halo"))
            await channel.close()

    async def test_special_characters_come_through(self) -> None:
        account = settings(
            imap_url="imap://a%40b.id:p%22a%5Cs%20s@127.0.0.1:1", smtp_url="smtp://a%40b.id:p%3A%2F%40@127.0.0.1:1"
        )
        async with StandIn(account) as standin, connected(standin, account) as inbox:
            assert await inbox.channel.probe() == "IMAP and SMTP serve us"


class TestMailbox:
    """The IMAP half, asked by the standard library's own client."""

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (("SELECT", "INBOX"), "OK"),
            (("EXAMINE", "Lain"), "NO"),
            (("UID", "SEARCH", "UID 1:*"), "BAD"),
            (("NOOP",), "OK"),
        ],
        ids=str,
    )
    async def test_commands(self, command: tuple[str, ...], said: str) -> None:
        async with StandIn() as standin:
            url = standin.overrides(settings())["imap_url"].get_secret_value()

            def ask() -> str:
                with imaplib.IMAP4("127.0.0.1", int(url.rpartition(":")[2]), timeout=20) as client:
                    client.login("siapa", "saja")
                    if command[0] == "UID":
                        client.state = "SELECTED"
                    try:
                        return str(client._simple_command(*command)[0])
                    except imaplib.IMAP4.error:
                        return "BAD"

            assert await asyncio.to_thread(ask) == said
