"""What other servers say became of our mails."""

import pytest

from channels.base import Receipt
from channels.email.mail import our_message_id
from tests.channels.email.letters import OURS, letter, multi, part, read

DELIVERY = "0d1f2e3c4b5a69788796a5b4c3d2e1f0"
ID = our_message_id(DELIVERY, "example.go.id")
RETURNED = f"Message-ID: {ID}\nFrom: {OURS}\nTo: budi@example.com\nSubject: Re: Jalan\n\nTerima kasih."
DAEMON = "Mail Delivery Subsystem <mailer-daemon@mail.example.com>"


def report(status: str, returned: bytes | None = None) -> bytes:
    """A DSN; without ``returned`` it brings our whole mail back."""
    body, field = multi(
        "report",
        part("Your message could not be delivered."),
        part(status, "Content-Type: message/delivery-status"),
        part(RETURNED, "Content-Type: message/rfc822") if returned is None else returned,
    )
    return letter(
        body,
        f"{field}; report-type=delivery-status",
        "Subject: Undelivered Mail Returned to Sender",
        "Auto-Submitted: auto-replied",
        "Return-Path: <>",
        "Message-ID: <dsn@mail.example.com>",
        sender=DAEMON,
    )


def status(action: str, code: str, recipient: str = "rfc822; Budi@Example.com") -> str:
    return (
        "Reporting-MTA: dns; mail.example.com\nArrival-Date: Mon, 3 Nov 2025 10:12:00 +0700\n\n"
        f"Final-Recipient: {recipient}\nAction: {action}\nStatus: {code}\nDiagnostic-Code: smtp; 550 5.1.1 unknown"
    )


@pytest.mark.parametrize(
    ("action", "code", "outcome"),
    [
        ("failed", "5.1.1", "failed"),
        ("Failed", "5.2.2", "failed"),
        ("failed", "4.4.7", "failed"),
        ("delayed", "4.4.1", "accepted"),
        ("relayed", "2.0.0", "accepted"),
        ("expanded", "2.0.0", "accepted"),
        ("delivered", "2.0.0", "delivered"),
        ("unheard-of", "5.0.0", "failed"),
    ],
)
def test_a_delivery_status(action: str, code: str, outcome: str) -> None:
    message = read(report(status(action, code)))
    assert message.kind == "receipt"
    assert message.receipt == Receipt(outcome=outcome, delivery=DELIVERY, provider_id=ID, code=code)  # type: ignore[arg-type]
    assert (message.sender.address, message.sender.kind) == ("budi@example.com", "email")
    assert message.provider_id == "<dsn@mail.example.com>"
    assert message.automated == ""


@pytest.mark.parametrize(
    "returned",
    [
        part(RETURNED, "Content-Type: message/rfc822"),
        part(RETURNED.partition("\n\n")[0], "Content-Type: text/rfc822-headers"),
        part(RETURNED.partition("\n\n")[0] + "\n", "Content-Type: text/rfc822-headers"),
        part(f"The mail was {ID}.", "Content-Type: text/plain"),
    ],
    ids=["the mail", "its header", "its header with an empty line", "its id in words"],
)
def test_our_mail_is_found_in_what_comes_back(returned: bytes) -> None:
    message = read(report(status("failed", "5.1.1"), returned))
    assert message.receipt is not None
    assert message.receipt.delivery == DELIVERY


def test_our_mail_is_found_in_the_thread_of_the_bounce() -> None:
    raw = report(status("failed", "5.1.1"), part("nothing")).replace(
        b"Auto-Submitted:", f"References: <1@example.com> {ID}\r\nAuto-Submitted:".encode()
    )
    message = read(raw)
    assert message.receipt is not None
    assert message.receipt.delivery == DELIVERY


def test_the_mail_that_came_back_counts_before_those_it_answers() -> None:
    earlier = our_message_id("earlier", "example.go.id")
    returned = f"References: {earlier}\nIn-Reply-To: {earlier}\n{RETURNED}"
    message = read(report(status("failed", "5.1.1"), part(returned, "Content-Type: message/rfc822")))
    assert message.receipt is not None
    assert message.receipt.provider_id == ID


def test_a_failure_counts_before_a_delay() -> None:
    told = f"{status('delayed', '4.4.1')}\n\nFinal-Recipient: rfc822; x@example.com\nAction: failed\nStatus: 5.1.1"
    message = read(report(told))
    assert message.receipt is not None
    assert (message.receipt.outcome, message.receipt.code) == ("failed", "5.1.1")


WORDS = {
    "exim": (
        ["Subject: Mail delivery failed: returning message to sender", "X-Failed-Recipients: budi@example.com"],
        f"A message that you sent could not be delivered.\n\n  budi@example.com\n    550 5.1.1 No such user\n\n{RETURNED}",
        ("failed", "5.1.1", "budi@example.com"),
    ),
    "exim, warning": (
        ["Subject: Warning: message 1abcde-00 delayed 24 hours", "Return-Path: <>"],
        f"No action is required on your part.\n\n{RETURNED}",
        ("accepted", "", ""),
    ),
    "qmail": (
        ["Subject: failure notice", "Return-Path: <>"],
        f"Hi. This is the qmail-send program.\n<budi@example.com>:\nRemote host said: 550 no such user\n\n--- Below:\n\n{RETURNED}",
        ("failed", "550", ""),
    ),
    "gmail": (
        [
            "Subject: Delivery Status Notification (Failure)",
            "X-Failed-Recipients: budi@example.com",
            f"In-Reply-To: {ID}",
            f"References: <1@example.com> {ID}",
        ],
        "Address not found. The response was: 550 5.1.1 The email account does not exist.",
        ("failed", "5.1.1", "budi@example.com"),
    ),
    "exchange": (
        ["Subject: Undeliverable: Re: Jalan", "Return-Path: <>", f"In-Reply-To: {ID}"],
        "Delivery has failed to these recipients.\nRemote Server returned '550 5.2.2 mailbox full'",
        ("failed", "5.2.2", ""),
    ),
    "indonesian": (
        ["Subject: Email tidak terkirim", f"In-Reply-To: {ID}"],
        "Alamat tidak ditemukan.",
        ("failed", "", ""),
    ),
}


@pytest.mark.parametrize(("fields", "body", "expected"), WORDS.values(), ids=WORDS.keys())
def test_bounces_in_words(fields: list[str], body: str, expected: tuple[str, str, str]) -> None:
    message = read(letter(body, *fields, sender=DAEMON))
    assert message.kind == "receipt"
    assert message.receipt is not None
    outcome, code, recipient = expected
    assert (message.receipt.outcome, message.receipt.code) == (outcome, code)
    assert message.receipt.delivery == DELIVERY
    assert message.sender.address == (recipient or "mailer-daemon@mail.example.com")


@pytest.mark.parametrize(
    "raw",
    [
        report(status("failed", "5.1.1"), part("Message-ID: <other@example.com>\n\nx", "Content-Type: message/rfc822")),
        report("", part("")),
        letter("550 5.1.1", "X-Failed-Recipients: budi@example.com"),
    ],
    ids=["of somebody else's mail", "of nothing", "without a word of ours"],
)
def test_a_bounce_without_a_delivery_of_ours_is_an_automated_message(raw: bytes) -> None:
    message = read(raw)
    assert message.kind == "message"
    assert message.receipt is None
    assert message.automated


@pytest.mark.parametrize(
    ("fields", "automated"),
    [
        ([f"In-Reply-To: {ID}", "Subject: Re: Jalan"], ""),
        ([f"In-Reply-To: {ID}", "Subject: Mail delivery failed di kantor pos"], ""),
        ([f"In-Reply-To: {ID}", "Subject: Balasan otomatis: Jalan", "Return-Path: <>"], "null_return_path"),
    ],
    ids=["a citizen's reply", "a citizen's subject", "a vacation reply"],
)
def test_what_answers_our_mail_is_no_bounce(fields: list[str], automated: str) -> None:
    message = read(letter("Masih rusak.", *fields))
    assert message.kind == "message"
    assert message.automated == automated
