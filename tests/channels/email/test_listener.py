"""The listener: yes only once the mail is durable, to known peers, for our own addresses, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import smtplib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from channels.base import InboundMessage
from channels.email import listener as module
from channels.email.listener import MailListener
from channels.errors import RetryLater
from channels.receiving import Item
from tests.channels.email.accounts import settings
from tests.channels.email.dovecot import free_ports, numbered

CITIZEN = "ana@example.org"
OURS = "lapor@example.go.id"


class Intake:
    """Takes what comes, or does what ``then`` says."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def take(self, items: Sequence[Item]) -> None:
        self.asked.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.items += items

    @property
    def messages(self) -> list[InboundMessage]:
        return [item for item in self.items if isinstance(item, InboundMessage)]


@pytest.fixture
def intake() -> Intake:
    return Intake()


@asynccontextmanager
async def listening(intake: Intake, *, timeout: float = 60.0, **changes: Any) -> AsyncIterator[int]:
    port = free_ports(1)[0]
    account = settings(**{"listen": f"127.0.0.1:{port}", "imap_url": None} | changes)
    listener = MailListener("email", account, intake.take, timeout=timeout)
    await listener.start()
    try:
        yield port
    finally:
        await listener.stop()


async def talk(port: int, *lines: str, protocol: type[smtplib.SMTP] = smtplib.SMTP) -> list[tuple[int, str]]:
    """Say lines to the listener, after the greeting; what it answers to each."""

    def session() -> list[tuple[int, str]]:
        with protocol("127.0.0.1", port, local_hostname="mx.example.go.id", timeout=20) as client:
            client.ehlo()
            said = []
            for line in lines:
                code, text = client.docmd(line)
                said.append((code, text.decode()))
            return said

    return await asyncio.to_thread(session)


async def deliver(
    port: int,
    mail: bytes = numbered(1),
    *,
    sender: str = CITIZEN,
    to: Sequence[str] = (OURS,),
    protocol: type[smtplib.SMTP] = smtplib.SMTP,
    options: Sequence[str] = (),
) -> int:
    """Hand over a mail as our own MTA does; the code of the answer."""

    def session() -> int:
        with protocol("127.0.0.1", port, local_hostname="mx.example.go.id", timeout=20) as client:
            try:
                client.sendmail(sender, list(to), mail, options)
            except smtplib.SMTPResponseException as error:
                return error.smtp_code
            except smtplib.SMTPRecipientsRefused as error:
                return next(iter(error.recipients.values()))[0]
        return 250

    return await asyncio.to_thread(session)


@pytest.mark.parametrize(("kind", "protocol"), [("smtp", smtplib.SMTP), ("lmtp", smtplib.LMTP)])
async def test_a_mail_is_taken_as_it_is(kind: str, protocol: type[smtplib.SMTP], intake: Intake) -> None:
    async with listening(intake, protocol=kind) as port:
        assert await deliver(port, protocol=protocol) == 250
    (message,) = intake.messages
    assert (message.sender.address, message.subject, message.raw) == (CITIZEN, "Laporan 1", numbered(1))
    assert message.automated == ""


async def test_yes_is_said_only_once_it_is_durable(intake: Intake) -> None:
    intake.open.clear()
    async with listening(intake) as port:
        delivery = asyncio.create_task(deliver(port))
        await intake.asked.wait()
        assert not delivery.done()
        intake.open.set()
        assert await delivery == 250
    assert len(intake.items) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(RetryLater("the log is away", reason="log_away"), 451), (RuntimeError("ana@example.org"), 451)],
    ids=["cannot be made durable", "what nobody foresaw"],
)
@pytest.mark.parametrize(("kind", "protocol"), [("smtp", smtplib.SMTP), ("lmtp", smtplib.LMTP)])
async def test_the_peer_keeps_what_cannot_be_kept(
    kind: str, protocol: type[smtplib.SMTP], error: Exception, code: int, intake: Intake
) -> None:
    intake.error = error
    async with listening(intake, protocol=kind) as port:
        assert await deliver(port, protocol=protocol) == code
        intake.error = None
        assert await deliver(port, protocol=protocol) == 250
    assert len(intake.items) == 1


async def test_the_null_return_path_is_a_machine_s(intake: Intake) -> None:
    async with listening(intake) as port:
        assert await deliver(port, sender="") == 250
    assert intake.messages[0].automated == "null_return_path"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        (OURS, 250),
        ("LAPOR@Example.Go.Id", 250),
        ("pengaduan@example.go.id", 250),
        ("lain@example.go.id", 550),
        ("ana@example.org", 550),
        ("lapor%example.org@example.go.id", 550),
        ("@relay.example.org:lapor@example.go.id", 250),
    ],
)
async def test_only_our_own_addresses_are_taken(to: str, code: int, intake: Intake) -> None:
    async with listening(intake) as port:
        said = await talk(port, f"MAIL FROM:<{CITIZEN}>", f"RCPT TO:<{to}>")
    assert [answer for answer, _ in said] == [250, code]
    if code == 550:
        assert said[1][1].startswith("5.1.1")


async def test_lmtp_answers_once_for_each_recipient(intake: Intake) -> None:
    async with listening(intake, protocol="lmtp") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        mail = b"From: ana@example.org\r\n\r\nHalo\r\n.\r\n"
        lines = [b"LHLO mx", b"MAIL FROM:<ana@example.org>", b"RCPT TO:<lapor@example.go.id>"]
        lines += [b"RCPT TO:<lain@example.go.id>", b"RCPT TO:<pengaduan@example.go.id>", b"DATA"]
        writer.write(b"".join(line + b"\r\n" for line in lines))
        await reader.readuntil(b"\r\n354 ")
        writer.write(mail + b"QUIT\r\n")
        said = (await reader.read()).decode().splitlines()
        writer.close()
        await writer.wait_closed()
    assert [line[:3] for line in said[1:]] == ["250", "250", "221"]
    assert len(intake.items) == 1  # one mail, whoever it is for


async def test_a_mail_that_is_too_large_is_refused(intake: Intake) -> None:
    async with listening(intake, max_size=64 * 1024) as port:
        large = numbered(1) + b"besar\r\n" * 10_000
        assert await deliver(port, large) == 552
        (said,) = await talk(port, f"MAIL FROM:<{CITIZEN}> SIZE=70000")
        assert said[0] == 552
        assert await deliver(port) == 250
    assert len(intake.items) == 1


async def test_a_line_that_is_too_long_for_smtp_is_a_citizen_s_all_the_same(intake: Intake) -> None:
    mail = numbered(1) + b"x" * 100_000 + b"\r\n"
    async with listening(intake) as port:
        assert await deliver(port, mail) == 250
        assert await deliver(port, numbered(2) + b"x" * (module.LINE_BYTES + 10) + b"\r\n") == 500
    assert [message.raw for message in intake.messages] == [mail]


async def test_dots_and_eight_bits_come_through(intake: Intake) -> None:
    mail = numbered(1) + ".titik\r\n..\r\nbanjir 🌊\r\n".encode()
    async with listening(intake) as port:
        assert await deliver(port, mail, options=["BODY=8BITMIME", "SMTPUTF8"]) == 250
    assert intake.messages[0].raw == mail


@pytest.mark.parametrize(
    ("allowed", "verification", "allow_from", "code"),
    [
        (["127.0.0.0/8"], "required", [], 220),
        (["127.0.0.1"], "required", [], 220),
        (["10.0.0.0/8", "192.0.2.1"], "required", [], 554),
        ([], "required", [], 554),
        ([], "none", [], 220),
        (["127.0.0.1"], "required", ["127.0.0.0/8"], 220),
        (["127.0.0.1"], "required", ["10.0.0.0/8"], 554),
        (["10.0.0.0/8"], "required", ["127.0.0.1"], 554),
        ([], "none", ["127.0.0.1"], 220),
        ([], "none", ["10.0.0.0/8"], 554),
    ],
    ids=[
        "a network",
        "an address",
        "others",
        "nobody",
        "said out loud",
        "on both lists",
        "not on the channel's list",
        "not among the peers",
        "said out loud, on the channel's list",
        "said out loud, not on the channel's list",
    ],
)
async def test_only_known_peers_may_write(
    allowed: list[str], verification: str, allow_from: list[str], code: int, intake: Intake
) -> None:
    bounds: dict[str, Any] = {"allowed_peers": allowed, "allow_from": allow_from, "verification": verification}
    async with listening(intake, **bounds) as port:
        assert (await greeting(port))[:3] == str(code)


@pytest.mark.parametrize(("address", "let_in"), [("::ffff:10.0.0.5", True), ("10.0.0.5", True), ("::1", False)])
def test_a_listener_on_both_kinds_of_addresses_knows_its_peers(address: str, let_in: bool, intake: Intake) -> None:
    account = settings(listen="[::]:8025", imap_url=None, allowed_peers=["10.0.0.0/8"])
    assert (MailListener("email", account, intake.take).refusal(address) == "") is let_in


async def greeting(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = await reader.readline()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return line.decode()


async def test_connections_are_bounded(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    async with listening(intake) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.readline()).startswith(b"220 ")
        assert (await greeting(port)).startswith("421 4.3.2")
        writer.write(b"QUIT\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        assert await deliver(port) == 250


async def test_recipients_are_bounded(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECIPIENTS", 2)
    async with listening(intake) as port:
        said = await talk(port, f"MAIL FROM:<{CITIZEN}>", *[f"RCPT TO:<{OURS}>"] * 3)
    assert [code for code, _ in said] == [250, 250, 250, 452]


async def test_a_silent_peer_is_left(intake: Intake) -> None:
    async with listening(intake, timeout=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"220 ")
        writer.close()
        await writer.wait_closed()


async def test_stopping_finishes_what_was_begun_and_cuts_the_rest(intake: Intake) -> None:
    intake.open.clear()
    port = free_ports(1)[0]
    listener = MailListener("email", settings(listen=f"127.0.0.1:{port}"), intake.take)
    await listener.start()
    idle_reader, idle = await asyncio.open_connection("127.0.0.1", port)
    await idle_reader.readline()
    delivery = asyncio.create_task(deliver(port))
    await intake.asked.wait()
    stopping = asyncio.create_task(listener.stop())
    assert (await idle_reader.read()).startswith(b"421 ")
    assert not stopping.done()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    intake.open.set()
    await stopping
    assert await delivery == 250
    assert len(intake.items) == 1
    idle.close()
    await idle.wait_closed()


async def test_a_port_that_is_taken(intake: Intake) -> None:
    async with listening(intake) as port:
        other = MailListener("email", settings(listen=f"127.0.0.1:{port}"), intake.take)
        with pytest.raises(OSError, match="address already in use"):
            await other.start()
        await other.stop()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe\r\n",
        b"EHLO x\r\nMAIL FROM:<\xff@x>\r\n",
        b"x" * 600_000 + b"\r\n",
        b"EHLO x\r\nVRFY \xff\r\n",
        b"\r\n",
    ],
    ids=["bytes", "a broken sender", "an endless line", "a broken VRFY", "nothing"],
)
async def test_garbage_does_not_stop_it(garbage: bytes, intake: Intake) -> None:
    async with listening(intake) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage + b"QUIT\r\n")
        said = await reader.read()
        assert said.splitlines()[-1][:3] == b"221"
        writer.close()
        await writer.wait_closed()
        assert await deliver(port) == 250


async def test_no_log_holds_an_address_or_a_text(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(intake) as port:
        await deliver(port)
        await talk(port, "MAIL FROM:<ana@example.org>", "RCPT TO:<lain@example.go.id>", "ana@example.org")
    assert [word for word in ("ana@", "rusak", "lain@") if word in caplog.text] == []
