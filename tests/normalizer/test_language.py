"""The language of short messages, in the spellings of people who text."""

from __future__ import annotations

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


@given(st.text(max_size=400))
def test_any_text_has_a_language_or_none(text: str) -> None:
    assert detect(text) in ("id", "en", "jv", "su", "")


def test_a_long_text_is_read_to_its_bound_and_the_counts_hold() -> None:
    assert detect("the " * 5_000) == "en"
    assert detect("x " * 10_000 + "the road is broken") == ""
