"""Any bytes are a mail: nothing is raised, and what comes out can be stored."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import InboundMessage
from channels.email.addresses import canonical, mailboxes
from channels.email.headers import ids, moment, parameters, text
from channels.email.mail import part_bytes
from channels.email.markup import to_text
from channels.email.quotes import split
from normalizer.event import encode
from normalizer.normalize import Normalizer
from tests.channels.email.letters import READING, read

NORMALIZER = Normalizer("email", "email", secret=b"a secret")
NOW = datetime(2026, 11, 22, tzinfo=UTC)

PIECES = st.sampled_from([
    b"From: budi@example.com\r\n", b"To: lapor@example.go.id\r\n", b"Subject: =?utf-8?q?Jal=61n?=\r\n", b"Message-ID: <1@x>\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n", b"Content-Type: multipart/alternative; boundary=\"y\"\r\n",
    b"Content-Type: text/html; charset=utf-7\r\n", b"Content-Type: message/rfc822\r\n", b"Content-Type: multipart/digest; boundary=x\r\n",
    b"Content-Type: message/delivery-status\r\n", b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Disposition: attachment; filename*0*=utf-8''%\r\n",
    b"Date: Mon, 3 Nov 2025 10:12:00 +0700\r\n", b"Return-Path: <>\r\n", b"References: <lapor.1@x>\r\n", b"X-Failed-Recipients: a@x\r\n",
    b"Action: failed\r\nStatus: 5.1.1\r\n", b"--x\r\n", b"--x--\r\n", b"--y\r\n", b"--y--\r\n", b"\r\n", b"\n", b"\r", b" ", b"\x00", b"--",
    b"Jalan rusak.\r\n", b"> kutipan\r\n", b"Pada 3 Nov 2025 10.12 X menulis:\r\n", b"-- \r\n", b"<blockquote type=cite>", b"</blockquote>",
    b"begin 644 a\r\n", b"SmFsYW4=\r\n", b"<lapor.1@x>", "é".encode(), b"\xff", b"=?", b"?=", b"Dari: a@x\r\nDikirim: 10.12\r\nKepada: b\r\n",
])  # fmt: skip


def checked(raw: bytes) -> InboundMessage:
    message = read(raw, READING)
    assert message.raw == raw
    assert message.sender.address
    assert message.provider_id
    assert (message.kind == "receipt") == (message.receipt is not None)
    for file in message.attachments:
        assert len(part_bytes(raw, file.reference)) == file.size
        assert file.name
        assert "/" not in file.name
    encode(NORMALIZER.event(message, NOW))
    return message


@given(st.binary(max_size=500))
def test_any_bytes(raw: bytes) -> None:
    assert checked(raw) == checked(raw)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=40).map(b"".join))
def test_anything_like_a_mail(raw: bytes) -> None:
    checked(raw)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200).map(str.strip))
def test_a_text_without_quotes_arrives(text: str) -> None:
    body = text.encode()
    message = read(b"From: budi@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body)
    letters = sorted(filter(str.isalnum, text.replace("\r", "\n")))
    assert sorted(filter(str.isalnum, message.text + message.quoted)) == letters


@given(st.binary(max_size=300))
def test_any_header(value: bytes) -> None:
    text(value).encode()
    parameters(value)
    ids(value)
    moment(value)
    for box in mailboxes(value):
        assert canonical(box.address) == box.address
        (box.address + box.name).encode()


@given(st.text(max_size=300))
def test_any_markup(source: str) -> None:
    to_text(source)


WORDS = st.sampled_from([
    "Jalan rusak.", "> kutipan", ">", "", "-- ", "--", "Pada 3 Nov 2025 10.12 X menulis:", "On 3 Nov 2025", "X <a@x> wrote:",
    "-----Pesan Asli-----", "Dari: a@x", "Dikirim: 10.12", "Kepada: b", "Dikirim dari iPhone saya", "__________",
    "Email ini rahasia dan hanya ditujukan kepada penerima yang disebut di atas, mohon dihapus bila salah.",
])  # fmt: skip


@settings(max_examples=400)
@given(st.lists(WORDS, max_size=30), st.booleans())
def test_splitting_loses_no_line(lines: list[str], reply: bool) -> None:
    own, quoted = split("\n".join(lines), reply=reply)
    said = sorted(line.strip() for line in lines if line.strip())
    assert sorted(line.strip() for line in f"{own}\n{quoted}".split("\n") if line.strip()) == said
    assert bool(own) == bool(said)


@pytest.mark.parametrize("value", [b"", b"@", b"<>", b"a@b@c", b"\xff@\xff", b"a@" + b"x" * 400, b'"' * 99, b"a@-.-"])
def test_what_is_no_address(value: bytes) -> None:
    assert [box.address for box in mailboxes(value) if box.address != canonical(box.address)] == []
