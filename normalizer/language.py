"""The language of a short message, by its small words: Indonesian, English, Javanese, Sundanese, or too short to tell.

General identifiers take short Indonesian texts for Malay and stumble over the spelling of text messages. The words
here are those that people use in complaints, in the spellings they type. A word that only one of the four
languages has brings it two points; a shared one, or an ending, brings one to each that has it. Words that
Javanese and Sundanese borrow from Indonesian count as shared, so that they never outweigh a language's own; so do
the English words that Indonesian messages use as theirs ("update dong", "wifi down").
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import lru_cache

from normalizer.event import Language

MAX_LENGTH = 20_000
MAX_REMEMBERED, MAX_WORD = 50_000, 24
"""Bounds of the words that are remembered, and of each one's letters."""
_ENOUGH = {"id": 2, "en": 3, "jv": 3, "su": 3}
"""Points without which nothing is said. For a language that is not the default one word is too few ("HELP")."""

# The first wins a tie: Indonesian is the default of the service, and what borrowed words alone add up to.
_LANGUAGES: tuple[Language, ...] = ("id", "en", "jv", "su")

_BORROWED = """
    di d jalan jln jl rusak lampu lampune mati banjir sekolah puskesmas laporan lapor warga desa kecamatan kabupaten
    kelurahan pemerintah bantuan listrik dokter guru pasien pak bu bapak ibu rt rw kota kampung pasar mobil motor truk
    bupati camat lurah gubernur walikota rumah sampah jembatan macet anak obat petugas hujan kali kepala dinas ya bang
    kak mas mbak cak rek min admin kantor toko warung masjid gereja halte terminal stasiun gang komplek perumahan kampus
    lapangan jembatannya trotoar tiang kabel lubang tanah longsor angin api kebakaran bocor putus ambruk roboh mampet
    rawan penuh aman lancar gratis dana rencana bencana pidana sarana senin selasa rabu kamis jumat sabtu januari
    februari april juni juli agustus oktober desember taksi bis angkot ojek kereta sepeda solar bensin pupuk beras
    minyak ternak ayam kucing anjing kambing sapi tikus nyamuk demam kartu surat formulir pajak denda karcis loket
    polisi tentara satpol pos ronda kades kelas murid siswa ijazah vaksin pemkot pemda pemprov polsek polres dishub
    dinsos disdukcapil pdam pln bpjs spbu damkar tempat bakar piring keluarga lokasi daerah pihak parkir masyarakat
    bagian kosong harga daging sore pelayanan
"""
# English words that Indonesian messages use as their own, and the few that Indonesian or another language of the
# country spells alike ("a/n"): one point for each of the two. Loans alone tell nothing ("check status").
_LOANS = """
    update error status online offline internet link file email server website web login logout wifi app upload download
    form share request complain urgent sorry ok oke follow up down full booking info fix barcode valid cctv hoax chaos
    traffic light street food mall busway flyover underpass security parking call center pick meeting deadline feedback
    fair password reset stuck jogging track loading chat bot robot video foto scan submit pending reply cancel code kode
    asap fyi on off so he no i y u via transfer check cross slow report bus taxi car free got plastic speed bump
    location deposit refund member reject approve approved failed sms telepon plus data system operator customer service
    test testing tracking print by post cat die made pay market live problem staff shop photo card hi sale promo event
    boss sign park block lamp get pole city spot hotel a
"""
_OWN: dict[Language, str] = {
    "id": """
        yang yg yng tidak tdk gak nggak enggak ngga gk tak sudah udah udh sdh dah belum blm blum dengan dgn dg dngn
        untuk utk buat krn karena krna karna bagaimana gimana gmn gmna bgmn kenapa knp knapa kapan kpn bisa bs akan juga
        jg jga oleh kepada kpd mohon tolong tlg tlng mhn terima kasih makasih trims selamat pagi siang malam saya sy
        kami aku gue gw kamu ini itu tersebut tsb bgt banget aja doang dong donk sih kok nih loh deh sangat sekali skali
        sejak selama setiap tiap hari bulan bln tahun thn minggu mgg kemarin kmrn besok sekarang skrg skrang harus hrs
        jangan jgn punya masih msh atau atw tapi tp namun agar supaya spy seperti sprti sampai smpe sampe smp ada adalah
        adl pungli berlubang bolong perbaikan diperbaiki perbaiki segera sgera kita mereka dia siapa mengapa dimana
        kemana berapa brp sering srg lebih lbh kurang krg banyak bnyk byk semua smua orang org padam mengalir ngalir bau
        kotor antri antrian layanan uang biaya dipungut meminta minta membayar bayar sekian ke dari dr pada pd dan dlm
        dalam sdg sedang lg lagi air aer atas bawah depan dpn belakang samping dekat dkt besar kecil baru lama sama sm
        mau mw apakah bila kalau kalo klo kl kan lah pun para oknum parit pohon tumbang sungai saluran genangan
        tergenang gelap bahaya berbahaya kecelakaan gaji bansos blt pkh ktp kk urus mengurus dipersulit ditolak
        tanggapan tanggap respon respons terimakasih hp gmana knpa ud uda gada ga gapernah kpan tlong pdhl padahal
        karyawan pabrik limbah berisik bising liar aspal disini disana sini sana kah gimn dmn dmna bukan bkn bkan betul
        btl bener benar salah maaf maap mf permisi halo hai iya iy yoi sip siap baik baiklah terus trus trs teruss bikin
        bwt pakai pake cepat cepet cpt lambat lelet mlm pg pgi sre kmren kemaren dulu dlu duluan tadi td nanti ntar nti
        sebentar bentar lusa hingga apalagi meskipun walaupun ataupun maupun bahkan hanya cuma cm cuman tetap ttp tetep
        emang emg memang katanya kata ktnya mulu mlulu melulu kagak kaga ngak nda ndak tra kelen kalian km kmu anda elu
        lu gua aq ak ku beliau mu nunggu tunggu menunggu nanya tanya bertanya tny bilang ksh kirim krm dikirim datang
        dtg dateng pergi pulang masuk msk keluar klr buka tutup ditutup dibuka lewat lwt ikut pernah prnh gapapa gpp
        tersumbat menumpuk numpuk meluap menimpa terganggu ganggu mengganggu diangkut diaspal dibenerin benerin betulin
        dibetulin diganti ditanggapi ditanggepin dibales dibls balas bales bls dijawab jawab jawaban proses diproses
        ditindak lanjut lanjuti tindak menindak melapor melaporkan dilaporkan ngelapor lapornya rumahnya penting pusing
        kuning miring kering keliling maling pencuri asing masing dinding tebing ranting kencing cacing puting seberang
        sebelah sblh sebrang arah wilayah alamat nomor nmr nomer susah sulit mudah gampang murah mahal jelek bagus parah
        mulus bersih keruh busuk licin rusaknya takut kasihan kasian capek cape kesal kecewa marah sakit luka korban
        meninggal tewas hilang ilang jatuh jatoh tolongin bantu bantuin dibantu membantu butuh perlu pengen ingin pingin
        jadi jd gara gr dekatnya tengah pinggir ujung pojok persimpangan perempatan simpang menuju lingkungan penduduk
        tetangga kakak adik pemuda lansia bayi balita melahirkan jelas jls sesuai daftar terdaftar pendaftaran mendaftar
        cair dicairkan potong dipotong jual dijual beli kehabisan habis hbs abis stok tersedia lapar jernih minum makan
        tidur mandi hidup nyala menyala matiin redup terang lampunya airnya jalannya jalanan setinggi selutut sepaha
        terjebak hanyut evakuasi perahu tenda logistik posko akibat sebab setelah sebelum stlh sblm ketika saat sewaktu
        selalu slalu kadang jarang langsung lgsg lsg pasti mungkin mgkn kayak kyk kek kaya gitu gt gini begini begitu
        bgitu wah duh aduh waduh astaga ampun yaudah yaudh lho tu tuh dunk yuk ayo mari cemana macam bos bro sis gan om
        tante kakek nenek warganya assalamualaikum waalaikumsalam ane ente awak ambo sa ko kitong torang kitorang beta
        nyanda seng tabe mi ji ki pi paling saling keping kuping gading banding merinding pening bening jaring pedagang
        kendaraan pengendara menutup menutupi merusak membuang dibuang dibakar terbakar dicuri kecurian begal tawuran
        narkoba judi miras dipukul diancam ancam bohong ditipu penipuan calo ditahan disuruh suruh dilempar ditambal
        tambal amblas ambles retak longsornya dibongkar dipasang pasang terpasang dicek cek ngecek diurus ngurus
        bansosnya mengungsi pengungsi selesai kelar beres rampung gelandangan pengemis pengamen merokok n
        """,
    "en": """
        the is are was were have has had been not and this that with from there they our your please pls road broken
        complaint water lights garbage trash flood flooded flooding school hospital bridge want would should could
        cannot can't don't doesn't isn't haven't because since when where why how what who which very many much every
        days weeks months week month year years yesterday today still already nobody anyone someone help near front of
        for it we you my she being also about after before into through fixed repair repaired working works hello thanks
        thank morning dear sir madam officer officers government village dirty smell smells dangerous hole holes pothole
        potholes electricity power outage keep name secret need needs asked money bribe nurse medicine teacher will be
        to at if but or all any out their his her them us it's i'm i've in an am as do does did go two me area house
        again more than over under between collected river tree fallen night open closed says anybody everybody everyone
        everything nothing something here same another other others such own few some most least less enough too now
        then soon later ago tomorrow tonight afternoon evening weekend sunday monday tuesday wednesday thursday friday
        saturday hour hours minute minutes once twice three four five six seven eight nine ten first second last next
        new old good bad better worse worst great nice terrible awful horrible ridiculous beautiful big small long short
        high low deep fast quick quickly safe unsafe afraid scared angry hurt sick ill dead died dying alive hungry lost
        found find stolen steal thief robbed robbery crime police fire burn burning smoke noise noisy loud music dust
        mud sewage drain drains drainage gutter clogged blocked blocks blocking leak leaks leaking pipe pipes tap pump
        well sidewalk footpath pavement manhole cable wire wires poles lamps bulb dark damaged damage destroyed crack
        cracked collapse collapsed sinking accident accidents crash crashed hit cars truck trucks bike bikes motorbike
        motorbikes motorcycle driver drivers vehicle vehicles illegal illegally license licence permit passport visa
        certificate identity document documents application register registered registration birth death marriage
        married tax taxes fee fees paid price charge charged cost costs insurance clinic doctor doctors ambulance
        patient patients pharmacy vaccine child children kid kids baby boy girl son daughter wife husband family mother
        father people person man woman men women neighbour neighbours neighbor neighbors friend friends citizen citizens
        tourist tourists foreigner stranger dog dogs cats animal animals rat rats snake mosquito mosquitoes building
        buildings roof wall door gate room shops store factory farm field beach sea land landslide earthquake storm wind
        rain raining rains rise rising entrance corner side behind beside across along against around away back inside
        outside left right until till during while whether although though answer answers answered ask asking say said
        tell told speak spoke called calling write wrote sent send sending receive received replied respond responded
        response wait waited waiting come comes came coming gone went give gave given take took taken make see saw seen
        look looks looking know knew known think thought feel believe hope wish like try tried kept let put run use used
        using living stay stop stopped start started begin happen happened happening change changed remove removed clean
        cleaned cleaning clear empty fill throw throwing thrown dump dumped dumping picked cut fall falling fell stand
        sit solve solved solution issue issues problems trouble question questions wrong correct true false number
        numbers address phone message messages letter letters picture pictures photos attach attached attachment case
        cases details information news progress result results reason services public private town district office
        opening close closing hey yes yeah yep nope welcome excuse mister mr mrs kindly regards cheers thx thankyou plz
        ur im ive dont doesnt isnt cant wont didnt couldnt wouldnt shouldnt hasnt havent wasnt arent won't didn't
        couldn't wouldn't shouldn't hasn't wasn't weren't aren't that's what's where's who's there's you're they're
        we're i'll you'll we'll i'd let's may might must shall these those themselves myself yourself itself whose whom
        without within above below only just even ever never always often sometimes usually maybe perhaps really quite
        almost finally able available possible impossible different important responsible ready busy late early slowly
        english language translate job worked worker workers homeless knee rubbish litter waste blackout electric socket
        heat cold hot warm smelly stinks stink brown muddy black white red green uncollected unanswered unfinished broke
        break breaks breaking falls fixing repairing answering
        """,
    "jv": """
        sing ora ono ana iki kuwi iku kula kulo sampun dereng durung wis uwis menika punika niki niku ingkang wonten
        dalan dalane dalanipun banyu banyune piye pripun kepriye kepiye kados nggih inggih mboten boten mawon saking
        kaliyan karo kanggo kangge ning neng nang wae bae tulung tulungi nyuwun panjenengan sampeyan njenengan omah
        griya wong tiyang dadi akeh kathah gedhe gede cilik matur suwun nuwun mergi margi merga amarga arep badhe isih
        taksih nganti ngantos saben dinten dina tansah rusake ajur ngertos mangertos pundi endi pira piro pinten larang
        dhuwit duwit bocah lare sesuk wingi saiki sakniki sakmenika jeglongan peteng udan udane kalen mambu resik reged
        didandani dandani ndang enggal awit lan opo apa sak yo aku kowe mung yen menawi ngisor nduwur kudu dipun kene
        kono sakiki sareng didandakake aja ngarep mburi omahe omahku uwuh uwuhe lagi tanggane tanggaku jeneng jenengku
        mbuwang njaluk njupuk listrike pabrike banjire sampahe kaline krungu weruh kabeh wit kreteg dugi nopo ngaten
        ngoten menapa punapa sanget sanes mangga monggo ngapunten sepurane ngapura nggawe digawe disuwuni lunyu kobong
        kebanjiran sugeng enjing dalu sonten mili murub kawit blas ket tekan seko saka marang suwe gelem nesu wedi wates
        kok telung rong limang sewulan seminggu bengi esuk awan karep dewe dhewe liyane ngomong krana mlaku teko mangan
        ngombe turu lunga mulih tuku regane larange kepengin pengin njur banjur nalika rina mben onok ngene ngono
        mengkono mengkene rasane ngendi nengendi ngapa ngopo banget kaya cepet pengen gampang tetep ilang butuh pingin
        rampung kurang ing uga isa iso tenan panggonan panggon sek dinggo nganggo luwih utawa wektu mbengi adoh ae suwi
        nggarai mlebu padha mrene entuk golek siji loro kudune mbayar podo gawe mbalik rega sampek yaiku teka
        """,
    "su": """
        nu teu henteu aya ieu eta abdi kuring jeung sareng atos tos parantos geus teh mah atuh kumaha naon iraha mun
        lamun pisan hoyong nyuhunkeun punten hatur nuhun cai caina lembur imah anu teras dina jalanna rusakna acan tacan
        encan keur loba seueur kunaon saur bade dugi kadieu didieu diditu dieu sok oge ngan mung tiasa dibereskeun
        dilereskeun didangdosan dangdosan poek walungan sasak sakola budak barudak panginten muhun sumuhun leres upami
        kedah kudu ulah ti ka tina caah liang legok euweuh teuing rorompok hayang artos wae kanggo urang sabab lami hiji
        dua minggon solokan palih bumi listrikna lampuna bapa kang tulungan ayeuna kamari peuting unggal isuk wengi jadi
        gandeng sumping waler diwaler naros nami tangkal rubuh ngahalangan miceun runtahna lila keneh kahuruan imahna
        tatangga kabeh saha sanes teuas bae geuning mangga hampura hapunten ngadamel nyieun dianggo kana nepi tuur lebet
        kaluar payun payuneun gigir pareum ngalir runtuh reksak ruksak rek bogoh hese gampil meuli menta mere nyaeta
        nyeri ari maneh anjeun manehna sadaya sadayana jalma jalmi urut acanna terang nyaho terangkeun leuwih saeutik
        saalit gancang enggal geura engke baheula kapungkur dinten poe taun wilujeng enjing sonten ku bener cape maling
        kusabab na deui ge sae tempatna sababaraha sapertos kitu atawa waktos sami nuju tebih langkung nembe gaduh naha
        liwat moal rebu beresih dahar ageung sasih nganggo rada janten
        """,
}
_ENDINGS: dict[Language, str] = {
    "id": "nya kan lah kah",
    "en": "ing ion ted ght",
    "jv": "ake pun ane ine",
    "su": "eun una ana",
}
# Telephones put the typographer's apostrophe into "don't" by themselves, and quotes and dashes around words.
_ACCENTS = str.maketrans("éèêÉÈÊ’‘“”…–—", "eeeeee'      ")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
# What is no letter parts words. On bytes a table and split() take a third of the time of a table on text.
_BLANKS = "".join(chr(code) if chr(code).isalpha() or chr(code) == "'" else " " for code in range(128))
_ASCII_BLANKS = _BLANKS.lower().encode().ljust(256)


# Four counters in one integer, so that a whole text is added up in one go.
_BITS = 16
_COUNTERS = struct.Struct(f"<{len(_LANGUAGES)}H")


class _Points(dict[str, int]):
    """The points of each word. One that is not listed is judged once, and remembered.

    It is looked up without its drawn-out letters ("matiiii"), and failing that judged by its ending.
    """

    def __missing__(self, word: str) -> int:
        points = self.get(_DRAWN_OUT.sub(r"\1", word), 0)
        if not points and len(word) > 4:
            points = _BY_ENDING.get(word[-3:], 0)
        if len(self) < MAX_REMEMBERED and len(word) <= MAX_WORD:
            self[word] = points
        return points


def _points() -> _Points:
    """Of every word its points: two for a language that has it alone, one for each that shares it."""
    languages = dict.fromkeys(_BORROWED.split(), 0b1101)
    for word in _LOANS.split():
        languages[word] = languages.get(word, 0) | 0b0011
    for at, language in enumerate(_LANGUAGES):
        for word in _OWN[language].split():
            languages[word] = languages.get(word, 0) | 1 << at
    worth = [
        sum((2 if shared.bit_count() == 1 else 1) << (at * _BITS) for at in range(len(_LANGUAGES)) if shared >> at & 1)
        for shared in range(1 << len(_LANGUAGES))
    ]
    return _Points({word: worth[shared] for word, shared in languages.items()})


_BY_ENDING = {
    ending: 1 << (at * _BITS) for at, language in enumerate(_LANGUAGES) for ending in _ENDINGS[language].split()
}
_POINTS = _points()


def detect(text: str) -> Language:
    """The language of a text, ``""`` where it is too short, too unlike all four, or as much Indonesian as English.

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
    if language == "id" and scores[_LANGUAGES.index("en")] == best:
        return ""
    return language if best >= _ENOUGH[language] else ""
