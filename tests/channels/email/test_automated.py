"""Which mails are programs', and which only look like it."""

import pytest

from channels.email.mail import our_message_id
from tests.channels.email.letters import OURS, READING, letter, multi, part, read

FIELDS = [
    ("auto_submitted", "Auto-Submitted: auto-replied"),
    ("auto_submitted", "Auto-Submitted: auto-generated (away)"),
    ("auto_submitted", "AUTO-SUBMITTED: Auto-Notified; owner-email=x"),
    ("bulk", "Precedence: bulk"),
    ("bulk", "Precedence: Junk"),
    ("mailing_list", "Precedence: list"),
    ("auto_reply", "Precedence: auto_reply"),
    ("auto_reply", "X-Autoreply: yes"),
    ("auto_reply", "X-Autorespond: vacation"),
    ("auto_reply", "X-Auto-Reply: true"),
    ("auto_reply", "X-Auto-Response-Suppress: All"),
    ("auto_reply", "X-Auto-Response-Suppress: DR, OOF, AutoReply"),
    ("null_return_path", "Return-Path: <>"),
    ("mailing_list", "List-Id: Warga <warga.example.com>"),
    ("mailing_list", "List-Unsubscribe: <mailto:keluar@example.com>"),
    ("mailing_list", "List-Post: <mailto:warga@example.com>"),
    ("bulk", "Feedback-ID: 1:kampanye:x"),
    ("bulk", "X-Campaign: promo"),
    ("bounce", "X-Failed-Recipients: x@example.com"),
    ("auto_reply", "Subject: Automatic reply: Lampu"),
    ("auto_reply", "Subject: Out of Office: Lampu"),
    ("auto_reply", "Subject: Balasan otomatis: Lampu"),
    ("auto_reply", "Subject: =?utf-8?q?Balasan_otomatis?="),
    ("report", "Content-Type: multipart/report; report-type=disposition-notification; boundary=x"),
    ("bounce", "Content-Type: multipart/report; report-type=delivery-status; boundary=x"),
    ("report", "Content-Type: multipart/report; report-type=feedback-report; boundary=x"),
    ("calendar_reply", "Content-Type: text/calendar; method=REPLY"),
    ("own_message", f"Message-ID: {our_message_id('3f2a', 'other.example.go.id')}"),
]
PEOPLE = [
    "Auto-Submitted: no",
    "Auto-Submitted: No (written by hand)",
    "Precedence: first-class",
    "X-Auto-Response-Suppress: DR, RN, NRN",
    "X-Auto-Response-Suppress: All\r\nThread-Index: AcpZlFLF",
    "X-Autoreply: no",
    "Return-Path: <budi@example.com>",
    "Return-Path:  ",
    "Subject: Re: Automatic reply: Lampu",
    "Subject: Balasan otomatis tidak menjawab keluhan saya",
    "Subject: Out of office hours nobody answers",
    "Content-Type: text/calendar; method=REQUEST",
    f"In-Reply-To: {our_message_id('3f2a', 'example.go.id')}",
]
MACHINES = [
    "noreply@example.com", "no-reply@example.com", "no_reply@example.com", "do-not-reply@example.com",
    "donotreply@example.com", "jangan-dibalas@example.com", "MAILER-DAEMON@example.com", "postmaster@example.com",
    "bounce+1234@example.com", "bounces@example.com", "gmail-noreply@example.com", "noreply-id@example.com",
    "no-reply+abc@example.com",
]  # fmt: skip
PERSONS = ["norman@example.com", "replay@example.com", "nora.eply@example.com", "bouncer@example.com"]


@pytest.mark.parametrize(("reason", "field"), FIELDS, ids=[field for _, field in FIELDS])
def test_signs_of_programs(reason: str, field: str) -> None:
    message = read(letter("x", field))
    assert message.automated == reason
    assert message.kind == "message"


@pytest.mark.parametrize("field", PEOPLE)
def test_what_people_bear_too(field: str) -> None:
    assert read(letter("Jalan rusak.", field)).automated == ""


@pytest.mark.parametrize("sender", MACHINES)
def test_senders_that_nobody_reads(sender: str) -> None:
    assert read(letter(sender=sender)).automated == "no_reply_sender"


@pytest.mark.parametrize("sender", PERSONS)
def test_senders_with_names_alike(sender: str) -> None:
    assert read(letter(sender=sender)).automated == ""


@pytest.mark.parametrize("sender", [OURS, OURS.upper(), f"LAPOR! <{OURS}>"])
def test_our_own_address(sender: str) -> None:
    assert read(letter(sender=sender)).automated == "own_address"


@pytest.mark.parametrize(
    ("envelope", "field", "expected"),
    [
        ("", "Return-Path: <budi@example.com>", "null_return_path"),
        ("budi@example.com", "Return-Path: <>", ""),
        (None, "Return-Path: <>", "null_return_path"),
        ("<>", "Return-Path: <budi@example.com>", "null_return_path"),
    ],
    ids=["null in SMTP", "a person in SMTP", "null in the field", "null in SMTP, with brackets"],
)
def test_the_envelope_counts_before_the_field(envelope: str | None, field: str, expected: str) -> None:
    reading = type(READING)(own_addresses=READING.own_addresses, envelope_from=envelope)
    assert read(letter("x", field), reading).automated == expected


def test_a_calendar_reply_within_a_mail() -> None:
    body, field = multi(
        "alternative", part("Diterima: rapat"), part("BEGIN:VCALENDAR", "Content-Type: text/calendar; method=REPLY")
    )
    assert read(letter(body, field)).automated == "calendar_reply"


def test_two_gateways_do_not_answer_each_other() -> None:
    answer = letter(
        "Terima kasih. Nomor laporan Anda 482 913 7065.",
        f"Message-ID: {our_message_id('3f2a', 'satu.example.go.id')}",
        "Auto-Submitted: auto-replied",
        sender="LAPOR Satu <lapor@satu.example.go.id>",
    )
    assert read(answer).automated
    # Each of the two signs is enough, should a server on the way take the other out.
    assert read(answer.replace(b"Auto-Submitted: auto-replied\r\n", b"")).automated
    assert read(answer.replace(b"<lapor.3f2a@", b"<x.3f2a@")).automated
