"""The language of a short message, by its small words: Indonesian, English, Javanese, Sundanese, or too short to tell.

General identifiers take short Indonesian texts for Malay and stumble over the spelling of text messages. The words
here are those that people use in complaints, in the spellings they type. A word that only one of the four
languages has brings it two points; a shared one, or an ending, brings one to each that has it. Words that
Javanese and Sundanese borrow from Indonesian count as shared, so that they never outweigh a language's own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from normalizer.event import Language

MAX_LENGTH = 20_000
MAX_REMEMBERED, MAX_WORD = 50_000, 24
"""Bounds of the words that are remembered, and of each one's letters."""
_ENOUGH = {"id": 2, "en": 3, "jv": 3, "su": 3}
"""Points without which nothing is said. For a language that is not the default one word is too few ("HELP")."""

# The first wins a tie: Indonesian is the default of the service, and what loans alone add up to.
_LANGUAGES: tuple[Language, ...] = ("id", "en", "jv", "su")

_BORROWED = """
    di d jalan jln jl rusak lampu lampune mati banjir sekolah puskesmas laporan lapor warga desa kecamatan
    kabupaten kelurahan pemerintah bantuan listrik dokter guru pasien pak bu bapak ibu rt rw kota kampung pasar
    mobil motor truk bupati camat lurah gubernur walikota rumah sampah jembatan macet anak obat petugas hujan
    kali kepala dinas
"""
_OWN: dict[Language, str] = {
    "id": """
        yang yg yng tidak tdk gak nggak enggak ngga gk tak sudah udah udh sdh dah belum blm blum dengan dgn dg
        dngn untuk utk buat krn karena krna karna bagaimana gimana gmn gmna bgmn kenapa knp knapa kapan kpn bisa
        bs akan juga jg jga oleh kepada kpd mohon tolong tlg tlng mhn terima kasih makasih trims selamat pagi
        siang malam saya sy kami aku gue gw kamu ini itu tersebut tsb bgt banget aja doang dong donk sih kok nih
        loh deh sangat sekali skali sejak selama setiap tiap hari bulan bln tahun thn minggu mgg kemarin kmrn
        besok sekarang skrg skrang harus hrs jangan jgn punya masih msh atau atw tapi tp namun agar supaya spy
        seperti sprti sampai smpe sampe smp ada adalah adl pungli berlubang bolong perbaikan diperbaiki perbaiki
        segera sgera kita mereka dia siapa mengapa dimana kemana berapa brp sering srg lebih lbh kurang krg
        banyak bnyk byk semua smua orang org padam mengalir ngalir mampet bau kotor antri antrian layanan
        pelayanan uang biaya dipungut meminta minta membayar bayar sekian ke dari dr pada pd dan dlm dalam sdg
        sedang lg lagi air aer atas bawah depan dpn belakang samping dekat dkt besar kecil baru lama sama sm mau
        mw apakah bila kalau kalo klo kl kan lah pun para oknum parit tiang pohon tumbang sungai got saluran
        genangan tergenang gelap bahaya berbahaya kecelakaan rawan gaji bansos blt pkh ktp kk surat urus
        mengurus dipersulit ditolak tanggapan tanggap respon respons terimakasih hp gmana knpa ud uda gada ga
        gapernah kpan tlong pdhl padahal karyawan pabrik limbah asap berisik bising parkir liar trotoar
        aspal disini disana sini sana kah gimn dmn dmna
        """,
    "en": """
        the is are was were have has had been not and this that with from there they our your please pls street
        road broken report complaint water light lights garbage trash flood flooded flooding school hospital
        bridge want would should could cannot can't don't doesn't isn't haven't because since when where why how
        what who which very many much every days weeks months week month year years yesterday today still
        already nobody anyone someone help near front of for it we you my he she being also about after before
        into through fix fixed repair repaired working works hello thanks thank morning dear sir madam officer
        officers government village dirty smell smells dangerous hole holes pothole potholes traffic electricity
        power outage keep name secret need needs asked money bribe nurse medicine teacher will be to on at if so
        but or all any out their his her them us it's i'm i've in a an am as by do does did go get two me area
        house again more than over under between collected river tree fallen full night open closed says
        """,
    "jv": """
        sing ora ono ana iki kuwi iku kula kulo sampun dereng durung wis uwis menika punika niki niku ingkang
        wonten dalan dalane dalanipun banyu banyune piye pripun kepriye kepiye kados nggih inggih mboten boten
        mawon saking kaliyan karo kanggo kangge ning neng nang wae bae tulung tulungi nyuwun panjenengan
        sampeyan njenengan omah griya wong tiyang dadi akeh kathah gedhe gede cilik matur suwun nuwun mergi
        margi merga amarga arep badhe isih taksih nganti ngantos saben dinten dina tansah rusake ajur ngertos
        mangertos pundi endi pira piro pinten larang dhuwit duwit bocah lare sesuk wingi saiki sakniki sakmenika
        jeglongan peteng udan udane kalen mambu resik reged didandani dandani ndang enggal awit lan opo apa sak
        yo aku kowe mung yen menawi ngisor nduwur kudu dipun kene kono sakiki sareng didandakake
        wedi wates kok telung rong limang sewulan seminggu bengi esuk awan
        """,
    "su": """
        nu teu henteu aya ieu eta abdi kuring jeung sareng atos tos parantos geus teh mah atuh kumaha naon iraha
        mun lamun pisan hoyong nyuhunkeun punten hatur nuhun cai caina lembur imah anu teras dina jalanna
        rusakna acan tacan encan keur loba seueur kunaon saur bade dugi kadieu didieu diditu dieu sok oge
        ngan mung tiasa dibereskeun dilereskeun didangdosan dangdosan poek walungan sasak sakola budak barudak
        panginten muhun sumuhun leres upami kedah kudu ulah ti ka tina caah liang legok euweuh teuing rorompok
        hayang artos wae kanggo urang sabab lami hiji dua minggon solokan palih bumi listrikna lampuna bapa kang
        pareum ngalir runtuh reksak ruksak
        """,
}
_ENDINGS: dict[Language, str] = {
    "id": "nya kan lah kah",
    "en": "ing ion ted ght",
    "jv": "ake pun ane ine",
    "su": "eun una ana",
}
_ACCENTS = str.maketrans("éèêÉÈÊ", "eeeeee")
# What is no letter parts words. On bytes a table and split() take a third of the time of a table on text.
_BLANKS = "".join(chr(code) if chr(code).isalpha() or chr(code) == "'" else " " for code in range(128))
_ASCII_BLANKS = _BLANKS.lower().encode().ljust(256)


# Four counters in one integer, so that a whole text is added up in one go.
_BITS = 16
_COUNTERS = struct.Struct(f"<{len(_LANGUAGES)}H")


class _Points(dict[str, int]):
    """The points of each word; a word that is not listed is judged by its ending, and remembered."""

    def __missing__(self, word: str) -> int:
        points = _BY_ENDING.get(word[-3:], 0) if len(word) > 4 else 0
        if len(self) < MAX_REMEMBERED and len(word) <= MAX_WORD:
            self[word] = points
        return points


def _points() -> _Points:
    had: dict[str, set[int]] = {word: {0, 2, 3} for word in _BORROWED.split()}
    for at, language in enumerate(_LANGUAGES):
        for word in _OWN[language].split():
            had.setdefault(word, set()).add(at)
    return _Points(
        (word, sum((2 if len(places) == 1 else 1) << (at * _BITS) for at in places)) for word, places in had.items()
    )


_BY_ENDING = {
    ending: 1 << (at * _BITS) for at, language in enumerate(_LANGUAGES) for ending in _ENDINGS[language].split()
}
_POINTS = _points()


def detect(text: str) -> Language:
    """The language of a text, ``""`` where it is too short, or too unlike all four, to tell.

    Looks at the first 20,000 characters.
    """
    return spoken(words(text))


def words(text: str) -> list[str]:
    """The words of the first 20,000 characters of a text: lower case, letters and apostrophes alone, no accents."""
    text = text[:MAX_LENGTH]
    if text.isascii():
        return text.encode().translate(_ASCII_BLANKS).decode().split()
    return text.lower().translate(_ACCENTS).translate(_BLANKS).split()


def spoken(words: Iterable[str]) -> Language:
    """What :func:`detect` tells of a text with these words."""
    return _best(sum(map(_POINTS.__getitem__, words)))


@lru_cache(maxsize=4096)
def _best(points: int) -> Language:
    """The language with the most of these points; short messages differ in few of them."""
    scores = _COUNTERS.unpack(points.to_bytes(_COUNTERS.size, "little"))
    best = max(scores)
    language = _LANGUAGES[scores.index(best)]
    return language if best >= _ENOUGH[language] else ""
