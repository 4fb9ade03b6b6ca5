"""Handing mails over: connections kept and left, what each answer means, and the mail itself."""

from __future__ import annotations

import asyncio
import re
import ssl
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import OutboundMessage, Thread
from channels.email import EmailChannel
from channels.email.outbound import compose, grouped, subject
from channels.email.settings import server
from channels.email.smtp import CONNECTIONS, Outlet, Step, verdict
from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from tests.channels.email.accounts import settings
from tests.channels.email.smtpd import SmtpServer
from tests.channels.host import FakeHost

OURS = "lapor@example.go.id"
CITIZEN = "ana@example.org"
MAIL = compose(
    OutboundMessage(delivery="d-1", to=CITIZEN, text="Halo"),
    address=OURS,
    from_name="LAPOR!",
    message_id="<lapor.d-1@example.go.id>",
    at=datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC),
)


def outlet(smtpd: SmtpServer, *, url: str = "", **options: Any) -> Outlet:
    return Outlet(server(url or smtpd.url, "smtp", "smtps"), hostname="example.go.id", **options)


class TestConnections:
    async def test_one_is_used_again(self) -> None:
        async with SmtpServer() as smtpd:
            out = outlet(smtpd)
            for _ in range(3):
                await out.deliver(OURS, CITIZEN, MAIL)
            assert (smtpd.connections, len(smtpd.delivered)) == (1, 3)
            await out.close()
            await smtpd.until_idle()

    async def test_an_unused_one_is_left_after_a_while(self) -> None:
        async with SmtpServer() as smtpd:
            out = outlet(smtpd, keep=0.01)
            await out.deliver(OURS, CITIZEN, MAIL)
            await smtpd.until_idle()
            await out.deliver(OURS, CITIZEN, MAIL)
            assert smtpd.connections == 2
            await out.close()

    async def test_one_that_the_server_cut_meanwhile_costs_nothing(self) -> None:
        async with SmtpServer() as smtpd:
            out = outlet(smtpd)
            await out.deliver(OURS, CITIZEN, MAIL)
            smtpd.cut()
            await smtpd.until_idle()
            await out.deliver(OURS, CITIZEN, MAIL)
            assert (smtpd.connections, len(smtpd.delivered)) == (2, 2)
            await out.close()

    async def test_one_that_the_server_is_tired_of_costs_nothing(self) -> None:
        async with SmtpServer() as smtpd:
            out = outlet(smtpd)
            await out.deliver(OURS, CITIZEN, MAIL)
            smtpd.answers["mail"] = "421 4.4.2 idle for too long"
            with pytest.raises(RetryLater) as caught:
                await out.deliver(OURS, CITIZEN, MAIL)
            assert (smtpd.connections, caught.value.reason) == (2, "smtp_421")  # a fresh one was asked, too
            await out.close()

    async def test_they_are_bounded(self) -> None:
        async with SmtpServer() as smtpd:
            out = outlet(smtpd)
            await asyncio.gather(*(out.deliver(OURS, CITIZEN, MAIL) for _ in range(5 * CONNECTIONS)))
            assert len(smtpd.delivered) == 5 * CONNECTIONS
            assert smtpd.connections == CONNECTIONS
            await out.close()

    @pytest.mark.parametrize("step", ["rcpt", "end"])
    async def test_a_cancelled_delivery_leaves_its_connection(self, step: str) -> None:
        async with SmtpServer({step: "hang"}) as smtpd:
            out = outlet(smtpd)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(out.deliver(OURS, CITIZEN, MAIL), 0.2)
            await smtpd.until_idle()
            del smtpd.answers[step]
            await out.deliver(OURS, CITIZEN, MAIL)
            assert smtpd.connections == 2
            await out.close()

    @pytest.mark.parametrize(
        ("step", "error"),
        [("greeting", RetryLater), ("mail", RetryLater), ("rcpt", RetryLater), ("end", Uncertain)],
    )
    @pytest.mark.parametrize("how", ["hang", "cut"])
    async def test_no_answer(self, step: str, how: str, error: type[ChannelError]) -> None:
        async with SmtpServer({step: how}) as smtpd:
            out = outlet(smtpd, timeout=0.1)
            with pytest.raises(RetryLater) as caught:
                await out.deliver(OURS, CITIZEN, MAIL)
            assert type(caught.value) is error

    async def test_nobody_there(self) -> None:
        out = Outlet(server("smtp://127.0.0.1:1", "smtp"), hostname="example.go.id")
        with pytest.raises(RetryLater) as caught:
            await out.deliver(OURS, CITIZEN, MAIL)
        assert caught.value.reason == "connection"

    async def test_a_server_that_offers_no_login(self) -> None:
        async with SmtpServer(login=False) as smtpd:
            with pytest.raises(Misconfigured) as caught:
                await outlet(smtpd).deliver(OURS, CITIZEN, MAIL)
            assert caught.value.reason == "credentials"
            without = outlet(smtpd, url=f"smtp://127.0.0.1:{smtpd.port}")
            await without.deliver(OURS, CITIZEN, MAIL)
            await without.close()

    async def test_a_certificate_that_nobody_vouches_for(self, tmp_path: Path) -> None:
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        process = await asyncio.create_subprocess_exec(
            *made, "-keyout", str(key), "-out", str(certificate), stderr=asyncio.subprocess.DEVNULL
        )
        assert await process.wait() == 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        tls = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with tls:
            port = tls.sockets[0].getsockname()[1]
            out = Outlet(server(f"smtps://lapor:pa55-word@localhost:{port}", "smtps"), hostname="example.go.id")
            with pytest.raises(Misconfigured) as caught:
                await out.deliver(OURS, CITIZEN, MAIL)
        assert caught.value.reason == "tls"


class TestProbe:
    @pytest.mark.parametrize(
        ("answers", "reason"),
        [({}, ""), ({"auth": "535 5.7.8 no"}, "credentials"), ({"noop": "421 4.3.2 no"}, "smtp_421")],
        ids=["well", "refused", "closing"],
    )
    async def test_it_logs_in(self, answers: dict[str, str], reason: str) -> None:
        async with SmtpServer(answers) as smtpd:
            account = settings(smtp_url=smtpd.url, imap_url=None, listen="127.0.0.1:1")
            channel = EmailChannel("email", account, FakeHost())
            found = ""
            try:
                await channel.probe()
            except ChannelError as error:
                found = error.reason
            assert found == reason
            await smtpd.until_idle()
            await channel.close()


@pytest.mark.parametrize(
    ("step", "code", "error", "reason", "whole"),
    [
        ("greeting", 421, RetryLater, "smtp_421", True),
        ("greeting", 450, RetryLater, "smtp_450", True),
        ("greeting", 554, Misconfigured, "blocked", None),
        ("AUTH", 454, RetryLater, "smtp_454", True),
        ("AUTH", 535, Misconfigured, "credentials", None),
        ("AUTH", 500, Misconfigured, "credentials", None),
        ("MAIL", 451, RetryLater, "smtp_451", True),
        ("MAIL", 530, Misconfigured, "credentials", None),
        ("MAIL", 550, Misconfigured, "sender", None),
        ("RCPT", 421, RetryLater, "smtp_421", True),
        ("RCPT", 451, RetryLater, "smtp_451", False),
        ("RCPT", 550, Refused, "smtp_550", None),
        ("RCPT", 552, Refused, "smtp_552", None),
        ("DATA", 452, RetryLater, "smtp_452", False),
        ("DATA", 554, Refused, "smtp_554", None),
    ],
)
def test_what_an_answer_means(
    step: Step, code: int, error: type[ChannelError], reason: str, whole: bool | None
) -> None:
    with pytest.raises(ChannelError) as caught:
        verdict(step, code, "5.1.1 <ana@example.org> does not want it")
    assert type(caught.value) is error
    assert caught.value.reason == reason
    assert getattr(caught.value, "whole_channel", None) is whole
    assert "ana" not in str(caught.value)


@pytest.mark.parametrize(
    ("of", "number", "expected"),
    [
        ("", "", "LAPOR!"),
        ("", "4829137065", "Laporan 482 913 7065"),
        ("Re:", "4829137065", "Laporan 482 913 7065"),
        ("Jalan rusak", "", "Re: Jalan rusak"),
        ("Jalan rusak", "4829137065", "Re: Jalan rusak [482 913 7065]"),
        ("Re: Jalan rusak [482 913 7065]", "4829137065", "Re: Jalan rusak [482 913 7065]"),
        ("Re: Jalan rusak [482 913 7065]", "5829137061", "Re: Jalan rusak [482 913 7065] [582 913 7061]"),
        ("4829137065", "4829137065", "Re: 4829137065"),
        ("telepon 14829137065", "4829137065", "Re: telepon 14829137065 [482 913 7065]"),
        ("Bls: RE: re[2]: Aw: air mati", "", "Re: air mati"),
        ("Rekening listrik", "", "Re: Rekening listrik"),
        ("a" * 300, "4829137065", f"Re: {'a' * 199}… [482 913 7065]"),
        ("satu\r\ndua\tt\x00iga\u2028empat", "", "Re: satu dua t iga empat"),
        ("setengah \ud83d", "", "Re: setengah ?"),
    ],
)
def test_subjects(of: str, number: str, expected: str) -> None:
    assert subject(of, number, "LAPOR!") == expected


HEADERS = {
    "content-type", "mime-version", "from", "to", "subject", "date", "message-id", "in-reply-to", "references",
    "auto-submitted", "x-auto-response-suppress",
}  # fmt: skip
TEXT = st.text(st.characters(codec=None), max_size=200)


@given(TEXT, TEXT, st.lists(TEXT, max_size=4), TEXT)
def test_nothing_from_outside_makes_a_header_or_loses_a_line(of: str, text: str, ids: list[str], name: str) -> None:
    message = OutboundMessage(
        delivery="d-1", to=CITIZEN, text=f"Nomor: {text}.", subject=of, thread=Thread(replies_to=tuple(ids))
    )
    raw = compose(message, address=OURS, from_name=name, message_id="<lapor.d-1@example.go.id>", at=datetime.now(UTC))
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
    mail = message_from_bytes(raw, policy=policy.default)
    assert {header.lower() for header in mail} <= HEADERS
    assert len(mail.keys()) == len(set(mail.keys()))
    assert mail["to"] == CITIZEN
    assert mail["from"].addresses[0].addr_spec == OURS
    plain = mail.get_body(("plain",))
    assert plain is not None
    shown = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "", text.encode("utf-8", "replace").decode())
    assert plain.get_content().splitlines() == f"Nomor: {shown}.".replace("\r\n", "\n").replace("\r", "\n").splitlines()


def test_a_long_thread_keeps_its_nearest_ids_whole() -> None:
    ids = tuple(f"<{number:03d}{'x' * 120}@example.org>" for number in range(60))
    message = OutboundMessage(delivery="d-1", to=CITIZEN, text="Halo", thread=Thread(replies_to=ids))
    raw = compose(message, address=OURS, from_name="", message_id="<lapor.d-1@example.go.id>", at=datetime.now(UTC))
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["in-reply-to"].split() == [ids[0]]
    assert mail["references"].split() == list(reversed(ids[:20]))
    assert b"=?" not in raw.partition(b"Auto-Submitted")[0]


@pytest.mark.parametrize(("number", "shown"), [("4829137065", "482 913 7065"), ("", ""), ("123", "123")])
def test_numbers_are_grouped_as_they_are_read_aloud(number: str, shown: str) -> None:
    assert grouped(number) == shown
