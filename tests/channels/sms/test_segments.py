"""How texts are counted and cut (3GPP TS 23.038, TS 23.040)."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.segments import BASIC, EXTENSION, fits_one, from_gsm, measure, split, to_gsm


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "gsm", 0, 1),
        ("a" * 160, "gsm", 160, 1),
        ("a" * 161, "gsm", 161, 2),
        ("a" * 306, "gsm", 306, 2),
        ("a" * 307, "gsm", 307, 3),
        ("@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà\n\r_", "gsm", 44, 1),
        ("€" * 80, "gsm", 160, 1),
        ("€" * 81, "gsm", 162, 2),
        ("[{~^|}]\\", "gsm", 16, 1),
        ("a" * 152 + "€" + "a" * 10, "gsm", 164, 2),
        ("a" * 152 + "€" + "a" * 151, "gsm", 305, 2),
        # an escape pair that would straddle the end of a segment moves whole into the next
        ("a" * 152 + "€" + "a" * 152, "gsm", 306, 3),
        ("ç", "ucs2", 1, 1),
        ("`", "ucs2", 1, 1),
        ("ж" * 70, "ucs2", 70, 1),
        ("ж" * 71, "ucs2", 71, 2),
        ("ж" * 134, "ucs2", 134, 2),
        ("ж" * 135, "ucs2", 135, 3),
        ("🌊", "ucs2", 2, 1),
        ("🌊" * 35, "ucs2", 70, 1),
        ("🌊" * 36, "ucs2", 72, 2),
        # 33 pairs in 67 units, one left over
        ("🌊" * 67, "ucs2", 134, 3),
        ("a" * 69 + "🌊", "ucs2", 71, 2),
    ],
    ids=lambda value: value[:12] + f"… {len(value)}" if isinstance(value, str) and len(value) > 12 else repr(value),
)
def test_measure(text: str, encoding: str, units: int, count: int) -> None:
    found = measure(text)
    assert (found.encoding, found.units, found.count) == (encoding, units, count)
    assert fits_one(text) is (count == 1)


def test_the_alphabet_is_the_standard_s() -> None:
    """Places that are easily shifted by one, from the table of TS 23.038 section 6.2.1."""
    places = {0x00: "@", 0x02: "$", 0x0A: "\n", 0x0D: "\r", 0x10: "Δ", 0x11: "_", 0x1F: "É", 0x20: " ", 0x24: "¤"}
    places |= {0x40: "¡", 0x41: "A", 0x5A: "Z", 0x5B: "Ä", 0x5F: "§", 0x60: "¿", 0x61: "a", 0x7A: "z", 0x7F: "à"}
    assert {code: BASIC[code] for code in places} == places
    assert len(BASIC) == len(set(BASIC)) == 128


def test_from_gsm() -> None:
    assert from_gsm(bytes(range(0x1B))) == BASIC[:0x1B]
    assert from_gsm(b"".join(bytes((0x1B, code)) for code in EXTENSION)) == "".join(EXTENSION.values())
    assert from_gsm(b"\x1ba\x1b") == "a"  # no such extension: the default alphabet's; an escape at the end is nothing
    assert from_gsm(b"\x80") == "\ufffd"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Siap” – ‘ya’ — diterima…", "\"Siap\" - 'ya' - diterima..."),
        ("482\u00a0913\u202f7065", "482 913 7065"),
        ("a\u200bb\u00adc\ufeff", "abc"),
        ("• satu\t× dua", "- satu x dua"),
        ("café 🌊 à", "café 🌊 à"),
    ],
)
def test_to_gsm(text: str, plain: str) -> None:
    assert to_gsm(text) == plain


def test_typography_does_not_cost_a_segment() -> None:
    text = "Laporan Anda telah kami terima – terima kasih. “Nomor” Anda: 482 913 7065…"
    assert not fits_one(text)
    assert fits_one(to_gsm(text))


GSM = st.text(alphabet=st.sampled_from(sorted(set(BASIC) - {"\x1b"}) + sorted(EXTENSION.values())), max_size=700)
UNICODE = st.text(max_size=300)
SIGNS = [
    "🌊",
    "é",
    "e\u0301",
    "👨‍👩‍👧‍👦",
    "🇮🇩",
    "👍🏽",
    "1️⃣",
    " ",
    "a",
    "\r\n",
    "नि",
    "🏴\U000e0067\U000e0062\U000e007f",
]
GRAPHEMES = st.lists(st.sampled_from(SIGNS), max_size=80).map("".join)
TEXTS = GSM | UNICODE | GRAPHEMES


@given(TEXTS)
def test_measure_agrees_with_a_simple_count(text: str) -> None:
    """Counted another way: by encoding, and between the bounds that packing leaves."""
    if all(char in BASIC.replace("\x1b", "") or char in EXTENSION.values() for char in text):
        units, single, joined = len(text) + sum(text.count(char) for char in EXTENSION.values()), 160, 153
    else:
        units, single, joined = len(text.encode("utf-16-be")) // 2, 70, 67
    found = measure(text)
    assert found.units == units
    if units <= single:
        assert found.count == 1
    else:
        assert math.ceil(units / joined) <= found.count <= math.ceil(units / (joined - 1))


@given(TEXTS, st.integers(1, 10))
def test_split(text: str, segments: int) -> None:
    pieces = split(text, segments)
    assert "".join(pieces) == text
    assert all(measure(piece).count <= segments for piece in pieces)
    assert all(pieces) or pieces == [""]
    for piece in pieces:
        piece.encode("utf-16-be")  # no half of a surrogate pair


@given(GRAPHEMES)
def test_split_keeps_signs_whole(text: str) -> None:
    for after in split(text)[1:]:
        assert not unicodedata.category(after[0]).startswith("M")
        assert after[0] not in "\u200d\ufe0f\n\U0001f3fd\U000e0067"
    flags = "🇮🇩" * 60
    assert all(len(piece) % 2 == 0 for piece in split(flags))


def test_split_prefers_blanks() -> None:
    text = "Nomor laporan Anda 482 913 7065. " * 8
    pieces = split(text)
    assert len(pieces) > 1
    assert all(piece.endswith(" ") for piece in pieces)


def test_a_sign_longer_than_a_segment_is_cut_between_its_characters() -> None:
    zalgo = "a" + "\u0301" * 500
    assert "".join(split(zalgo)) == zalgo
    assert all(fits_one(piece) for piece in split(zalgo))


def test_split_takes_no_more_pieces_than_needed() -> None:
    assert [len(piece) for piece in split("a" * 400)] == [160, 160, 80]
    assert [len(piece) for piece in split("a" * 4000, 10)] == [1530, 1530, 940]
