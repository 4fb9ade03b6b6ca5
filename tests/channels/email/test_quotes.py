"""What of a mail is the citizen's own, in the styles of the programs that people here use."""

import pytest

from channels.email.quotes import MAX_LINES, split

OWN = "Lampunya masih mati.\nMohon ditindaklanjuti."
HISTORY = "Laporan Anda kami terima.\nNomor 482 913 7065."
CITED = "> Laporan Anda kami terima.\n> Nomor 482 913 7065."

ATTRIBUTIONS = {
    "gmail id": "Pada Sen, 3 Nov 2025 pukul 10.12 LAPOR! <lapor@example.go.id> menulis:",
    "gmail id, wrapped": "Pada Sen, 3 Nov 2025 pukul 10.12 Layanan Aspirasi dan Pengaduan Rakyat <\nlapor@example.go.id> menulis:",
    "gmail id, wrapped twice": "Pada Sen, 3 Nov 2025 pukul 10.12\nLAPOR! <lapor@example.go.id>\nmenulis:",
    "apple id": "Pada 3 Nov 2025, pukul 10.12, LAPOR! <lapor@example.go.id> menulis:",
    "thunderbird id": "Pada 03/11/2025 10.12, LAPOR! menulis:",
    "yahoo id": "Pada Senin, 3 November 2025 pukul 10.12.00 WIB, LAPOR! <lapor@example.go.id> menulis:",
    "pada tanggal": "Pada tanggal 3 November 2025 pukul 10:12, LAPOR! menulis:",
    "gmail en": "On Mon, Nov 3, 2025 at 10:12 AM LAPOR! <lapor@example.go.id> wrote:",
    "gmail en, wrapped": "On Mon, Nov 3, 2025 at 10:12 AM Layanan Aspirasi dan Pengaduan <\nlapor@example.go.id> wrote:",
    "apple en": "On 3 Nov 2025, at 10:12, LAPOR! <lapor@example.go.id> wrote:",
    "thunderbird en": "On 11/3/25 10:12, LAPOR! wrote:",
    "yahoo en": "On Monday, November 3, 2025 at 10:12:00 AM GMT+7, LAPOR! <lapor@example.go.id> wrote:",
    "name alone": "LAPOR! <lapor@example.go.id> wrote:",
    "old gmail": "2025-11-03 10:12 GMT+07:00 LAPOR! <lapor@example.go.id>:",
    "quoting": "Quoting LAPOR! <lapor@example.go.id>:",
    "bold": "*On 3 Nov 2025, at 10:12, LAPOR! wrote:*",
}
HEADS = {
    "outlook en": "From: LAPOR! <lapor@example.go.id>\nSent: Monday, November 3, 2025 10:12 AM\nTo: Budi\nSubject: RE: Lampu",
    "outlook en, bold": "*From:* LAPOR!\n*Sent:* Monday, November 3, 2025 10:12 AM\n*To:* Budi\n*Subject:* RE: Lampu",
    "outlook id": "Dari: LAPOR! <lapor@example.go.id>\nDikirim: Senin, 03 November 2025 10.12\nKepada: Budi\nPerihal: RE: Lampu",
    "outlook id, subjek": "Dari: LAPOR!\nDikirim: Senin, 03 November 2025 10.12\nKepada: Budi\nSubjek: RE: Lampu",
    "outlook, ruled": "________________________________\nDari: LAPOR! <lapor@example.go.id>\nDikirim: Senin, 03 November 2025 10.12\nKe: Budi",
    "original en": "-----Original Message-----\nFrom: LAPOR!\nSent: Monday, November 3, 2025",
    "original id": "-----Pesan Asli-----\nDari: LAPOR!\nTanggal: 3 November 2025",
    "samsung id": "-------- Pesan asli --------\nDari: LAPOR! <lapor@example.go.id>\nTanggal: 03/11/25 10.12 (GMT+07:00)\nKe: budi@example.com",
    "original, thunderbird": "-------- Original Message --------\nSubject: Lampu\nDate: Mon, 3 Nov 2025",
    "forward en": "---------- Forwarded message ---------\nFrom: LAPOR! <lapor@example.go.id>\nDate: Mon, Nov 3, 2025",
    "forward id": "---------- Pesan yang diteruskan ---------\nDari: LAPOR! <lapor@example.go.id>\nTanggal: 3 Nov 2025",
    "forward id, terusan": "-------- Pesan Terusan --------\nPerihal: Lampu\nTanggal: 3 Nov 2025",
    "apple forward en": "Begin forwarded message:\n\nFrom: LAPOR! <lapor@example.go.id>\nSubject: Lampu",
    "apple forward id": "Mulai pesan yang diteruskan:\n\nDari: LAPOR! <lapor@example.go.id>\nPerihal: Lampu",
}


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
@pytest.mark.parametrize("gap", ["", "\n"], ids=["close", "blank line"])
def test_history_under_an_attribution_is_set_apart(attribution: str, gap: str) -> None:
    own, quoted = split(f"{OWN}\n\n{attribution}\n{gap}{CITED}\n")
    assert own == OWN
    assert quoted.startswith(attribution)
    assert quoted.endswith(CITED)


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
def test_a_reply_below_the_history_is_kept(attribution: str) -> None:
    own, quoted = split(f"{attribution}\n{CITED}\n\n{OWN}\n")
    assert own == OWN
    assert quoted == f"{attribution}\n{CITED}"


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
def test_history_without_signs_is_set_apart_in_a_reply(attribution: str) -> None:
    own, quoted = split(f"{OWN}\n\n{attribution}\n\n{HISTORY}\n", reply=True)
    assert own == OWN
    assert quoted == f"{attribution}\n\n{HISTORY}"


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_history_under_a_head_is_set_apart(head: str) -> None:
    own, quoted = split(f"{OWN}\n\n{head}\n\n{HISTORY}\n")
    assert own == OWN
    assert quoted.startswith(head.split("\n")[0])
    assert quoted.endswith(HISTORY)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("above", ["", "Dikirim dari iPhone saya\n\n", "\n\n"], ids=["nothing", "device", "blank"])
def test_a_mail_forwarded_without_a_word_is_the_text(head: str, above: str) -> None:
    own, _ = split(f"{above}{head}\n\n{HISTORY}\n")
    assert HISTORY in own


def test_answers_between_quotes_are_kept_in_order() -> None:
    text = f"{ATTRIBUTIONS['gmail id']}\n> Di mana?\nJalan Merdeka 5.\n> Sejak kapan?\nSejak Senin.\n"
    own, quoted = split(text)
    assert own == "Jalan Merdeka 5.\n\nSejak Senin."
    assert quoted == f"{ATTRIBUTIONS['gmail id']}\n> Di mana?\n\n> Sejak kapan?"


NOTICES = [
    "Dikirim dari iPhone saya",
    "Dikirim dari ponsel cerdas Samsung Galaxy saya.",
    "Dikirim dari Yahoo Mail di Android",
    "Dikirim dari Yahoo Mail untuk iPhone",
    "Dikirim dari Outlook untuk Android<https://aka.ms/AAb9ysg>",
    "Dikirim dari Surat untuk Windows",
    "Dikirim melalui Yahoo Mail",
    "Sent from my iPhone",
    "Sent from my Galaxy",
    "Sent from Mail for Windows",
    "Sent from Yahoo Mail on Android",
    "Sent from Outlook for iOS<https://aka.ms/o0ukef>",
    "Get Outlook for Android<https://aka.ms/ghei36>",
    "Dapatkan Outlook untuk iOS",
    "Sent with Proton Mail secure email.",
    "Powered by Telkomsel BlackBerry®",
]


@pytest.mark.parametrize("notice", NOTICES)
@pytest.mark.parametrize("behind", ["", f"\n\n{ATTRIBUTIONS['gmail id']}\n{CITED}"], ids=["last", "above history"])
def test_notices_of_programs_are_set_apart(notice: str, behind: str) -> None:
    own, quoted = split(f"{OWN}\n\n{notice}{behind}")
    assert own == OWN
    assert notice in quoted


@pytest.mark.parametrize(
    ("signature", "kept"),
    [
        ("-- \nBudi\n0812 0000 0000", ""),
        ("--\nBudi", ""),
        ("-- \n" + "\n".join(f"baris {n}" for n in range(21)), "baris 20"),
        ("--\n" + "\n".join(f"baris {n}" for n in range(11)), "baris 10"),
    ],
    ids=["standard", "without its blank", "too long to be one", "too long without its blank"],
)
def test_signatures_are_set_apart(signature: str, kept: str) -> None:
    own, quoted = split(f"{OWN}\n\n{signature}")
    if kept:
        assert own.endswith(kept)
        assert quoted == ""
    else:
        assert own == OWN
        assert quoted == signature


def test_words_below_history_under_a_signature_are_kept() -> None:
    own, _ = split(f"Pertama.\n-- \nBudi\n\n{CITED}\n\nKedua.", reply=True)
    assert own == "Pertama.\n\nKedua."


DISCLAIMERS = {
    "en": "This e-mail and any attachments are confidential and intended solely for the addressee. If you are not the\n"
    "intended recipient, please delete it.",
    "notice": "CONFIDENTIALITY NOTICE: the contents of this email message are intended solely for the addressee(s) named in it.",
    "id": "Email ini dan lampirannya bersifat rahasia dan hanya ditujukan kepada penerima yang disebut di atas. Bila Anda\n"
    "bukan penerima, hapuslah.",
    "penafian": "Penafian: isi pesan ini hanya ditujukan untuk penerima yang dituju dan dapat memuat informasi rahasia.",
}


@pytest.mark.parametrize("disclaimer", DISCLAIMERS.values(), ids=DISCLAIMERS.keys())
def test_disclaimers_are_set_apart(disclaimer: str) -> None:
    assert split(f"{OWN}\n\n{disclaimer}") == (OWN, disclaimer)


WHOLE = {
    "a date in a sentence": "Pada tanggal 3 November 2025 warga menulis surat kepada camat.\nBelum dijawab.",
    "a sentence that ends like an attribution": "Lapor.\nPada 3 November petugas menulis:\nberkas ditolak.",
    "a letter with a head": "Dengan hormat,\n\nDari: Budi\nTanggal: 3 November 2025\nPerihal: jalan rusak\nKepada: Bupati\n\nJalan kami rusak.",
    "a letter with an address": (
        "Dengan hormat,\n\nDari: Budi (budi@example.com)\nTanggal: 3 November 2025\nPerihal: jalan rusak\n\nJalan kami rusak."
    ),
    "one line that means more than": "Lubangnya lebar\n> 2 meter",
    "a parcel": "Bantuan tidak sampai.\nDikirim dari kantor pos bulan lalu.",
    "a letter sent by mail": "Tidak ada jawaban.\nDikirim melalui email ke dinas pada 3 Mei, tidak dibalas.",
    "rules between paragraphs": "Satu\n----------\nDua\n__________\nTiga",
    "short and secret": "Jalan rusak.\n\nRahasia, mohon identitas saya ditutup.",
    "a secret in a long paragraph": "Jalan rusak.\n\nMohon identitas saya dirahasiakan karena penerima bantuan lain mengancam saya dan keluarga saya setiap hari.",
    "only a quotation": CITED,
    "only a signature": "-- \nBudi",
    "only a notice": "Sent from my iPhone",
    "from at the beginning of a line": "Jalan\n>From here to there\n>From there on",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_what_is_not_certainly_repeated_is_kept(text: str) -> None:
    assert split(text) == (text, "")


def test_nothing_is_lost_of_many_lines() -> None:
    text = "\n".join(f"baris {n}" for n in range(MAX_LINES + 1000))
    assert split(text) == (text, "")
