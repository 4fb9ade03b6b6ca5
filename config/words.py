"""The words that messages are read with, as shipped: settings of ``[rules]``, and of the SMS channels."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STOP: tuple[str, ...] = ("BERHENTI", "STOP", "UNREG", "/stop")
"""As the whole message: no more news to this sender. A word with a slash is a bot command, in every list."""

HELP: tuple[str, ...] = ("BANTUAN", "HELP", "INFO", "CARA LAPOR", "/start", "/help", "/bantuan")
"""As the whole message: how to complain."""

STATUS: tuple[str, ...] = ("STATUS", "CEK", "CEK STATUS", "/status", "/cek")
"""In front of a number, or alone: the state of a case."""

NEW_CASE: tuple[str, ...] = ("LAPOR BARU", "/laporbaru", "/lapor_baru")
"""In front of a text: a new case, whatever follows."""

MEANINGLESS: tuple[str, ...] = _words(
    "tes test testing tess coba halo hallo hello hai hi hey p ping assalamualaikum assalamu alaikum alaykum"
    " asalamualaikum askum ass wr wb warahmatullahi wabarakatuh salam permisi punten kulonuwun misi selamat slmt"
    " met pagi siang sore malam good morning afternoon evening min admin mimin pak bu bapak ibu kak kakak gan bang"
    " mas mbak bos sis bro om terima kasih terimakasih makasih mksh trims tks thx thanks thank you suwun nuwun"
    " nuhun matur hatur ok oke okay okey okeh siap sip baik baiklah noted"
)
"""A message of such words alone says nothing: greetings, thanks, tests."""

ASKING: tuple[str, ...] = _words(
    "bagaimana gimana gmn gmna gimn gmana bgmn bgaimana apa apakah apkh kapan kpn mana dimana dmn sejauh status"
    " cek dicek sts stts kabar kbr info informasi update perkembangan progres progress kelanjutan tanya nanya bertanya"
    " kumaha iraha piye pripun kepriye what how when where is any check ask"
)
"""A question about one's report: asking, report, state and filler words round its number, and hardly one more."""

REPORT: tuple[str, ...] = _words("laporan lap lapor aduan pengaduan keluhan tiket ticket report complaint case kasus")
"""What citizens call a report, in a question about it."""

STATE: tuple[str, ...] = _words(
    "selesai beres kelar diproses proses diterima diteruskan ditanggapi ditangani dikerjakan ditindaklanjuti"
    " ditindak tindak lanjut tindaklanjut hasil jawaban dijawab tanggapan respon respons sampai smpe sampe sudah"
    " udah udh sdh dah belum blm blum done finished resolved handled processed answered yet been has news"
)
"""What may have become of a report, in a question about it."""

FILLER: tuple[str, ...] = _words(
    "no nomor nomer nmr number num kode id tracking lacak saya sy aku kami ku my our ini itu tsb tersebut yang yg"
    " dgn dengan untuk utk atas tentang ttg soal dari dr tadi kemarin kmrn kmarin nya ya yah dong donk sih nih deh"
    " kok mohon mhn tolong tlg tlong minta mnt mau ingin please pls the of for on about with and halo hallo hai hi"
    " hello selamat pagi siang sore malam pak bu bapak ibu min admin mimin kak mas mbak gan bang bos di ke"
    " assalamualaikum"
)
"""What stands between the words of a question and says nothing by itself."""

REGIONS: tuple[str, ...] = _words(
    "BALIKPAPAN BANDUNG BANDUNGKAB BANJARBARU BANJARMASIN BANTUL BATAM BEKASI BENGKULU BOGOR BOJONEGORO CILEGON"
    " CIMAHI DENPASAR DEPOK INDRAMAYU JOGJA KENDARI KUPANG LOMBOK MAKASSAR MALANG MEDAN PALEMBANG PEKANBARU"
    " PONTIANAK SAMARINDA SEMARANG SERANG SLEMAN SURABAYA SURAKARTA TANGKAB TANGKOT TANGSEL"
)
"""Region keywords of 1708, in front of a text (``TANGKAB jalan rusak``); an agency adds its own."""
