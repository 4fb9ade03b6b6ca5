"""Mails that real programs wrote, many of them broken: whole, cut, with bytes flipped, without an id, with another's.

The mails are not part of the project; where the folder is absent these tests say so and are passed over.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.base import InboundMessage
from channels.email.mail import part_bytes
from channels.email.parts import Mail
from normalizer.event import encode
from normalizer.normalize import Normalizer
from tests.channels.email.letters import read

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "mail"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder shared/corpora/mail is not beside the project")

PATHS = {
    path.relative_to(CORPUS).with_suffix("").as_posix(): path
    for path in sorted(CORPUS.rglob("*"))
    if path.is_file() and path.name != "SOURCE.md"
}
NORMALIZER = Normalizer("email", "email", secret=b"a secret")
NOW = datetime(2026, 11, 22, tzinfo=UTC)

# Mail, sender ("" where it names none), how its text begins ("" where it has none), files.
EXPECTED = [
    ("attachment_emails/attachment_content_disposition", "foo@example.com", "This is the first part.", 1),
    ("attachment_emails/attachment_content_location", "foo@example.com", "This is the first part.", 1),
    ("attachment_emails/attachment_message_rfc822", "foo@example.com", "This is the first part.", 1),
    ("attachment_emails/attachment_message_rfc822_inline_image", "test@example.com", "Another PDF", 2),
    ("attachment_emails/attachment_nonascii_filename", "foo@example.com", "This is the first part.", 1),
    ("attachment_emails/attachment_only_email", "rfinnie@domain.dom", "", 1),
    ("attachment_emails/attachment_pdf", "xxxx@xxxx.com", "Just attaching another PDF, here, to", 1),
    ("attachment_emails/attachment_pdf_lf", "xxxx@xxxx.com", "Just attaching another PDF, here, to", 1),
    ("attachment_emails/attachment_pdf_non_ascii", "xxxx@xxxx.com", "Just attaching another PDF, here, to", 1),
    ("attachment_emails/attachment_pdf_non_ascii_lf", "xxxx@xxxx.com", "Just attaching another PDF, here, to", 1),
    (
        "attachment_emails/attachment_with_base64_encoded_name",
        "xxxxxxxxx.xxxxxxx@gmail.com",
        "We should not include these files or",
        1,
    ),
    (
        "attachment_emails/attachment_with_encoded_name",
        "xxxxxxxxx.xxxxxxx@gmail.com",
        "We should not include these files or",
        1,
    ),
    ("attachment_emails/attachment_with_quoted_filename", "jeff@37signals.com", "", 1),
    ("attachment_emails/attachment_with_unquoted_name", "foo@example.com", "This is the first part.", 1),
    ("error_emails/bad_date_header", "infoz@reactive-outpost.com", "", 0),
    ("error_emails/bad_date_header2", "enews@free-quilting.com", "", 0),
    ("error_emails/bad_encoded_subject", "", "TEST", 0),
    ("error_emails/bad_subject", "carol@mysurvey.com", "You have a survey waiting!", 0),
    ("error_emails/cant_parse_from", "news@insideapple.apple.com", "From one solid piece of aluminum com", 0),
    (
        "error_emails/content_transfer_encoding_7-bit",
        "discovercard_newsflash@discover.qrs1.net",
        "DISCOVERÆ CARD <http://discover.qrs1",
        0,
    ),
    ("error_emails/content_transfer_encoding_empty", "3712f2@msa.hinet.net", "9bbf38a544f990e73cd12f3c56c60e6180ed", 0),
    ("error_emails/content_transfer_encoding_plain", "baocqccyw@hq.lindsayelec.com", "acidness", 0),
    (
        "error_emails/content_transfer_encoding_qp_with_space",
        "fyouizjnp@swissonline.ch",
        "If you're in need of a good RX site",
        0,
    ),
    ("error_emails/content_transfer_encoding_spam", "shechem@poetrix.com", "middagh  oldusercompare", 0),
    ("error_emails/content_transfer_encoding_text-html", "abhijit.862153drinnan@datavalet.com", "Hello,", 0),
    ("error_emails/content_transfer_encoding_with_8bits", "announcements@provantage.com", "December 04, 2001", 0),
    ("error_emails/content_transfer_encoding_with_semi_colon", "nsukijamq@morozstudio.tk", "Dear Homeowner,", 0),
    (
        "error_emails/content_transfer_encoding_x_uuencode",
        "lpeters@pacifier.com",
        "Attached are the comments of the Pub",
        0,
    ),
    ("error_emails/empty_group_lists", "ceciledwards@sbcglobal.net", "Attention Beneficiary:", 0),
    ("error_emails/empty_in_reply_to", "ak@g.com", "", 0),
    ("error_emails/encoding_madness", "no-reply@crm.el-example.org", "Body Text", 0),
    ("error_emails/header_fields_with_empty_values", "jorn@prikkprikkprikk.no", "--", 0),
    ("error_emails/invalid_subject_characters", "info@formacaofrenetik.info", "TEST", 0),
    ("error_emails/missing_body", "redacted@attglobal.net", "", 0),
    ("error_emails/missing_content_disposition", "redacted@example.com", "", 1),
    ("error_emails/multiple_content_types", "redacted@flashmail.net", "foo", 0),
    ("error_emails/multiple_invalid_content_dispositions", "redacted@flashmail.net", "foo", 0),
    ("error_emails/multiple_references_with_one_invalid", "redacted@flashmail.net", "foo", 0),
    ("error_emails/must_supply_encoding", "info@here2there-travelers-msgs.net", "", 0),
    ("error_emails/new_line_in_to_header", "l@gcn-example.com", '<?xml version="1.0" encoding="UTF-8"', 0),
    ("error_emails/trademark_character_in_subject", "j@yahoo-example.com", "Body Text - not important", 0),
    ("error_emails/weird_to_header", "anonymous@i.tp.host", "CONTACT:", 0),
    ("mime_emails/email_with_similar_boundaries", "xxxxxx@xxxxxxxx.xxx", "Test", 1),
    ("mime_emails/raw_email11", "xxxxx@xxxxx", "XXXXX Xxxxx", 0),
    ("mime_emails/raw_email12", "foo@example.com", "This is the first part.", 1),
    ("mime_emails/raw_email2", "xxxxxxxxx.xxxxxxx@gmail.com", "We should not include these files or", 1),
    ("mime_emails/raw_email4", "xxx@xxxx.xxx", "Some text", 0),
    ("mime_emails/raw_email7", "foo@example.com", "This is the first part.", 3),
    (
        "mime_emails/raw_email_encoded_stack_level_too_deep",
        "gmail-noreply@google.com",
        "Nicolas Fouché has accepted your inv",
        0,
    ),
    ("mime_emails/raw_email_with_binary_encoded", "email_test@me.nowhere", "", 1),
    ("mime_emails/raw_email_with_illegal_boundary", "email_test@me.nowhere", "Hello", 0),
    (
        "mime_emails/raw_email_with_mimepart_without_content_type",
        "mailer-daemon@antivirus.uqam.ca",
        "************************************",
        2,
    ),
    (
        "mime_emails/raw_email_with_multipart_mixed_quoted_boundary",
        "email_test@me.nowhere",
        "Just attaching another PDF, here, to",
        1,
    ),
    ("mime_emails/raw_email_with_nested_attachment", "jamis@37signals.com", "Here is a test of an attachment via", 2),
    ("mime_emails/raw_email_with_quoted_illegal_boundary", "email_test@me.nowhere", "Hello", 0),
    ("mime_emails/sig_only_email", "test@test.lindsaar.net", "This is random text, not what has be", 1),
    ("mime_emails/two_from_in_message", "tester1@test.com", "When sending email:", 0),
    ("multi_charset/japanese", "raasdnil@gmail.com", "かきくえこ", 0),
    ("multi_charset/japanese_attachment", "raasdnil@gmail.com", "testing", 1),
    ("multi_charset/japanese_attachment_long_name", "mikel@test.lindsaar.net", "this is the data", 1),
    ("multi_charset/japanese_iso_2022", "raasdnil@gmail.com", "すみません。", 0),
    ("multi_charset/japanese_shift_jis", "xxxxxxx@docomo.ne.jp", "あいうえお", 0),
    ("multi_charset/ks_c_5601-1987", "from@example.com", "스티해", 0),
    (
        "multipart_report_emails/multi_address_bounce1",
        "mailer-daemon@lvmail01.ll.com",
        "This is the mail system at host lvma",
        2,
    ),
    (
        "multipart_report_emails/multi_address_bounce2",
        "mailer-daemon@lvmail01.ll.com",
        "This is the mail system at host lvma",
        2,
    ),
    (
        "multipart_report_emails/multipart_report_multiple_status",
        "postmaster@ci.com",
        "Your Friend F M wants you to join Ho",
        3,
    ),
    ("multipart_report_emails/report_422", "mailer-daemon@tppppp.com.au", "************************************", 2),
    ("multipart_report_emails/report_530", "mailer-daemon@tttttt.com.au", "The original message was received at", 2),
    ("plain_emails/basic_email", "test@lindsaar.net", "Plain email.", 0),
    ("plain_emails/basic_email_lf", "test@lindsaar.net", "Plain email.", 0),
    ("plain_emails/mix_caps_content_type", "bb@bug.com", "foo bar", 0),
    ("plain_emails/raw_email", "jamis@37signals.com", "대부분의 마찬가지로, 우리는 하나님을 믿습니다.", 0),
    ("plain_emails/raw_email10", "xxx@xxxx.xxx", "Test test. Hi. Waving. m", 0),
    ("plain_emails/raw_email5", "xxx@xxxx.xxx", "Test test. Hi. Waving. m", 0),
    ("plain_emails/raw_email6", "xxx@xxxx.xxx", "Test test. Hi. Waving. m", 0),
    ("plain_emails/raw_email8", "xxxxxxxxx.xxxxxxx@gmail.com", "We should not include these files or", 1),
    ("plain_emails/raw_email_bad_time", "yusuf75thu@auracom.net", "Filter2: This message has been scann", 0),
    (
        "plain_emails/raw_email_double_at_in_header",
        "jamis@37signals.com",
        "대부분의 마찬가지로, 우리는 하나님을 믿습니다.",
        0,
    ),
    ("plain_emails/raw_email_incorrect_header", "xxx@xxx.xxx", "You are infected with:", 0),
    ("plain_emails/raw_email_multiple_from", "tim@powerupdev.com", "<p><b>recordkick</b> 2007-10-22 23:4", 0),
    ("plain_emails/raw_email_quoted_with_0d0a", "foo@example.com", "A fax has arrived from remote ID ''.", 0),
    ("plain_emails/raw_email_reply", "xxxxxxxx@xxx.org", "Message body", 0),
    ("plain_emails/raw_email_simple", "mikel@nowhere.com", "Hello Mikel", 0),
    (
        "plain_emails/raw_email_string_in_date_field",
        "mikel@me.com",
        "대부분의 마찬가지로, 우리는 하나님을 믿습니다.",
        0,
    ),
    ("plain_emails/raw_email_trailing_dot", "noreply@rubyforge.org", "Testing, testing, 123.", 0),
    ("plain_emails/raw_email_with_at_display_name", "test@lindsaar.net", "Plain email.", 0),
    ("plain_emails/raw_email_with_bad_date", "subventive@vodtravel.com", "hotnewsoft . com", 0),
    (
        "plain_emails/raw_email_with_partially_quoted_subject",
        "jamis@37signals.com",
        "대부분의 마찬가지로, 우리는 하나님을 믿습니다.",
        0,
    ),
    ("rfc2822/example01", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example02", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example03", "john.q.public@example.com", "Hi everyone.", 0),
    ("rfc2822/example04", "pete@silly.example", "Testing.", 0),
    ("rfc2822/example05", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example06", "mary@example.net", "This is a reply to your hello.", 0),
    ("rfc2822/example07", "jdoe@machine.example", "This is a reply to your reply.", 0),
    ("rfc2822/example08", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example09", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example10", "pete@silly.test", "Testing.", 0),
    ("rfc2822/example11", "john.q.public@example.com", "Hi everyone.", 0),
    ("rfc2822/example12", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example13", "jdoe@machine.example", "This is a message just to say hello.", 0),
    ("rfc2822/example14", "atsushi@example.com", "Hello", 0),
    ("sample_output_multipart", "", "", 0),
    ("rfc6532/utf8_headers", "jdöe@xn--mchine-bua.example", "body", 0),
]
NAMES = [name for name, *_ in EXPECTED]


def raw_of(name: str) -> bytes:
    return PATHS[name].read_bytes()


def checked(raw: bytes) -> InboundMessage:
    """What is read of a mail, after making sure of what holds for any."""
    message = read(raw)
    assert message.raw == raw
    assert message.raw_type == "message/rfc822"
    assert message.sender.address
    assert (message.sender.kind == "unknown") == message.sender.address.startswith("unknown-")
    assert message.provider_id
    assert "\n" not in message.subject
    for said in (message.text, message.quoted, message.subject, message.sender.display_name, message.recipient):
        said.encode()
    encode(NORMALIZER.event(message, NOW))
    return message


def event_id(message: InboundMessage) -> str:
    return NORMALIZER.event(message, NOW).id


def test_every_mail_stands_in_the_table() -> None:
    assert sorted(PATHS) == sorted(NAMES)
    assert len(NAMES) == 104


@pytest.mark.parametrize(("name", "sender", "begins", "files"), EXPECTED, ids=NAMES)
def test_sender_text_and_files(name: str, sender: str, begins: str, files: int) -> None:
    message = checked(raw_of(name))
    assert message.sender.address == sender or (not sender and message.sender.kind == "unknown")
    assert message.text.lstrip().startswith(begins)
    assert bool(message.text) == bool(begins)
    assert len(message.attachments) == files


@pytest.mark.parametrize("name", NAMES)
def test_files_can_be_fetched(name: str) -> None:
    raw = raw_of(name)
    for file in read(raw).attachments:
        assert len(part_bytes(raw, file.reference)) == file.size


@pytest.mark.parametrize("name", NAMES)
def test_cut_at_random(name: str) -> None:
    raw = raw_of(name)
    whole = checked(raw)
    body = Mail(raw).parts[0].start
    chance = random.Random(name)
    for _ in range(25):
        at = chance.randrange(len(raw) + 1)
        message = checked(raw[:at])
        if at >= body:
            assert message.subject == whole.subject
            if message.kind == "message":
                assert message.sender.display_name == whole.sender.display_name
                assert message.sender.address == whole.sender.address or whole.sender.kind == "unknown"


@pytest.mark.parametrize("name", NAMES)
def test_with_bytes_flipped(name: str) -> None:
    raw = raw_of(name)
    chance = random.Random(name)
    for count in (1, 1, 1, 3, 10, 100, 1000):
        broken = bytearray(raw)
        for _ in range(count if raw else 0):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        checked(bytes(broken))


def with_id(raw: bytes, value: bytes) -> bytes:
    """The mail with its own Message-ID taken out, and another put in front; ``b""`` for none."""
    mail = Mail(raw)
    head, body = raw[: mail.parts[0].start], raw[mail.parts[0].start :]
    lines = head.split(b"\n")
    kept: list[bytes] = []
    inside = False
    for line in lines:
        inside = line.lower().startswith(b"message-id") or (inside and line[:1] in (b" ", b"\t"))
        if not inside:
            kept.append(line)
    first = 1 if kept and kept[0].startswith(b"From ") else 0
    if value:
        kept.insert(first, b"Message-ID: " + value + b"\r")
    return b"\n".join(kept) + body


@pytest.mark.parametrize("name", NAMES)
def test_without_a_message_id(name: str) -> None:
    raw = with_id(raw_of(name), b"")
    message, whole = checked(raw), checked(raw_of(name))
    assert message.provider_id is not None
    assert message.provider_id.startswith("sha256:")
    assert (message.text, message.subject) == (whole.text, whole.subject)
    assert event_id(message) == event_id(read(raw))
    assert event_id(message) == event_id(read(raw.replace(b"\r\n", b"\n")))


def distinct() -> Iterator[tuple[str, InboundMessage]]:
    """The mails, each once: some differ only in fields that are the transport's, or in their line ends."""
    seen: set[tuple[object, ...]] = set()
    for name in NAMES:
        message = read(with_id(raw_of(name), b"<one@example.com>"))
        said = (message.sender.address, message.subject, message.text, message.attachments)
        if said not in seen:
            seen.add(said)
            yield name, message


def test_with_one_message_id_for_all() -> None:
    messages = dict(distinct())
    assert len(messages) > 80
    assert {message.provider_id for message in messages.values()} == {"<one@example.com>"}
    assert len({event_id(message) for message in messages.values()}) == len(messages)


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_the_transport_do_not_change_the_id(name: str) -> None:
    raw = with_id(raw_of(name), b"<one@example.com>")
    first = len(raw.partition(b"\n")[0]) + 1 if raw.startswith(b"From ") else 0
    passed_on = raw[:first] + b"Received: from a by b; Mon, 3 Nov 2025 10:12:00 +0700\r\n" + raw[first:]
    assert event_id(read(passed_on)) == event_id(read(raw))
