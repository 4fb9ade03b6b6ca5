"""What is kept of a text, what counts as the same words, and the copy that commands are read from."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from normalizer.text import clean, fold, line, readable, storable, words_hash

# Every character a Python string can hold, lone surrogates too, and often those that make trouble.
ANY = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("ae \n\r\t\x00\u200b\u200c\u200d\u0301\ud83d\udc4d\ufe0f\u202e☺️👩ꦗꦴक्षＡＡ\u212b\u3000"),
    ),
    max_size=60,
)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("jalan rusak", "jalan rusak", id="plain"),
        pytest.param("  jalan rusak \n", "jalan rusak", id="trimmed"),
        pytest.param("jalan\r\nrusak\rparah", "jalan\nrusak\nparah", id="line breaks"),
        pytest.param("jalan\u2028rusak\x85parah", "jalan\nrusak\nparah", id="line breaks of Unicode"),
        pytest.param("jalan\trusak", "jalan rusak", id="a tab"),
        pytest.param("jalan\x00 ru\x07sak\x1b", "jalan rusak", id="control characters"),
        pytest.param("jalan\x9frusak", "jalanrusak", id="control characters beyond ASCII"),
        pytest.param("jalan \ud83d rusak", "jalan  rusak", id="half of an emoji"),
        pytest.param("jalan \udce9 rusak", "jalan  rusak", id="a byte that was no UTF-8"),
        pytest.param("jalan \u202ekasur\u202c", "jalan kasur", id="bidi override"),
        pytest.param("ja\u200blan\ufeff ru\u00adsak", "jalan rusak", id="zero-width characters"),
        pytest.param("ST\u200dOP 48\u200c29", "STOP 4829", id="joiners in Latin words and numbers"),
        pytest.param("👩\u200d👧 jatuh", "👩\u200d👧 jatuh", id="a joiner in an emoji"),
        pytest.param("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥", id="a joiner behind a variation selector"),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="a non-joiner in Persian"),
        pytest.param("👩\u200d", "👩", id="a joiner with nothing to join"),
        pytest.param("cafe\u0301", "café", id="NFC"),
        pytest.param("e\u200b\u0301", "é", id="NFC across what was taken out"),
        pytest.param("ꦗꦭꦤ꧀", "ꦗꦭꦤ꧀", id="Javanese script"),
        pytest.param("ＳＴＯＰ", "ＳＴＯＰ", id="full-width letters stay as typed"),
        pytest.param("\x00\u200b", "", id="nothing left"),
    ],
)
def test_clean(raw: str, text: str) -> None:
    assert clean(raw) == text


def test_the_parts_of_a_message_keep_the_blanks_between_them() -> None:
    assert clean(" jalan rusak ", trim=False) == " jalan rusak "


@given(ANY)
@example("X\u200d\u212b")
@example("e\u200d\u0301")
@example("👩\u200d\u200d👧")
def test_cleaning_twice_changes_nothing_and_the_result_can_be_kept(raw: str) -> None:
    text = clean(raw)
    assert clean(text) == text
    assert unicodedata.is_normalized("NFC", text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in text)
    text.encode()


@given(ANY)
def test_a_line_is_one_line_and_can_be_kept(raw: str) -> None:
    kept = line(raw)
    assert "\n" not in kept
    kept.encode()


def test_a_line_is_bounded() -> None:
    assert len(line("x" * 5000)) == 1000


@given(ANY)
def test_what_is_storable_differs_only_where_it_must(raw: str) -> None:
    kept = storable(raw)
    kept.encode()
    assert "\x00" not in kept
    assert len(kept) == len(raw)
    assert all(a == b or b == "\ufffd" for a, b in zip(raw, kept, strict=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Jalan rusak", "jalan rusak", id="case"),
        pytest.param("jalan rusak", "  jalan   rusak\n", id="blanks"),
        pytest.param("jalan rusak", "jalanrusak", id="no blanks"),
        pytest.param("jalan rusak", "Jalan, rusak!!!", id="punctuation"),
        pytest.param("jalan rusak", "jalan_rusak", id="underscore"),
        pytest.param("jalan rusak", "jalan rusak 😡😡", id="emoji"),
        pytest.param("jalan rusak", "ｊａｌａｎ ｒｕｓａｋ", id="full-width letters"),
        pytest.param("café", "CAFE\u0301", id="accents, composed or not"),
        pytest.param("straße", "STRASSE", id="casefold"),
        pytest.param("❤", "❤\ufe0f", id="variation selector"),
    ],
)
def test_the_same_words(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("jalan rusak", "jalan rusak 2", id="a number"),
        pytest.param("jalan rusak", "rusak jalan", id="order"),
        pytest.param("cafe", "café", id="accent"),
        pytest.param("ꦗꦭꦤ꧀", "ꦗꦴꦭꦤ꧀", id="a vowel sign"),
    ],
)
def test_not_the_same_words(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(ANY)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_the_hash_of_words_is_of_subject_and_text() -> None:
    assert words_hash("", "Jalan rusak!") == words_hash("", "jalan rusak") == "20944053d149a6ae821f5e5b894c6604"
    hashes = {words_hash("jalan", "rusak"), words_hash("", "jalan rusak"), words_hash("jalan rusak", "")}
    assert len(hashes) == 3


@pytest.mark.parametrize("text", ["", "  ", "?!", "😀"])
def test_a_message_without_words_has_no_hash(text: str) -> None:
    assert words_hash("", text) == ""


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("ＳＴＡＴＵＳ ４８２", "STATUS 482", id="full-width"),
        pytest.param("4️⃣8️⃣2️⃣", "482", id="keycaps"),
        pytest.param("꧔꧘꧒", "482", id="Javanese digits"),
        pytest.param("SТОР", "STOP", id="Cyrillic look-alikes"),
        pytest.param("482–913", "482-913", id="dash"),
        pytest.param("stop 🛑", "stop  ", id="an emoji is a blank"),
        pytest.param("ꦗꦭꦤ꧀", "ꦗꦭꦤ꧀", id="Javanese script stays"),
        pytest.param("rúsak", "rúsak", id="an accent stays"),
    ],
)
def test_readable(text: str, read: str) -> None:
    assert readable(text) == read
