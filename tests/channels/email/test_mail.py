"""One mail into one message: its parts, its people, its place in a thread, and what bounds the work."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from channels.base import Thread
from channels.email.body import MAX_FILES
from channels.email.mail import MAX_THREAD, Reading, delivery_of, our_message_id, part_bytes
from channels.errors import Refused
from normalizer.identity import event_id, fingerprint
from tests.channels.email.letters import OURS, READING, letter, multi, nested, part, read

PLAIN = part("Jalan rusak.", "Content-Type: text/plain; charset=utf-8")
HTML = part("<p>Jalan <b>rusak</b> &amp; gelap.</p>", "Content-Type: text/html; charset=utf-8")
PHOTO = part(
    b64encode(b"\xff\xd8foto"),
    "Content-Type: image/jpeg; name=foto.jpg",
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment; filename=foto.jpg",
)
INLINE = part(
    b64encode(b"\x89PNG"),
    "Content-Type: image/png",
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: inline",
    "Content-ID: <1>",
)
FORWARDED = part(letter("Lampu mati.", "Subject: Lampu", sender="tetangga@example.com"), "Content-Type: message/rfc822")


def test_a_plain_mail() -> None:
    raw = letter("Jalan rusak.\n\nTolong.\n", "Date: Mon, 3 Nov 2025 10:12:00 +0700")
    message = read(raw)
    assert message.kind == "message"
    assert (message.sender.address, message.sender.kind, message.sender.display_name) == (
        "budi@example.com",
        "email",
        "Budi Santoso",
    )
    assert message.recipient == OURS
    assert message.provider_id == "<1@example.com>"
    assert message.sent_at == datetime(2025, 11, 3, 3, 12, tzinfo=UTC)
    assert (message.subject, message.text, message.quoted) == ("Jalan", "Jalan rusak.\n\nTolong.", "")
    assert message.thread == Thread(conversation="<1@example.com>")
    assert (message.attachments, message.automated) == ((), "")
    assert (message.raw, message.raw_type) == (raw, "message/rfc822")


SHAPES = {
    "html alone": (multi("mixed", HTML), "Jalan rusak & gelap.", []),
    "alternative": (multi("alternative", PLAIN, HTML), "Jalan rusak.", []),
    "alternative, html first": (multi("alternative", HTML, PLAIN), "Jalan rusak.", []),
    "alternative, blank text": (multi("alternative", part(" \n\n", "Content-Type: text/plain"), HTML), "Jalan rusak & gelap.", []),
    "mixed": (multi("mixed", PLAIN, PHOTO), "Jalan rusak.", ["foto.jpg"]),
    "mixed, two texts": (multi("mixed", PLAIN, PHOTO, part("Tolong.")), "Jalan rusak.\n\nTolong.", ["foto.jpg"]),
    "mixed, one text twice": (multi("mixed", PLAIN, PLAIN), "Jalan rusak.", []),
    "related": (multi("related", HTML, INLINE), "Jalan rusak & gelap.", ["part-2.png"]),
    "pictures alone": (multi("mixed", PHOTO, INLINE), "", ["foto.jpg", "part-2.png"]),
    "outlook": (
        multi("mixed", nested("related", nested("alternative", PLAIN, HTML, boundary="c"), INLINE, boundary="b"), PHOTO),
        "Jalan rusak.",
        ["part-5.png", "foto.jpg"],
    ),
    "apple": (
        multi("alternative", PLAIN, nested("mixed", HTML, PHOTO, HTML, boundary="b")),
        "Jalan rusak.",
        ["foto.jpg"],
    ),
    "an attached text": (
        multi("mixed", PLAIN, part("isi", "Content-Type: text/plain", "Content-Disposition: attachment; filename=a.txt")),
        "Jalan rusak.",
        ["a.txt"],
    ),
    "an attached text alone": (
        multi("mixed", part("isi", "Content-Type: text/plain", "Content-Disposition: attachment; filename=a.txt")),
        "isi",
        ["a.txt"],
    ),
    "a forwarded mail": (multi("mixed", PLAIN, FORWARDED), "Jalan rusak.", ["Lampu.eml"]),
    "a forwarded mail alone": (multi("mixed", FORWARDED), "Lampu\n\nLampu mati.", ["Lampu.eml"]),
    "signed": (multi("signed", PLAIN, part("x", "Content-Type: application/pgp-signature; name=s.asc")), "Jalan rusak.", ["s.asc"]),
    "a boundary that begins another": (
        multi("mixed", nested("alternative", PLAIN, boundary="=_batas_2"), PHOTO),
        "Jalan rusak.",
        ["foto.jpg"],
    ),
    "the same boundary within": (multi("mixed", nested("mixed", PLAIN, boundary="=_batas"), PHOTO), "Jalan rusak.", ["foto.jpg"]),
    "a part without fields": (multi("mixed", part("Jalan rusak.")), "Jalan rusak.", []),
    "an empty multipart": (multi("mixed"), "", []),
}  # fmt: skip


@pytest.mark.parametrize(("body", "text", "files"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes(body: tuple[bytes, str], text: str, files: list[str]) -> None:
    message = read(letter(*body))
    assert message.text == text
    assert [file.name for file in message.attachments] == files


BROKEN = {
    "never closed": letter(multi("mixed", PLAIN, PHOTO)[0].rpartition(b"--=_batas--")[0], multi("mixed")[1]),
    "boundary not told": letter(multi("mixed", PLAIN, PHOTO)[0], "Content-Type: multipart/mixed"),
    "another boundary told": letter(multi("mixed", PLAIN, PHOTO)[0], "Content-Type: multipart/mixed; boundary=lain"),
    "no content type": letter(multi("mixed", PLAIN, PHOTO)[0]),
    "two content types": letter(multi("mixed", PLAIN, PHOTO)[0], multi("mixed")[1] + "\r\nContent-Type: text/plain"),
    "parts after the end": letter(multi("mixed", PLAIN)[0] + multi("mixed", PHOTO)[0], multi("mixed")[1]),
    "bare LF": letter(*multi("mixed", PLAIN, PHOTO)).replace(b"\r\n", b"\n"),
    "bare CR": letter(*multi("mixed", PLAIN, PHOTO)).replace(b"\r\n", b"\r"),
    "empty lines in front": b"\r\n\r\n" + letter(*multi("mixed", PLAIN, PHOTO)),
    "an mbox line in front": b"From budi Mon Nov  3 10:12:00 2025\r\n" + letter(*multi("mixed", PLAIN, PHOTO)),
    "a broken line in the header": b"ini bukan tajuk\r\n" + letter(*multi("mixed", PLAIN, PHOTO)),
    "a broken line in mid header": letter(*multi("mixed", PLAIN, PHOTO)).replace(b"\r\nSubject:", b"\r\nquite wrong\r\nSubject:"),
}  # fmt: skip


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_broken_shapes(raw: bytes) -> None:
    message = read(raw)
    assert message.sender.address == "budi@example.com"
    assert message.subject == "Jalan"
    assert message.text == "Jalan rusak."
    assert [file.name for file in message.attachments] == ["foto.jpg"]


TRANSFERS = {
    "base64": ("base64", b64encode(b"Jalan rusak.")),
    "base64 in lines": ("BASE64", b"SmFsYW4g\r\ncnVzYWsu\r\n"),
    "base64 without its end": ("base64", b64encode(b"Jalan rusak. ").rstrip(b"=")),
    "base64 with garbage": ("base64", b"Sm!!Fs\x00YW4 gcn*Vz\xffYWsu"),
    "quoted-printable": ("quoted-printable", b"Jalan=20ru=\r\nsak."),
    "quoted-printable, broken": ("Quoted-Printable;", b"Jalan=20rusak.="),
    "7-bit": ("7-bit", b"Jalan rusak."),
    "nonsense": ("amazing", b"Jalan rusak."),
    "empty": ("", b"Jalan rusak."),
    "uuencode, empty lines": ("uuencode", b"\r\nbegin 644 a.txt\r\n\r\n,2F%L86X@<G5S86LN\r\n\r\nend\r\n"),
    "uuencode": ("x-uuencode", b"begin 644 a.txt\r\n,2F%L86X@<G5S86LN\r\n`\r\nend\r\n"),
}


@pytest.mark.parametrize(("encoding", "body"), TRANSFERS.values(), ids=TRANSFERS.keys())
def test_transfer_encodings(encoding: str, body: bytes) -> None:
    assert read(letter(body, f"Content-Transfer-Encoding: {encoding}")).text == "Jalan rusak."


def test_flowed_lines_are_joined() -> None:
    body = "Jalan \nrusak.\n> satu \n> dua\n-- \nBudi"
    message = read(letter(body, "Content-Type: text/plain; format=flowed", "In-Reply-To: <0@example.com>"))
    assert message.text == "Jalan rusak."
    assert message.quoted == "> satu dua\n-- \nBudi"
    deleted = read(letter("kata \nkata", "Content-Type: text/plain; format=flowed; delsp=yes"))
    assert deleted.text == "katakata"


MARKUP = {
    "gmail id": (
        ('<div dir="ltr">Masih rusak.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">Pada Sen, 3 Nov 2025 '
        'pukul 10.12 LAPOR &lt;<a href="mailto:x">lapor@example.go.id</a>&gt; menulis:<br></div><blockquote '
        'class="gmail_quote" style="border-left:1px solid">Nomor 482</blockquote></div>'),
        "Masih rusak.",
        "Nomor 482",
    ),
    "outlook": (
        ('<p>Masih rusak.</p><div id="divRplyFwdMsg"><hr><b>Dari:</b> LAPOR &lt;lapor@example.go.id&gt;<br><b>Dikirim:</b> Senin, '
        "03 November 2025 10.12<br><b>Kepada:</b> Budi<br><b>Perihal:</b> RE</div><div>Nomor 482</div>"),
        "Masih rusak.",
        "Nomor 482",
    ),
    "apple": (
        ('<div>Masih rusak.</div><blockquote type="cite"><div>Pada 3 Nov 2025, pukul 10.12, LAPOR menulis:</div><div>Nomor 482</div>'
        "</blockquote>"),
        "Masih rusak.",
        "Nomor 482",
    ),
    "yahoo": (
        ('<div>Masih rusak.</div><div class="yahoo_quoted"><div>Pada Senin, 3 November 2025 pukul 10.12.00 WIB, LAPOR '
        "&lt;lapor@example.go.id&gt; menulis: </div><div>Nomor 482</div></div>"),
        "Masih rusak.",
        "Nomor 482",
    ),
    "answers between": (
        "<blockquote type=cite>Di mana?<br>Sejak kapan?</blockquote>Jalan Merdeka<blockquote type=cite>Nomor 482</blockquote>",
        "Jalan Merdeka",
        "Nomor 482",
    ),
    "forward without a word": (
        ('<div class="gmail_quote">---------- Forwarded message ---------<br>Dari: Ani &lt;ani@example.com&gt;<br>Date: Sen, 3 Nov '
        "2025<br><br>Lampu mati.</div>"),
        "Lampu mati.",
        "",
    ),
    "an indent is no quote": ("<p>Jalan</p><blockquote style='margin:0 0 0 40px'>rusak parah</blockquote>", "rusak parah", ""),
}  # fmt: skip


@pytest.mark.parametrize(("html", "own", "quoted"), MARKUP.values(), ids=MARKUP.keys())
def test_quotes_in_html(html: str, own: str, quoted: str) -> None:
    message = read(letter(html, "Content-Type: text/html"))
    assert own in message.text
    assert quoted in message.quoted
    if quoted:
        assert quoted not in message.text
        assert own not in message.quoted


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<style>p{}</style><script>x()</script><title>t</title><p>Jalan</p>", "Jalan"),
        ("<p>satu<br>dua</p><p>tiga</p>", "satu\ndua\n\ntiga"),
        (
            "<table><tr><td>Nama</td><td>Budi</td></tr><tr><td>Desa</td><td>Suka</td></tr></table>",
            "Nama Budi\nDesa Suka",
        ),
        ("<p>Jalan<p style='display:none'>rahasia", "Jalan"),
        ("<div>" * 1000 + "Jalan" + "</div>" * 1000, "Jalan"),
        ("<p style='padding-left:99999em;margin-top:99999em'>Jalan", "Jalan"),
        ("Jalan &lt;rusak&gt; < 5 m", "Jalan <rusak> < 5 m"),
        ("<p>\x00Jalan\x01</p>", "Jalan"),
        ("", ""),
        ("<!-- nothing -->", ""),
        ('<?xml version="1.0" encoding="utf-16"?><html><body>Jalan</body></html>', "Jalan"),
    ],
    ids=[
        "hidden elements",
        "breaks",
        "table",
        "hidden by style",
        "deep",
        "vast",
        "entities",
        "controls",
        "empty",
        "comment",
        "xml",
    ],
)
def test_html(html: str, text: str) -> None:
    assert read(letter(html, "Content-Type: text/html")).text.replace("\x01", "") == text


SENDERS = [
    ("budi@example.com", "budi@example.com", ""),
    ("Budi <BUDI@Example.COM>", "budi@example.com", "Budi"),
    ('"Santoso, Budi" <budi@example.com>', "budi@example.com", "Santoso, Budi"),
    ("=?utf-8?q?Bud=C3=AD?= <budi@example.com>", "budi@example.com", "Budí"),
    ('"=?utf-8?q?Bud=C3=AD?=" <budi@example.com>', "budi@example.com", "Budí"),
    ("=?utf-8?q?Budi_=3Cbudi=40example=2Ecom=3E?=", "budi@example.com", "Budi"),
    ("budi@example.com (Budi)", "budi@example.com", "Budi"),
    ("Budi (((((x) <budi@example.com>", "budi@example.com", ""),
    ("Warga: ani@example.com, budi@example.com;", "ani@example.com", ""),
    ("Ani <ani@example.com>, Budi <budi@example.com>", "ani@example.com", "Ani"),
    ("salah, Budi <budi@example.com>", "budi@example.com", "Budi"),
    ("<@relay.example.com:budi@example.com>", "budi@example.com", ""),
    ("Budi <mailto:budi@example.com>", "budi@example.com", "Budi"),
    ("Budi < budi @ example.com >", "budi@example.com", "Budi"),
    ("Budi <budi@example.com", "budi@example.com", "Budi"),
    ("Budi budi@example.com", "budi@example.com", ""),
    ("'budi@example.com'", "budi@example.com", ""),
    ("Budi <budi@bücher.example>", "budi@xn--bcher-kva.example", "Budi"),
    ("Budi <budi@xn--bcher-kva.example>", "budi@xn--bcher-kva.example", "Budi"),
    ("Budi <budi@BÜCHER.example>", "budi@xn--bcher-kva.example", "Budi"),
    ("budi@example.com.", "budi@example.com", ""),
    ("Budi <budi@[192.0.2.1]>", "budi@[192.0.2.1]", "Budi"),
    ("budi@example.com <budi@example.com>", "budi@example.com", ""),
]


@pytest.mark.parametrize(("said", "address", "name"), SENDERS, ids=[said for said, *_ in SENDERS])
def test_senders(said: str, address: str, name: str) -> None:
    sender = read(letter(sender=said)).sender
    assert (sender.address, sender.kind) == (address, "email")
    if name:
        assert sender.display_name == name


@pytest.mark.parametrize(
    ("fields", "envelope", "address"),
    [
        (["Sender: ani@example.com", "Reply-To: x@example.com"], None, "ani@example.com"),
        (["Return-Path: <ani@example.com>", "Reply-To: x@example.com"], None, "ani@example.com"),
        (["Reply-To: x@example.com"], "Ani@Example.com", "ani@example.com"),
    ],
    ids=["Sender", "Return-Path", "envelope"],
)
@pytest.mark.parametrize("origin", [None, "Budi", "<>", "@", "budi@", "a b c d"])
def test_where_from_names_nobody(fields: list[str], envelope: str | None, address: str, origin: str | None) -> None:
    reading = Reading(own_addresses=frozenset(), envelope_from=envelope)
    assert read(letter("x", *fields, sender=origin), reading).sender.address == address


def test_nobody_at_all_is_a_sender_of_its_own() -> None:
    first = read(letter("x", "Reply-To: x@example.com", sender="Budi"))
    other = read(letter("x", "Message-ID: <2@example.com>", sender="Budi"))
    assert first.sender.kind == "unknown"
    assert first.sender.address.startswith("unknown-")
    assert first.sender.display_name == "Budi"
    assert first.sender == read(letter("x", sender="Budi")).sender
    assert first.sender.address != other.sender.address


@pytest.mark.parametrize(
    ("fields", "recipient"),
    [
        (["To: lain@example.com"], "lain@example.com"),
        (["To: lain@example.com", f"Cc: LAPOR <{OURS.upper()}>"], OURS),
        (["To: undisclosed-recipients:;", f"Delivered-To: {OURS}"], OURS),
        (["To: undisclosed-recipients:;"], ""),
    ],
    ids=["another's", "ours in Cc", "ours behind a list", "none"],
)
def test_recipients(fields: list[str], recipient: str) -> None:
    assert read(letter("x", *fields)).recipient == recipient


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Mon, 3 Nov 2025 10:12:00 +0700", datetime(2025, 11, 3, 3, 12, tzinfo=UTC)),
        ("3 Nov 2025 10:12 -0000", datetime(2025, 11, 3, 10, 12, tzinfo=UTC)),
        ("Mon, 3 Nov 2025 10:12:00 GMT (WIB)", datetime(2025, 11, 3, 10, 12, tzinfo=UTC)),
        ("kemarin", None),
        ("", None),
        ("Mon, 33 Nov 2025 10:12:00 +0700", None),
        ("Mon, 3 Nov 2025 10:12:00 +9999999999", None),
        ("Mon, 3 Nov 99999 10:12:00 +0700", None),
        ("3 Nov 3609 10:12 +0000", None),
    ],
)
def test_dates(said: str, expected: datetime | None) -> None:
    assert read(letter("x", f"Date: {said}")).sent_at == expected


def test_a_date_ahead_of_ours_is_none() -> None:
    at = datetime(2025, 11, 3, 3, 12, tzinfo=UTC)
    raw = letter("x", "Date: Mon, 3 Nov 2025 10:12:00 +0700")
    assert read(raw, Reading(frozenset(), received_at=at - timedelta(hours=23))).sent_at == at
    assert read(raw, Reading(frozenset(), received_at=at - timedelta(hours=25))).sent_at is None


THREADS = [
    ([], (), "<1@example.com>"),
    (["In-Reply-To: <a@x>"], ("<a@x>",), "<a@x>"),
    (["References: <a@x> <b@x>\r\n <c@x>"], ("<c@x>", "<b@x>", "<a@x>"), "<a@x>"),
    (["References: <a@x> <b@x>", "In-Reply-To: <b@x>"], ("<b@x>", "<a@x>"), "<a@x>"),
    (["References: <a@x> <b@x>", "In-Reply-To: <a@x>"], ("<a@x>", "<b@x>"), "<a@x>"),
    (["In-Reply-To: Your mail of Monday <a@x>"], ("<a@x>",), "<a@x>"),
    (["References: <a@x><b@x>,salah <1@example.com> <>"], ("<b@x>", "<a@x>"), "<a@x>"),
    (["References: <a\r\n @x>"], ("<a@x>",), "<a@x>"),
]


@pytest.mark.parametrize(("fields", "replies_to", "conversation"), THREADS)
def test_threads(fields: list[str], replies_to: tuple[str, ...], conversation: str) -> None:
    assert read(letter("x", *fields)).thread == Thread(conversation=conversation, replies_to=replies_to)


def test_a_long_thread_keeps_the_nearest_and_the_root() -> None:
    ids = " ".join(f"<{n}@x>" for n in range(1, 200))
    thread = read(letter("x", f"References: {ids}")).thread
    assert len(thread.replies_to) == MAX_THREAD
    assert (thread.replies_to[0], thread.replies_to[-1], thread.conversation) == ("<199@x>", "<1@x>", "<1@x>")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("<a@x>", "<a@x>"),
        (" \r\n <a@x>", "<a@x>"),
        ("a@x", "<a@x>"),
        ("<a@x> <b@x>", "<a@x>"),
        ("<a@x", "<a@x>"),
        ("<a b@x>", "<ab@x>"),
    ],
)
def test_message_ids(said: str, expected: str) -> None:
    assert read(letter("x", f"Message-ID: {said}")).provider_id == expected


@pytest.mark.parametrize("said", ["", "<>", " ", "<" + "a" * 5000 + "@x>"], ids=["empty", "brackets", "blank", "vast"])
def test_a_mail_without_an_id_takes_the_hash_of_its_bytes(said: str) -> None:
    raw = letter("x\n", f"Message-ID: {said}")
    expected = "sha256:" + hashlib.sha256(raw.replace(b"\r\n", b"\n").rstrip(b"\n")).hexdigest()
    assert read(raw).provider_id == expected
    assert read(raw.replace(b"\r\n", b"\n") + b"\n").provider_id == expected
    assert read(raw + b"y").provider_id != expected


def test_mails_that_share_an_id_are_different_events() -> None:
    ids = set()
    for raw in (
        letter("satu"),
        letter("dua"),
        letter("satu", "Subject: Lain"),
        letter("satu", sender="ani@example.com"),
        letter(*multi("mixed", part("satu"), PHOTO)),
        letter(*multi("mixed", part("satu"), INLINE)),
    ):
        message = read(raw)
        ids.add(
            event_id(
                instance="email",
                sender=message.sender.address,
                provider_id=message.provider_id,
                kind=message.kind,
                content=fingerprint(message),
            )
        )
    assert len(ids) == 6


@pytest.mark.parametrize("delivery", ["3f2a", "0d1f2e3c-4b5a-6978", "a.b_c"])
def test_our_own_message_ids(delivery: str) -> None:
    made = our_message_id(delivery, "example.go.id")
    assert made == f"<lapor.{delivery}@example.go.id>"
    assert delivery_of(made) == delivery


@pytest.mark.parametrize(
    "said", ["", "<a@x>", "<lapor.@x>", "<lapor.a b@x>", "<xlapor.a@x>", "lapor", "<lapor.a@x> <lapor.b@x>"]
)
def test_message_ids_of_others(said: str) -> None:
    assert delivery_of(said) == ""


NAMES = [
    ("foto.jpg", "foto.jpg"),
    ("../../etc/passwd", "passwd"),
    ("C:\\Users\\Budi\\foto.jpg", "foto.jpg"),
    ("foto\r\n\t.jpg", "foto .jpg"),
    ("..", "part-1.jpg"),
    (".htaccess", "htaccess"),
    ("CON.jpg", "_CON.jpg"),
    ("a:b*c?.jpg", "abc.jpg"),
    ("foto\u202egpj.exe", "fotogpj.exe"),
    ("x" * 300 + ".jpg", "x" * 116 + ".jpg"),
    ("", "part-1.jpg"),
    ("jalan rusak é.jpg", "jalan rusak é.jpg"),
]


@pytest.mark.parametrize(("said", "expected"), NAMES, ids=[repr(said[:30]) for said, _ in NAMES])
def test_names_are_made_safe(said: str, expected: str) -> None:
    name = "".join(f"%{byte:02X}" for byte in said.encode())
    body = multi(
        "mixed", part("x", "Content-Type: image/jpeg", f"Content-Disposition: attachment; filename*=utf-8''{name}")
    )
    assert [file.name for file in read(letter(*body)).attachments] == [expected]


@pytest.mark.parametrize(
    "field",
    [
        "filename=fotó.jpg",
        'filename="fotó.jpg"',
        "filename*=utf-8''fot%C3%B3.jpg",
        "filename*0=fot; filename*1=ó.jpg",
        "filename*0*=utf-8''fot%C3; filename*1*=%B3.jpg",
        "filename*1=.jpg; filename*0*=iso-8859-1''fot%F3",
        'filename="=?utf-8?q?fot=C3=B3.jpg?="',
        "filename==?utf-8?q?fot=C3=B3.jpg?=",
        'filename="fotó.jpg',
    ],
)
def test_names_in_every_spelling(field: str) -> None:
    body = multi("mixed", part("x", "Content-Type: image/jpeg", f"Content-Disposition: attachment; {field}"))
    assert [file.name for file in read(letter(*body)).attachments] == ["fotó.jpg"]


def test_files_are_described_and_fetched() -> None:
    raw = letter(*multi("mixed", PLAIN, PHOTO, FORWARDED))
    photo, forwarded = read(raw).attachments
    content = b"\xff\xd8foto"
    assert (photo.media_type, photo.size, photo.reference) == ("image/jpeg", len(content), "part:2")
    assert photo.sha256 == hashlib.sha256(content).hexdigest()
    assert part_bytes(raw, photo.reference) == content
    assert forwarded.media_type == "message/rfc822"
    assert part_bytes(raw, forwarded.reference).endswith(b"Lampu mati.")


@pytest.mark.parametrize(
    "reference", ["", "part:", "part:-1", "part:9", "part:x", "part:1٢", "part:99999999999", "file:1", "2"]
)
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    with pytest.raises(Refused) as refused:
        part_bytes(letter(*multi("mixed", PLAIN, PHOTO)), reference)
    assert refused.value.reason == "no_such_part"


def deep(count: int) -> bytes:
    inner = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(count))
    return b"From: budi@example.com\r\n" + inner + b"\r\nJalan rusak."


def test_a_thousand_nested_parts() -> None:
    message = read(deep(1000))
    assert (message.sender.address, message.text) == ("budi@example.com", "Jalan rusak.")


def test_two_thousand_forwarded_mails_in_one_another() -> None:
    message = read(b"From: budi@example.com\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2000 + b"\r\nJalan rusak.")
    assert message.text == "Jalan rusak."


def test_ten_thousand_files_are_listed_up_to_a_bound() -> None:
    message = read(letter(*multi("mixed", PLAIN, *[PHOTO] * 10_000)))
    assert message.text == "Jalan rusak."
    assert len(message.attachments) == MAX_FILES


def test_an_attachment_of_50_mb() -> None:
    content = bytes(range(256)) * 200_000
    photo = part(b64encode(content), "Content-Type: image/jpeg", "Content-Transfer-Encoding: base64")
    raw = letter(*multi("mixed", PLAIN, photo))
    (file,) = read(raw).attachments
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert part_bytes(raw, file.reference) == content


HOSTILE = {
    "fields": b"a:\n" * 200_000 + letter("x"),
    "one long field": b"X: " + b"a" * 3_000_000 + b"\r\n" + letter("x"),
    "comments": letter("x", "From: " + "(" * 50_000),
    "quotes": letter("x", 'Content-Type: text/plain; a="' + '\\"' * 50_000),
    "semicolons": letter("x", "Content-Type: text/plain" + ";" * 50_000),
    "encoded words": letter("x", "Subject: " + "=?x?q?" * 50_000),
    "references": letter("x", "References: " + "<a@x>\r\n " * 50_000 + "<b@x>"),
    "boundaries": letter(b"--\n" * 300_000, "Content-Type: multipart/mixed; boundary=x"),
    "almost boundaries": letter(b"--x1\n" * 300_000 + b"--x\n\nx", "Content-Type: multipart/mixed; boundary=x"),
    "quoted lines": letter(">" * 100_000 + "\n" + "> x\n" * 50_000),
    "attributions": letter("On 3 Nov 2025\n" * 20_000),
    "heads": letter("From: a@x\n" * 20_000),
    "signatures": letter("-- \n" * 20_000),
    "empty lines": letter("Jalan\n" + "\n" * 200_000 + "rusak."),
    "blanks": letter(" " * 500_000),
    "tags": letter("<" * 300_000, "Content-Type: text/html"),
    "blockquotes": letter("<blockquote " * 30_000, "Content-Type: text/html"),
    "tables": letter("<table><tr><td>" * 20_000, "Content-Type: text/html"),
    "NUL": b"\x00" * 500_000,
    "CR": b"\r" * 500_000,
    "nothing": b"",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_work_is_bounded(raw: bytes) -> None:
    # What takes more than linear time here would take hours, and the suite's own limit would end it.
    message = read(raw)
    assert message.raw == raw
    assert message.sender.address


def test_own_addresses_come_from_the_reading() -> None:
    raw = letter(sender=OURS)
    assert read(raw, READING).automated == "own_address"
    assert read(raw, Reading(frozenset())).automated == ""
