"""What a message wants: a table of texts as citizens send them, and what is read in each."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.words import REGIONS as SHIPPED_REGIONS
from normalizer.event import Intent, Privacy
from normalizer.intent import Grammar, Reading, classify
from normalizer.text import readable
from normalizer.words import WORDS, IntentWords

N = "4829137065"
M = "5932104477"
BAD = "4829137066"
REGIONS = ("TANGKAB", "BANJARBARU", "Kotabogor")


def read(text: str, subject: str = "") -> Reading:
    return classify(text, subject=subject, regions=REGIONS)


STATUS = [
    "STATUS 4829137065",
    "status 4829137065",
    "Status: 482 913 7065",
    "CEK 482-913-7065",
    "cek 4829137065 dong",
    "cek status 4829137065",
    "status no 482.913.7065?",
    "STATUS NOMOR 4829137065",
    "status laporan saya no. #4829137065 gmn pak?",
    "STATUS4829137065",
    "STATUS 4829I37O65",
    "STATUS 4.829.137.065",
    "STΑTUS 4829137065",
    "ＳＴＡＴＵＳ ４８２９１３７０６５",
    "S\u200bTATUS 482\u200b9137065",
    "STATUS laporan jalan rusak di Bogor nomor 4829137065",
    "/status 4829137065",
    "/status@LaporBot 4829137065",
    "/STATUS 482 913 7065",
    "/cek 4829137065",
    "@lapor1708 STATUS 4829137065",
    "@lapor1708 @pemkab #lapor cek 4829137065",
    "ANONIM STATUS 4829137065",
    "RAHASIA, ANONIM: STATUS 4829137065",
    "TANGKAB STATUS 4829137065",
    "4829137065",
    "482 913 7065",
    "482-913-7065?",
    "4829137065 🙏",
    "no 4829137065",
    "nomor laporan saya: 4829137065",
    "Selamat pagi pak, laporan 4829137065 ya",
    "4.829.137.065",
    "4️⃣8️⃣2️⃣9️⃣1️⃣3️⃣7️⃣0️⃣6️⃣5️⃣",
    "bagaimana laporan saya 4829137065?",
    "Bagaimana tindak lanjut laporan 4829137065",
    "gimana kabar laporan 482 913 7065",
    "gmn lap sy 4829137065",
    "kapan laporan 4829137065 selesai",
    "laporan 4829137065 sudah sampai mana ya min?",
    "4829137065 sudah diproses belum?",
    "mohon info tindak lanjut laporan 4829137065, terima kasih",
    "bagaimana laporan jalan rusak 4829137065",
    "kumaha laporan abdi 4829137065",
    "pripun laporan kula 4829137065",
    "what is the status of my report 4829137065",
    "any update on 4829137065?",
]

FOLLOW_UP = [
    "laporan 4829137065 lampunya malah mati semua",
    "4829137065 tambahan: lokasinya depan masjid Al Ikhlas",
    "4829137065 sudah selesai terima kasih",
    "Tambahan laporan no 482 913 7065, airnya bau",
    "@lapor1708 laporan 4829137065 belum juga diperbaiki padahal sudah sebulan lebih",
    "RT 03 RW 05 laporan 4829137065 air masih mati",
    "bagaimana ini laporan saya 4829137065 lampunya malah mati semua sampai ujung gang",
    "my report 4829137065: the light in front of the school is broken too",
    "jangan ditutup laporan 4829137065 karena jalan masih berlubang",
]

CHECK_THE_NUMBER = [
    "STATUS 4829137066",
    "cek 482 913 7066",
    "status 4829137066 dong pak",
    "4829137066",
    "482-913-7066",
    "bagaimana laporan saya 4829137066?",
    "STATUS 482913706",
    "STATUS 48291370655",
    "482913706",
    "48291370655",
    "STATUS 081234567890",
    "STATUS 12345",
    "/status 4829137066",
]

LATEST = [
    "STATUS",
    "status?",
    "Status dong min",
    "status laporan saya",
    "CEK",
    "cek status",
    "/status",
    "/status@LaporBot",
    "bagaimana laporan saya?",
    "gmn kabar laporan sy min",
    "gimana laporanku?",
]

HELP = [
    "BANTUAN",
    "bantuan!",
    "Help",
    "info",
    "INFO 🙏",
    "CARA LAPOR",
    "cara lapor?",
    "caralapor",
    "cara Iapor",
    "BANTUAN\n",
    "/start",
    "/start@LaporBot",
    "/start kampanye2026",
    "/help",
    "/bantuan",
    "LAPOR BARU",
    "lapor baru!",
    "Lapor baru 😀",
    "/laporbaru",
    "@lapor1708 bantuan",
    "bantuan #lapor",
    "ANONIM bantuan",
]

STOP = [
    "BERHENTI",
    "berhenti.",
    "Stop",
    "ST0P",
    "s t o p",
    "STОP",
    "UNREG",
    "/stop",
    "/stop@LaporBot",
    "stop 🛑",
    "stop @lapor1708",
]

EMPTY = [
    "",
    "   \n ",
    "???",
    "😀😀😀",
    "👍🏽",
    "@lapor1708",
    "@lapor1708 @kemenpan",
    "#lapor",
    "@lapor1708 #LaporPak 🙏",
    "tes",
    "Test.",
    "tes 123",
    "p",
    "PPP",
    "halo",
    "Halooo min",
    "assalamualaikum",
    "Assalamu'alaikum wr. wb.",
    "selamat pagi pak",
    "terima kasih",
    "1",
    "ANONIM",
    "RAHASIA!",
    "TANGKAB",
    "/entah",
]

COMPLAINT = [
    "jalan rusak parah di depan SD 3",
    "cek jalan rusak di Jl Mawar",
    "CEK 5 titik lampu mati",
    "STATUS jalan ini milik siapa, kabupaten atau provinsi",
    "stop pungli di sekolah",
    "info jalan rusak di Ciputat",
    "bantuan sosial belum cair 3 bulan",
    "berhenti mengambil pasir di sungai kami",
    "help, flood in our village",
    "tes covid berbayar mahal sekali",
    "halo pak, air mati 3 hari",
    "hubungi saya 081234567890 soal sampah",
    "081234567890",
    "NIK 3273011234567890 tidak bisa cetak KTP",
    "rek 4829137065 a.n Budi minta transfer",
    "kades minta Rp 1.500.000.000",
    "no meter 48291370651 mati",
    "id pelanggan 4829137065 listrik padam",
    "bayar 4829137065 rupiah",
    "kode 4829137066 muncul di layar saat saya daftar vaksin",
    "LAPOR BARU jalan rusak",
    "LAPOR BARU STATUS 4829137065",
    "lapor baru: lanjutan 4829137065 tapi di jalan lain",
    "/laporbaru jalan rusak",
    "/entah jalan rusak",
    "TANGKAB jalan rusak",
    "ANONIM kades minta uang",
    "banjir",
    "kapan selesai",
]


TABLE: list[tuple[Intent, list[str], tuple[str, ...] | None, bool]] = [
    ("status", STATUS, (N,), False),
    ("follow_up", FOLLOW_UP, (N,), False),
    ("status", CHECK_THE_NUMBER, (), True),
    ("status", LATEST, (), False),
    ("help", HELP, (), False),
    ("stop", STOP, (), False),
    ("empty", EMPTY, (), False),
    ("complaint", COMPLAINT, None, False),
]
"""Texts with their intent, the numbers they name, and whether some were meant as one."""


@pytest.mark.parametrize(
    ("text", "intent", "numbers", "bad"),
    [
        pytest.param(text, intent, numbers, bad, id=f"{intent}: {text!r}")
        for intent, texts, numbers, bad in TABLE
        for text in texts
    ],
)
def test_intent(text: str, intent: Intent, numbers: tuple[str, ...] | None, bad: bool) -> None:
    reading = read(text)
    assert reading.intent == intent
    assert numbers is None or reading.numbers == numbers
    assert bool(reading.bad_numbers) is bad


@pytest.mark.parametrize(
    ("text", "new_case", "numbers"),
    [
        pytest.param("LAPOR BARU jalan rusak", True, (), id="in front"),
        pytest.param("lapor baru, jalan rusak", True, (), id="with a comma"),
        pytest.param("Lap0r  Baru jalan rusak", True, (), id="look-alikes"),
        pytest.param("LAPORBARU jalan rusak", True, (), id="glued"),
        pytest.param("/laporbaru@LaporBot jalan rusak", True, (), id="a bot command"),
        pytest.param("@lapor1708 LAPOR BARU jalan rusak", True, (), id="behind a mention"),
        pytest.param("ANONIM LAPOR BARU jalan rusak", True, (), id="behind a privacy word"),
        pytest.param("TANGKAB LAPOR BARU jalan rusak", True, (), id="behind a region"),
        pytest.param(f"LAPOR BARU sama seperti {N}", True, (N,), id="whatever it names"),
        pytest.param("LAPOR BARU STOP", True, (), id="whatever follows"),
        pytest.param("saya mau lapor baru kali ini jalan rusak", False, (), id="not in front"),
        pytest.param("lapor barusan ada kecelakaan", False, (), id="another word"),
        pytest.param("lapor baru saja ada kecelakaan", False, (), id="it has just happened"),
        pytest.param("LAPOR BARU", False, (), id="bare: that asks for help"),
    ],
)
def test_new_case(text: str, new_case: bool, numbers: tuple[str, ...]) -> None:
    reading = read(text)
    assert (reading.new_case, reading.numbers) == (new_case, numbers)
    assert reading.intent == ("complaint" if new_case else reading.intent)


@pytest.mark.parametrize(
    ("text", "region", "body"),
    [
        pytest.param("TANGKAB jalan rusak", "TANGKAB", "jalan rusak", id="in front"),
        pytest.param("tangkab jalan rusak", "TANGKAB", "jalan rusak", id="lower case"),
        pytest.param("BANJARBARU: jalan rusak", "BANJARBARU", "jalan rusak", id="with a colon"),
        pytest.param("KOTABOGOR jalan rusak", "Kotabogor", "jalan rusak", id="as the settings spell it"),
        pytest.param("@lapor1708 TANGKAB jalan rusak", "TANGKAB", "jalan rusak", id="behind a mention"),
        pytest.param("ANONIM TANGKAB jalan rusak", "TANGKAB", "jalan rusak", id="behind a privacy word"),
        pytest.param("TANGKAB RAHASIA jalan rusak", "TANGKAB", "jalan rusak", id="before a privacy word"),
        pytest.param("LAPOR BARU TANGKAB jalan rusak", "TANGKAB", "jalan rusak", id="behind LAPOR BARU"),
        pytest.param("TANGKAB TANGKAB jalan rusak", "TANGKAB", "TANGKAB jalan rusak", id="once"),
        pytest.param("jalan rusak di TANGKAB", "", "jalan rusak di TANGKAB", id="not in front"),
        pytest.param("TANGKABAN jalan rusak", "", "TANGKABAN jalan rusak", id="the start of another word"),
        pytest.param("TANGKAB", "", "TANGKAB", id="nothing behind it"),
        pytest.param("BOGOR jalan rusak", "", "BOGOR jalan rusak", id="not in the list"),
    ],
)
def test_region(text: str, region: str, body: str) -> None:
    reading = read(text)
    assert (reading.region, reading.body) == (region, body)


@pytest.mark.parametrize(
    ("text", "privacy"),
    [
        pytest.param("ANONIM jalan rusak", Privacy(anonymous=True), id="anonymous"),
        pytest.param("RAHASIA TANGKAB jalan rusak", Privacy(confidential=True), id="before a region"),
        pytest.param("TANGKAB ANONIM jalan rusak", Privacy(anonymous=True), id="behind a region"),
        pytest.param("LAPOR BARU rahasia anonim jalan", Privacy(anonymous=True, confidential=True), id="behind both"),
        pytest.param("rahasia umum jalan rusak", Privacy(), id="an idiom"),
    ],
)
def test_privacy_words_in_front(text: str, privacy: Privacy) -> None:
    assert read(text).privacy == privacy


@pytest.mark.parametrize(
    ("subject", "text", "intent", "numbers"),
    [
        pytest.param("Jalan rusak", "", "complaint", (), id="only a subject: it is the text"),
        pytest.param("STOP", "", "stop", (), id="a command as the subject alone"),
        pytest.param(f"STATUS {N}", "", "status", (N,), id="a status command as the subject alone"),
        pytest.param(f"STATUS {N}", "Mohon info. Terima kasih. Budi", "status", (N,), id="a status command as subject"),
        pytest.param("Jalan rusak", f"STATUS {N}", "status", (N,), id="a status command as the text"),
        pytest.param("Jalan rusak", "BANTUAN", "help", (), id="a command as the text"),
        pytest.param("Jalan rusak", "tes", "complaint", (), id="a text that says nothing"),
        pytest.param("tes", "tes", "empty", (), id="neither says anything"),
        pytest.param(f"Re: Laporan {N}", "lampunya masih mati", "follow_up", (N,), id="a reply to our mail"),
        pytest.param(f"Bls: RE: Laporan {N}", "Terima kasih", "follow_up", (N,), id="thanks in reply to our mail"),
        pytest.param(f"Re: STATUS {N}", "lampunya masih mati", "follow_up", (N,), id="a reply is no command"),
        pytest.param(f"Laporan {N}", f"sama dengan {M} di gang sebelah", "follow_up", (M, N), id="both name one"),
        pytest.param("LAPOR BARU", f"jalan rusak, seperti {N}", "complaint", (N,), id="LAPOR BARU as the subject"),
        pytest.param("Jalan rusak", "jalan rusak di depan SD", "complaint", (), id="an ordinary mail"),
    ],
)
def test_mail(subject: str, text: str, intent: Intent, numbers: tuple[str, ...]) -> None:
    reading = read(text, subject)
    assert (reading.intent, reading.numbers) == (intent, numbers)


def test_lapor_baru_as_the_subject_of_a_mail_opens_a_case() -> None:
    assert read("jalan rusak", "LAPOR BARU").new_case
    assert not read("jalan rusak", "Re: LAPOR BARU").new_case


def test_the_word_lists_are_settings() -> None:
    words = IntentWords(
        stop=("SUDAHI",), help=("TOLONG",), status=("KABAR",), new_case=("BARU",), meaningless=("halah",)
    )
    texts = ["sudahi", "tolong", f"kabar {N}", "baru jalan rusak", "halah", "STOP", "BANTUAN"]
    read = [classify(text, words=words) for text in texts]
    assert [r.intent for r in read] == ["stop", "help", "status", "complaint", "empty", "complaint", "complaint"]
    assert [r.new_case for r in read] == [False, False, False, True, False, False, False]


def test_empty_word_lists_leave_only_complaints() -> None:
    words = IntentWords(stop=(), help=(), status=(), new_case=(), meaningless=())
    assert {classify(text, words=words).intent for text in ("STOP", "BANTUAN", "LAPOR BARU", "tes")} == {"complaint"}


@given(st.sampled_from([*STOP, *HELP]), st.text(st.sampled_from(" .!,…🙏"), max_size=5), st.booleans())
def test_case_punctuation_and_emoji_do_not_matter_to_a_command(command: str, around: str, upper: bool) -> None:
    typed = command.upper() if upper else command
    end = "" if command == "/start kampanye2026" else around  # the word that the link brings stands alone
    assert read(f"{around}{typed}{end}").intent == read(command).intent


@given(st.text(max_size=300), st.text(max_size=80))
@example("@1" * 10_000, "#" * 10_000)
@example("_" * 20_000, "Re: " * 5_000)
@example("a" * 20_000, "ANONIM " * 3_000)
def test_any_text_can_be_read(text: str, subject: str) -> None:
    reading = read(text, subject)
    assert not (reading.intent in ("stop", "help", "empty") and reading.numbers)
    assert not (reading.new_case and reading.intent != "complaint")


GRAMMARS = {
    "as shipped": Grammar(WORDS, SHIPPED_REGIONS),
    "of other words": Grammar(
        IntentWords(stop=("SUDAHI",), status=("KABAR JALAN",), new_case=("ADA BARU",), meaningless=("jalan",)),
        ("ADA", "Lampu"),
    ),
    "without words": Grammar(
        IntentWords(stop=(), help=(), status=(), new_case=(), meaningless=(), asking=(), report=(), state=(), filler=())
    ),
}
# What the two ways could disagree about: every word that means something to a grammar, whole, spaced, glued to
# digits and in look-alikes, among words that mean nothing to any.
MEANING = sorted(
    {word for words in msgspec.structs.astuple(WORDS) for word in words} | {*SHIPPED_REGIONS, "KABAR JALAN"}
)
PIECES = st.one_of(
    st.sampled_from(MEANING),
    st.sampled_from(MEANING).map(str.title),
    st.sampled_from(MEANING).map(lambda word: word.replace("O", "0").replace("I", "1")),
    st.sampled_from(MEANING).map(lambda word: word + "nya"),
    st.sampled_from(
        ("jalan", "rusak", "Lampu", "mati", "ada", "baru", "saja", "umum", "x", "4x", "3", "RT03", "caf\u00e9")
    ),
    st.sampled_from(
        ("ANONIM", "RAHASIA", "an0nim", "dan", "@lapor1708", "#lapor", "/", "_", "b e r h e n t i", "STOP")
    ),
    st.sampled_from(
        (N, BAD, "482 913 7065", "4.829.137.065", "081234567890", "12345", "1708", "?", "!", "'", "\u0130")
    ),
    st.text(max_size=4),
)
TEXTS = st.builds(
    lambda pieces, between: between.join(pieces),
    st.lists(PIECES, max_size=12),
    st.sampled_from((" ", "  ", ", ", "", "\n")),
)


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())
@given(text=TEXTS)
def test_the_short_way_of_plain_messages_reads_what_the_long_way_reads(grammar: Grammar, text: str) -> None:
    assert grammar.read(text) == grammar.read_closely(readable(text))


@pytest.mark.parametrize("text", [text for _, texts, _, _ in TABLE for text in texts])
def test_the_short_way_and_the_table(text: str) -> None:
    for grammar in GRAMMARS.values():
        assert grammar.read(text) == grammar.read_closely(readable(text))


@pytest.mark.parametrize(
    ("text", "intent", "new_case"),
    [
        pytest.param("LAPOR BARU", "complaint", True, id="a bare LAPOR BARU begins a case"),
        pytest.param("@lapor1708 lapor baru 🙏", "complaint", True, id="behind a mention"),
        pytest.param("", "complaint", False, id="no word at all"),
        pytest.param("tes", "complaint", False, id="a meaningless word"),
        pytest.param(N, "follow_up", False, id="a number alone tells where it belongs"),
        pytest.param(f"STATUS {N}", "status", False, id="a command stays one"),
        pytest.param(f"bagaimana laporan saya {N}?", "status", False, id="a question stays one"),
        pytest.param("BANTUAN", "help", False, id="help"),
        pytest.param("/start", "help", False, id="/start"),
        pytest.param("STOP", "stop", False, id="stop"),
    ],
)
def test_words_beside_a_file_or_a_place(text: str, intent: str, new_case: bool) -> None:
    reading = classify(text, more=True)
    assert (reading.intent, reading.new_case) == (intent, new_case)


@pytest.mark.parametrize(
    ("text", "intent", "numbers", "bad"),
    [
        pytest.param("STATUS 8o5 686 lolo", "status", ("8056861010",), (), id="behind STATUS"),
        pytest.param("cek 8o5 686 lolo dong min", "status", ("8056861010",), (), id="politely"),
        pytest.param("8o5 686 lolo", "status", ("8056861010",), (), id="alone"),
        pytest.param("no 8o5 686 lolo ?", "status", ("8056861010",), (), id="alone, with words round it"),
        pytest.param("STATUS 8o5 686 loll", "status", (), ("8056861011",), id="mistyped"),
        pytest.param("STATUS I 8056861010", "status", ("8056861010",), (), id="a word beside a whole number"),
        pytest.param("rumah saya di 8o5 686 lolo kebanjiran", "complaint", (), (), id="in free text: words"),
        pytest.param("STATUS lol oil 1010", "complaint", (), (), id="fewer digits than letters: words"),
    ],
)
def test_a_group_of_letters_alone_is_digits_where_a_number_is_meant(
    text: str, intent: str, numbers: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    reading = classify(text)
    assert (reading.intent, reading.numbers, reading.bad_numbers) == (intent, numbers, bad)
