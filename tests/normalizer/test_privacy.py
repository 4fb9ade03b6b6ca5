"""The two wishes: a table of what citizens write, and which of them it utters."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from normalizer.event import Privacy
from normalizer.privacy import ANONYMOUS, BOTH, CONFIDENTIAL, NONE, either, front, read

WISHES: dict[str, tuple[Privacy, list[str]]] = {
    "anonymous": (
        ANONYMOUS,
        [
            "ANONIM jalan rusak",
            "anonim: kades minta uang",
            "Anonim. pungli di sekolah",
            "@lapor1708 ANONIM jalan rusak",
            "🙏 ANONIM jalan rusak",
            "ANON1M ada pungli",
            "АNОNIM ada pungli",
            "ANONYMOUS: the officer asked for money",
            "ada pungli di sekolah, mohon rahasiakan identitas saya",
            "identitas saya mohon dirahasiakan",
            "Mohon identitas dirahasiakan, terima kasih",
            "data diri saya tolong dirahasiakan",
            "identitasku tolong di rahasiakan ya",
            "nama dan alamat saya harap dirahasiakan",
            "rahasiakan nama dan nomor hp saya",
            "rahasiakan identitas pelapor",
            "tolong rahasiakan nama.",
            "jangan sebut nama saya",
            "jgn sebut nama sy ya pak",
            "tolong nama saya jangan disebut",
            "jangan sampai identitas saya diketahui",
            "jati diri saya jangan sampai bocor",
            "saya tidak ingin nama saya disebutkan",
            "saya melapor tanpa menyebut nama saya",
            "jangan publikasikan nama saya",
            "nama saya jangan dipublikasikan",
            "saya ingin anonim",
            "saya lapor secara anonim",
            "keep my name secret",
            "Please keep our identity confidential",
            "please don't reveal my identity",
            "do not mention my name",
            "my name must be kept secret",
            "I do not want my name to be published",
            "I want to remain anonymous",
        ],
    ),
    "confidential": (
        CONFIDENTIAL,
        [
            "RAHASIA pungli di sekolah",
            "rahasia: kades minta uang",
            "RAHAS1A kades minta uang",
            "Confidential: the clinic asks for money",
            "kades minta uang, jangan dipublikasikan",
            "tolong jangan dipublikasi",
            "laporan ini jgn dipublikasikan ya",
            "laporan ini mohon tidak dipublikasikan",
            "saya tidak ingin laporan ini dipublikasikan",
            "tidak untuk dipublikasikan",
            "laporan saya mohon dirahasiakan",
            "tolong rahasiakan laporan ini",
            "laporan ini bersifat rahasia",
            "do not publish",
            "Please do not publish this report",
            "keep this report confidential",
            "this is not for publication",
            "please don't make this public",
        ],
    ),
    "both": (
        BOTH,
        [
            "ANONIM RAHASIA jalan rusak",
            "RAHASIA ANONIM jalan rusak",
            "rahasia, anonim. pungli",
            "ANONIM dan RAHASIA: pungli",
            "ANONIM kades minta uang, jangan dipublikasikan",
            "Jangan sebut nama saya dan laporan ini jangan dipublikasikan",
            "keep my name secret and do not publish this",
            "kades minta uang, mohon dirahasiakan ya",
        ],
    ),
    "neither": (
        NONE,
        [
            "",
            "jalan rusak di depan SD 3",
            "sudah rahasia umum kades itu korupsi",
            "Rahasia umum bahwa di pasar ada pungli",
            "bukan rahasia lagi kalau urus KTP bayar",
            "rahasia dapur dinas",
            "rahasia bank saya dibocorkan petugas",
            "identitas saya tidak perlu dirahasiakan",
            "tidak perlu dirahasiakan",
            "tidak usah rahasiakan nama saya",
            "saya tidak mau anonim",
            "ada laporan anonim yang tidak ditanggapi",
            "no need to keep my name secret",
            "you may publish my name",
            "kenapa hasil tender tidak dipublikasikan",
            "jangan-jangan hasilnya tidak dipublikasikan",
            "nama penerima bansos dirahasiakan oleh desa",
            "mengapa anggaran dirahasiakan?",
            "laporan keuangan desa dirahasiakan",
            "jangan rahasiakan data korupsi",
            "jalan tersebut rusak, jangan dibiarkan",
            "jangan lupa nama jalannya Mawar",
            "nama saya Budi, alamat saya di Bogor",
            "the report was not published",
            "I do not know my neighbour's name",
        ],
    ),
}


@pytest.mark.parametrize(
    ("text", "wish"),
    [pytest.param(text, wish, id=f"{name}: {text!r}") for name, (wish, texts) in WISHES.items() for text in texts],
)
def test_wish(text: str, wish: Privacy) -> None:
    assert read(text) == wish


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        pytest.param("ANONIM: jalan rusak", "jalan rusak", id="one"),
        pytest.param("RAHASIA, ANONIM. jalan rusak", "jalan rusak", id="both"),
        pytest.param("ANONIM dan RAHASIA jalan rusak", "jalan rusak", id="with a word between"),
        pytest.param("ANONIM dan jalan rusak", "dan jalan rusak", id="a word between that joins nothing"),
        pytest.param("ANONIM", "", id="alone"),
    ],
)
def test_the_text_goes_on_after_the_words_in_front(text: str, rest: str) -> None:
    found = front(text)
    assert found is not None
    assert text[found.end :] == rest


@pytest.mark.parametrize("text", ["anonimitas penting", "RAHASIAKAN nama saya", "jalan ANONIM", ""])
def test_no_words_in_front(text: str) -> None:
    assert front(text) is None


def test_either() -> None:
    assert either(ANONYMOUS, CONFIDENTIAL) == BOTH
    assert either(NONE, NONE) == NONE


WORDS = (
    *("nama", "saya", "jangan", "mohon", "rahasiakan", "dirahasiakan", "tidak", "sebut"),
    *("laporan", "ini", "anonim", "dan", ",", ".", "perlu", "publikasikan"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
@example("nama " * 4_000)
@example("mohon " * 4_000)
@example("jangan sampai " * 2_000)
@example("secara tetap " * 2_000)
@example("ANONIM " * 3_000)
def test_any_text_can_be_read(text: str) -> None:
    wish = read(text)
    assert not wish.anonymous or any(word in text.lower() for word in ("nama", "anonim", "rahasiakan"))
    assert not wish.confidential or any(word in text.lower() for word in ("publikasikan", "rahasia"))
