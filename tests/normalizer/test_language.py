"""The language of short messages, in the spellings of people who text."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.event import Language
from normalizer.language import detect

MESSAGES: dict[Language, list[str]] = {
    "id": [
        "Jalan di depan SD 3 rusak parah, sudah 2 bulan belum diperbaiki",
        "jln rusak parah udh 3 bln blm diperbaiki",
        "gmn nih lampu jalan mati terus",
        "tlg dong sampah numpuk bgt dpn rmh sy",
        "air pdam gak ngalir dr kemarin",
        "kok gak ada respon",
        "banjir lagi banjir lagi, kapan selesainya",
        "Petugas minta uang 50rb utk urus ktp",
        "dokter tdk ada di puskesmas sejak pagi",
        "knp bansos sy blm cair krn apa",
        "nggak ada petugas yg datang",
        "Mohon segera ditindaklanjuti, terima kasih",
        "TOLONG JEMBATAN PUTUS WARGA TIDAK BISA LEWAT",
        "guru sering bolos, anak2 tdk belajar",
        "listrik padam sdh 2 hari pak",
        "bau limbah pabrik menyengat setiap malam",
        "jalan rusak",
        "lampu mati",
        "parkir liar di trotoar",
        "sy mau lapor pungli di kelurahan",
        "antrian BPJS lama sekali",
        "apakah laporan saya sudah diproses?",
        "lampunya padam",
        "please min tolong jalannya diperbaiki udah lama rusak",
    ],
    "en": [
        "The road near the market is broken",
        "Street light out for two weeks",
        "Garbage has not been collected since Monday",
        "please fix the bridge",
        "water not working",
        "no electricity in my village",
        "The officer asked for money to process my ID card",
        "When will you repair the school roof?",
        "there is a flood in Kampung Melayu, please help us",
        "Dirty water from the factory smells every night",
        "nobody answers at the hospital",
        "HELP, TREE FALLEN ON THE STREET",
        "how do I report a pothole",
        "I want my name to be kept secret",
        "The puskesmas has no medicine",
    ],
    "jv": [
        "dalane rusak nganti saiki durung didandani",
        "lampu dalan mati wis telung dina",
        "nyuwun tulung banyu PDAM mboten mili",
        "kula badhe lapor, margi wonten ngajeng griya risak",
        "piye iki kok ora ana tanggapan",
        "Kulo nyuwun bantuan, omahe kebanjiran",
        "pripun kabaripun laporan kula",
        "wong desa kene kangelan banyu resik",
        "sampah wis numpuk akeh banget, mambu",
        "lurahe njaluk dhuwit kanggo ngurus surat",
    ],
    "su": [
        "jalan di lembur abdi ruksak parah teu acan dibereskeun",
        "punten bade lapor, cai PDAM teu ngalir",
        "kumaha ieu lampu jalan pareum wae",
        "Abdi hoyong ngalaporkeun runtah anu numpuk",
        "geus tilu poe listrik pareum di dieu",
        "naha teu aya tanggapan ti pamarentah",
        "nuhun pisan, iraha jalanna rek dibereskeun",
        "sakola budak kuring ruksak, nyuhunkeun bantosan",
        "di lembur urang teu aya cai beresih",
        "éta walungan caah deui waé",
    ],
    "": [
        "",
        "STATUS 4829137065",
        "4829137065",
        "ok",
        "HELP",
        "STOP",
        "BANTUAN",
        "???",
        "😀😀",
        "Budi",
        "1708",
        "Jl. Mawar 5",
        "道路が壊れています",
    ],
}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param(text, language, id=f"{language or 'too short'}: {text!r}")
        for language, texts in MESSAGES.items()
        for text in texts
    ],
)
def test_language(text: str, language: Language) -> None:
    assert detect(text) == language


class Labelled(NamedTuple):
    """A row of the labelled set."""

    label: str
    kind: str
    text: str


def labelled(half: str) -> list[Labelled]:
    """A half of the labelled set; ``language/README.md`` tells how it came about."""
    path = Path(__file__).parent / "language" / f"{half}.tsv"
    _, *rows = path.read_text(encoding="utf-8").splitlines()
    return [Labelled(*row.split("\t")) for row in rows]


TUNING, SET_ASIDE = labelled("tuning"), labelled("set_aside")


def share(rows: list[Labelled], *labels: str) -> float:
    """The share of the messages with these labels whose answer is in the language of the label.

    What is in no language of the four, or in one without templates, is answered in Indonesian.
    """
    asked = [row for row in rows if row.label in labels]
    return sum((detect(row.text) == "en") == (row.label == "en") for row in asked) / len(asked)


def recall(rows: list[Labelled], label: str) -> float:
    asked = [row for row in rows if row.label == label]
    return sum(detect(row.text) == label for row in asked) / len(asked)


def test_the_labelled_set_has_two_halves_with_nothing_in_common() -> None:
    assert len(TUNING) + len(SET_ASIDE) >= 400
    assert abs(len(TUNING) - len(SET_ASIDE)) <= 1
    texts = [row.text.casefold() for row in TUNING + SET_ASIDE]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("rows", [TUNING, SET_ASIDE], ids=["tuning", "set aside"])
def test_at_least_97_in_100_are_answered_in_the_right_one_of_indonesian_and_english(rows: list[Labelled]) -> None:
    assert share(rows, "id", "en") >= 0.97


@pytest.mark.parametrize("language", ["id", "en", "jv", "su"])
def test_at_least_9_in_10_messages_of_each_language_are_told(language: str) -> None:
    assert recall(SET_ASIDE, language) >= 0.9


def test_the_spelling_of_text_messages_is_never_taken_for_another_language() -> None:
    slang = [row.text for row in TUNING + SET_ASIDE if row.kind == "slang"]
    assert len(slang) >= 100
    assert {text: detect(text) for text in slang if detect(text) not in ("id", "")} == {}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("lampuuu matiiii", "id", id="letters drawn out"),
        pytest.param("I don\u2019t know", "en", id="the apostrophe that telephones put"),
        pytest.param("\u201ctolong\u201d\u2026", "id", id="quotes and dots of typographers part words"),
        pytest.param("anjing kucing kambing", "id", id="Indonesian words that end in -ing"),
        pytest.param("update dong, wifi down", "id", id="loans with one word of Indonesian"),
        pytest.param("check status", "", id="loans alone"),
        pytest.param("STATUS 4829137065 a/n Budi", "id", id="an abbreviation of two letters"),
        pytest.param("any update?", "en", id="a loan with a word of English"),
    ],
)
def test_what_the_words_are_made_of(text: str, language: Language) -> None:
    assert detect(text) == language


@given(st.text(max_size=400))
def test_any_text_has_a_language_or_none(text: str) -> None:
    assert detect(text) in ("id", "en", "jv", "su", "")


def test_a_long_text_is_read_to_its_bound_and_the_counts_hold() -> None:
    assert detect("the " * 5_000) == "en"
    assert detect("x " * 10_000 + "the road is broken") == ""
