"""What logs may show: tables of what is hidden and of what stays, and phones that nothing lets through."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.redaction import mask_address, mask_email, mask_phone, scrub

HIDDEN = [
    # phones
    ("+6281234567890", "+62812•••••90"),
    ("6281234567890", "62812•••••90"),
    ("081234567890", "0812•••••90"),
    ("from +62 812-3456-7890, again", "from +62812•••••90, again"),
    ("0812.3456.7890", "0812•••••90"),
    ("0812 / 3456 / 7890", "0812 / 3456 / 7890"),
    ("(021) 555-1234", "(0215•••••34"),
    ("+1 (415) 555-0123", "+141•••••23"),
    ("006281234567890", "0062•••••90"),
    ("from=%2B6281234567890&to=1708", "from=%2B62812•••••90&to=1708"),
    ("hp081234567890ok", "hp0812•••••90ok"),
    ("٠٨١٢٣٤٥٦٧٨٩٠", "0812•••••90"),
    ("０８１２３４５６７８９０", "0812•••••90"),
    ("447700900123", "447•••••23"),
    # an identity number
    ("3174012345678901", "317•••••01"),
    # mail addresses
    ("budi.santoso@example.go.id wrote", "b•••@example.go.id wrote"),
    ("<a@b>", "<a•••@b>"),
    ("user%40example.id", "u•••%40example.id"),
    ("%3Cuser@example.id%3E", "%•••@example.id%3E"),
    ("a" * 300 + "@example.id", "a•••@example.id"),
    ("user@[192.0.2.1]", "u•••@[192.0.2.1]"),
    # credentials in URLs
    ("imaps://lapor:hunter2@mail.example.go.id", "imaps://•••@mail.example.go.id"),
    ("https://h/x?token=hunter2&a=1", "https://h/x?token=•••&a=1"),
    ("/cgi-bin/sendsms?username=lapor&password=hunter2", "/cgi-bin/sendsms?username=lapor&password=•••"),
    ("api_key=k&api_secret=s&sig=x", "api_key=•••&api_secret=•••&sig=•••"),
    ("%3Ftoken=hunter2", "%3Ftoken=•••"),
    # credentials in headers
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: •••"),
    ("('Authorization', 'Bearer x.y.z')", "('Authorization', •••)"),
    ("authorization=Basic abc", "authorization=•••"),
    ("Bearer hunter2", "Bearer •••"),
    ("sent Basic dXNlcjpwYXNz to", "sent Basic ••• to"),
    ("X-Webhook-Token: hunter2", "X-Webhook-Token: •••"),
    ("x-telegram-bot-api-secret-token: hunter2", "x-telegram-bot-api-secret-token: •••"),
    # credentials in values shown by Python or as JSON
    ("{'password': 'hunter 2', 'a': 1}", "{'password': •••, 'a': 1}"),
    ('{"webhook_token": "hunter\\"2", "a": 1}', '{"webhook_token": •••, "a": 1}'),
    (r"{\"token\": \"hunter2\"", r"{\"token\": •••"),
    ("Settings(password='hunter2', port=1)", "Settings(password=•••, port=1)"),
    ("password = hunter2", "password = •••"),
    # a Telegram bot's token
    (
        "POST https://api.telegram.org/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/sendMessage",
        "POST https://api.telegram.org/bot•••••/sendMessage",
    ),
]


@pytest.mark.parametrize(("text", "shown"), HIDDEN, ids=[text[:40] for text, _ in HIDDEN])
def test_scrub_hides(text: str, shown: str) -> None:
    assert scrub(text) == shown
    assert scrub(shown) == shown


READABLE = [
    "",
    "message taken",
    "number 4829137065",
    "482 913 7065 and 482-913-7065",
    "1708",
    "TELKOMSEL",
    "@lapor1708 halo",
    "#lapor",
    "2026-11-22",
    "2026-11-22T00:42:38.437483+07:00",
    "2026-11-22 00:42:38,437",
    "took 0.123456789 s",
    "127.0.0.1:8080",
    "10.200.100.255",
    "[::1]:9092",
    "lapor.complaints.v1[11] at offset 123456",
    "01936f7e-1234-7abc-8123-081234567890",
    "9f86d081884c7d65",
    "9f86d081884c7d659a2f0812345678a3bf4f1b2b0b822cd15d6c15b0f00a0801",
    "1234567890123456789",
    "the token is not right",
    "bad token: expired",
    "basic information about this",
    "max_tokens=3 key=1",
    "GET /webhooks/sms/status",
    "kafka-1:9092,kafka-2:9092",
]


@pytest.mark.parametrize("text", READABLE)
def test_scrub_leaves(text: str) -> None:
    assert scrub(text) == text


# As people and providers write Indonesian mobile numbers, and others with their plus.
_gaps = st.sampled_from(["", " ", "-", ".", "- ", "\u00a0"])
_digits = st.text("0123456789", min_size=8, max_size=11)


@st.composite
def phones(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["+62", "62", "0", "0062", "+1", "+65", "+44"]))
    gap = draw(_gaps)
    digits = draw(_digits)
    groups = [digits[i : i + 4] for i in range(0, len(digits), 4)]
    # A nought standing alone is a count, and what follows it may be a tracking number.
    return prefix + ("" if prefix == "0" else gap) + gap.join(groups)


# Beside the number: other numbers, and any text that neither ends in a digit nor makes a hexadecimal id of it.
_before = st.sampled_from(
    ["2026-11-22 ", "2026-11-22T00:42:38 ", "4829137065, ", "id 01936f7e-1234-7abc-8123-081234567890 ", "a@b.id "]
) | st.text(max_size=20).filter(lambda text: not re.search(r"[\da-f]$", text))
_after = st.sampled_from([" 4829137065", "@s.whatsapp.net", ":8080"]) | st.text(max_size=20).filter(
    lambda text: not re.match(r"[\da-f]", text)
)


@given(_before, phones(), _after)
@example("", "+62 812-3456-7890", "")
@example("", "0820-10-11 12", "").via("the shape of a date")
def test_no_full_phone_survives(before: str, phone: str, after: str) -> None:
    shown = scrub(before + phone + after)
    number = re.sub(r"\D", "", phone)
    assert phone not in shown
    assert number not in re.sub(r"[^0-9]", "", shown)


@given(st.text(), st.sampled_from(["0812345678", "token=hunter2", "a@b"]), st.text())
def test_any_text_can_be_scrubbed(before: str, secret: str, after: str) -> None:
    assert scrub(f"{before} {secret} {after}") != f"{before} {secret} {after}"


@given(st.text("ghijlmnouvwxyz .,:;!?\n", max_size=60), st.integers(1000000000, 6199999999))
def test_words_and_a_tracking_number_are_left(words: str, number: int) -> None:
    assert scrub(f"{words}-{number} {words}") == f"{words}-{number} {words}"


@given(
    st.lists(
        st.sampled_from(["token=", "x", " ", "0812345678", "@", "bearer ", '"', "'", "\\", ":", "a@b", "=", "62-"])
    )
)
def test_pieces_of_secrets_in_any_order_can_be_scrubbed(pieces: list[str]) -> None:
    assert "0812345678" not in scrub("".join(pieces))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5000,
        "1" * 5000,
        "1 " * 2500,
        "=a" * 2500,
        "pass" * 1250,
        "x-" * 2500,
        "a@" * 2500,
        '"' * 5000,
        "\\" * 5000,
    ],
    ids=lambda text: f"{text[:4]}…",
)
def test_no_text_makes_scrubbing_explode(text: str) -> None:
    """A pattern that backtracks without bound would not come back from these."""
    scrub(f"{text} token=x 0812345678")


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("+6281234567890", "+62812•••••90"),
        ("6281234567890", "62812•••••90"),
        ("081234567", "081•••••67"),
        ("+6591234567", "+659•••••67"),
        ("1234567", "1•••••67"),
        ("123456", "•••••"),
        ("1708", "•••••"),
        ("", "•••••"),
        ("not a phone", "•••••"),
    ],
)
def test_mask_phone(phone: str, shown: str) -> None:
    assert mask_phone(phone) == shown


@given(st.text("0123456789+- ", max_size=30))
def test_a_masked_phone_hides_at_least_four_digits(phone: str) -> None:
    digits = re.sub(r"\D", "", phone)
    kept = re.sub(r"\D", "", mask_phone(phone))
    assert len(digits) - len(kept) >= min(4, len(digits))


@pytest.mark.parametrize(
    ("address", "shown"),
    [("budi@example.go.id", "b•••@example.go.id"), ("a@b@c.id", "a•••@c.id"), ("@c.id", "•••@c.id"), ("budi", "b•••")],
)
def test_mask_email(address: str, shown: str) -> None:
    assert mask_email(address) == shown


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        ("phone", "+6281234567890", "+62812•••••90"),
        ("email", "budi@example.go.id", "b•••@example.go.id"),
        ("short_code", "1708", "1708"),
        ("alphanumeric", "TELKOMSEL", "TELKOMSEL"),
        ("alphanumeric", "081234567890", "0812•••••90"),
        ("username", "budi_s", "b•••"),
        ("user_id", "1234567890", "•••90"),
        ("user_id", "1234", "•••"),
        ("unknown", "something", "s•••"),
    ],
)
def test_mask_address(kind: Any, address: str, shown: str) -> None:
    assert mask_address(kind, address) == shown
