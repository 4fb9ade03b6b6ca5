"""The length of a post, held against twitter-text, and cutting a text to it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twitter_text import parse_tweet  # type: ignore[import-untyped]

from channels.twitter.length import fitted, weight, without_links

NUMBER = "4829137065"
SHOWN = "482 913 7065"

# Without a dot nothing is an address; without the emoji's blocks nothing is counted as one.
plain = st.text(
    st.characters(
        exclude_categories=("Cs", "So", "Sk", "Mn", "Me", "Cf", "Co", "Cn"),
        exclude_characters=".#*0123456789©®‼⁉™",
    )
    | st.sampled_from("aé道ñ– …’あ")
)


@given(plain)
def test_the_weight_is_x_s(text: str) -> None:
    assert weight(text) == parse_tweet(text).weightedLength


@given(st.text(st.characters(codec="utf-8", exclude_characters=".") | st.sampled_from("👨‍👩‍👧🏽🇮🇩❤️")))
def test_the_weight_is_never_less_than_x_s(text: str) -> None:
    assert weight(text) >= parse_tweet(text).weightedLength


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 280, 280),
        ("道" * 140, 280),
        ("…", 2),
        ("©", 2),
        ("é", 1),
        ("a\r\nb", 3),
        ("e\u0301", 1),
        ("😡", 2),
        ("€", 2),
    ],
)
def test_some_weights(text: str, expected: int) -> None:
    assert weight(text) == parse_tweet(text).weightedLength == expected


words = st.lists(st.text("abcdefg道😡é", min_size=1, max_size=40), max_size=60).map(" ".join)


@given(words, words, st.integers(100, 300))
def test_a_cut_text_fits_and_keeps_the_number(before: str, after: str, limit: int) -> None:
    text = f"{before} {SHOWN} {after}"
    cut = fitted(text, limit, NUMBER)
    assert weight(cut) <= limit
    assert SHOWN in cut
    if weight(text) <= limit:
        assert cut == text
    else:
        assert "…" in cut


@given(words, st.integers(10, 300))
def test_a_cut_text_ends_with_a_whole_word(text: str, limit: int) -> None:
    cut = fitted(text, limit)
    assert weight(cut) <= limit
    if cut != text and " " in cut:
        assert cut.endswith("…")
        assert set(cut.removesuffix("…").split()) <= set(text.split())


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("pendek", 100, "pendek"),
        ("satu dua tiga", 10, "satu dua…"),
        ("satu dua tiga", 9, "satu…"),
        ("satuduatiga", 6, "satu…"),
        (f"Nomor {SHOWN}. Kami akan membalas segera.", 26, f"Nomor {SHOWN}. Kami…"),
        (f"Nomor {SHOWN}. Kami akan membalas segera.", 22, f"Nomor {SHOWN}.…"),
        (f"Terima kasih banyak. Nomor laporan Anda {SHOWN}", 30, f"Terima kasih… {SHOWN}"),
        (f"Terima kasih banyak. Nomor Anda {NUMBER} ya", 28, f"Terima kasih… {NUMBER}"),
    ],
)
def test_where_it_is_cut(text: str, limit: int, expected: str) -> None:
    assert fitted(text, limit, NUMBER) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tanpa tautan. Benar.", "tanpa tautan. Benar."),
        ("lihat https://lapor.go.id/a?b=c ya", "lihat ya"),
        ("lihat lapor.go.id", "lihat"),
        ("lapor.go.id", ""),
        ("pukul 10.30 di Jl. Sudirman no.5", "pukul 10.30 di Jl. Sudirman no.5"),
    ],
)
def test_a_public_reply_holds_no_link(text: str, expected: str) -> None:
    assert without_links(text) == expected


@given(
    st.lists(st.sampled_from(["a.id", "https://t.co/x", "www.", "kata", ".", "http://", "id", "b.com", " "])).map(
        "".join
    )
)
def test_nothing_is_left_that_x_would_make_a_link(text: str) -> None:
    from twitter_text import extract_urls

    left = without_links(text)
    assert not extract_urls(left)
    assert len(re.sub(r"\s", "", left)) <= len(text)
