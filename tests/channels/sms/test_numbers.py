"""Who an SMS is from: E.164, short codes, words, and everything else."""

from __future__ import annotations

import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.numbers import MAX_ADDRESS, canonical

MOBILE = "+6281234567890"


@pytest.mark.parametrize(
    "written",
    [
        "081234567890",
        "6281234567890",
        "+6281234567890",
        "81234567890",
        "+62 812-3456-7890",
        "0812 3456 7890",
        "(0812) 3456.7890",
        "62-812-3456-7890",
        "+62081234567890",
        "006281234567890",
        " 6281234567890",
        "tel:+62-812-3456-7890",
        "０８１２３４５６７８９０",
        "0812\u00a03456\u00a07890",
        "0812\u20133456\u20137890",
    ],
)
def test_an_indonesian_mobile_however_it_is_written(written: str) -> None:
    assert (canonical(written).address, canonical(written).kind) == (MOBILE, "phone")


@pytest.mark.parametrize(
    ("written", "address", "kind"),
    [
        ("0811234567", "+62811234567", "phone"),  # the shortest mobile, 9 digits after the zero
        ("0812345678901", "+62812345678901", "phone"),  # the longest, 12
        ("08411234567", "+628411234567", "phone"),  # a prefix that is not in use yet, behind a trunk zero
        ("0215201590", "+62215201590", "phone"),  # a landline in Jakarta
        ("+62215201590", "+62215201590", "phone"),
        ("62215201590", "+62215201590", "phone"),
        ("+60123456789", "+60123456789", "phone"),
        ("60123456789", "+60123456789", "phone"),
        ("+6591234567", "+6591234567", "phone"),
        ("0060123456789", "+60123456789", "phone"),
        ("+14155552671", "+14155552671", "phone"),
        ("1708", "1708", "short_code"),
        ("+1708", "1708", "short_code"),
        ("112", "112", "short_code"),
        ("363636", "363636", "short_code"),
        ("17 08", "1708", "short_code"),
        ("TELKOMSEL", "TELKOMSEL", "alphanumeric"),
        ("Info Bank", "Info Bank", "alphanumeric"),
        ("3Indonesia", "3Indonesia", "alphanumeric"),
        ("Ünited", "Ünited", "alphanumeric"),
        ("12", "12", "unknown"),
        ("1500888", "+621500888", "phone"),  # a company's number, dialled without an area code
        ("+0", "+0", "unknown"),
        ("???", "???", "unknown"),
        ("", "", "unknown"),
        ("   ", "", "unknown"),
        ("\x00\x01", "", "unknown"),
        ("99999999999999999999", "99999999999999999999", "unknown"),
        ("081234567890,081234567891", "081234567890,081234567891", "unknown"),
    ],
)
def test_others(written: str, address: str, kind: str) -> None:
    assert (canonical(written).address, canonical(written).kind) == (address, kind)


@pytest.mark.parametrize(
    ("written", "national", "international"),
    [
        ("819012345678", "+62819012345678", "+819012345678"),  # Japan
        ("85291234567", "+6285291234567", "+85291234567"),  # Hong Kong
        ("821012345678", "+62821012345678", "+821012345678"),  # Korea
        ("6281234567890", MOBILE, MOBILE),
        ("081234567890", MOBILE, MOBILE),
        ("+819012345678", "+819012345678", "+819012345678"),
    ],
)
def test_bare_digits_are_read_as_the_provider_writes_them(written: str, national: str, international: str) -> None:
    assert canonical(written).address == national
    assert canonical(written, international=True).address == international


def test_another_home_country() -> None:
    assert canonical("012-345 6789", "MY").address == "+60123456789"
    assert canonical("081234567890", "MY").kind == "unknown"
    assert canonical("6281234567890", "MY").address == MOBILE


def test_long_garbage_is_cut_but_stays_distinct() -> None:
    one, other = canonical("?" * 500), canonical("?" * 501)
    assert len(one.address) <= MAX_ADDRESS
    assert one.address != other.address


@given(st.from_regex(r"8[1-35-9][0-9]{7,10}", fullmatch=True), st.sampled_from(["0", "62", "+62", "", "+62 ", "0-"]))
def test_the_fast_path_agrees_with_phonenumbers(national: str, prefix: str) -> None:
    parsed = phonenumbers.parse(f"+62{national}")
    assert phonenumbers.is_valid_number(parsed)
    expected = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    assert canonical(prefix + national).address == expected


@given(st.text(alphabet=st.characters(), max_size=80), st.sampled_from(["ID", "MY", "XX"]), st.booleans())
def test_nothing_raises_and_what_is_canonical_stays(written: str, home: str, international: bool) -> None:
    sender = canonical(written, home, international=international)
    sender.address.encode()
    assert sender.address.isprintable()
    assert canonical(sender.address, home, international=international) == sender


@given(st.from_regex(r"\+?[0-9]{1,16}", fullmatch=True), st.booleans())
def test_digits_that_are_canonical_stay(written: str, international: bool) -> None:
    sender = canonical(written, international=international)
    assert canonical(sender.address, international=international) == sender


def test_phonenumbers_is_not_loaded_for_indonesian_mobiles() -> None:
    code = (
        "import sys; from channels.sms.numbers import canonical; canonical('081234567890'); canonical('1708');"
        "canonical('TELKOMSEL'); sys.exit('phonenumbers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
