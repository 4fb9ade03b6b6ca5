"""Rows 7, 13 and 14: what opens a case, what is a flood, and digits that are no tracking number."""

from __future__ import annotations

from tests.conversation.story import Closing, Rule, Says, Step, Together, after, row, says
from tests.conversation.tables.scenery import DM, EMAIL, GROUP, MENTION, ROAD, SMS, TELEGRAM, WASTE


def many(count: int, **more: object) -> list[Says]:
    """Different complaints, three seconds apart."""
    return [says(f"Lampu jalan di gang {word} mati", after=3, **more) for word in _GANGS[:count]]


_GANGS = ["mawar", "melati", "kenanga", "anggrek", "dahlia", "flamboyan", "cempaka", "kamboja", "teratai", "seroja"]

COUNTED = "within a batch edits count as messages; those of earlier batches do not"

# fmt: off
NEW_CASE = (
    row("in an open conversation", SMS, [ROAD], f"LAPOR BARU {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("in lower case with a comma", SMS, [ROAD], f"lapor baru, {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("a zero for the O", SMS, [ROAD], f"LAP0R BARU {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("full-width letters", SMS, [ROAD], f"ＬＡＰＯＲ ＢＡＲＵ {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("glued together", SMS, [ROAD], f"laporbaru {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("/laporbaru", TELEGRAM, [ROAD], f"/laporbaru {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("in a reply to our answer", TELEGRAM, [ROAD], says(f"LAPOR BARU {WASTE}", answers="reply 1"), "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("naming the older case", SMS, [ROAD], "LAPOR BARU sama seperti {case1} tapi di gang sebelah", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("a command behind it", SMS, [ROAD], "LAPOR BARU STATUS {case1}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("stop behind it", SMS, [ROAD], "LAPOR BARU stop pungli", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("the same words as before behind it", SMS, [ROAD], f"LAPOR BARU {ROAD}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("behind a mention", MENTION, [ROAD], f"LAPOR BARU {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("behind ANONIM", SMS, [ROAD], f"ANONIM LAPOR BARU {WASTE}", "complaint", Rule.NEW_CASE, "new", "acknowledgement", flags="anonymous"),
    row("as a mail's subject", EMAIL, [ROAD], says(WASTE, subject="LAPOR BARU", answers="reply 1"), "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("under a photo", TELEGRAM, [ROAD], says("LAPOR BARU", photo=True), "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("under a place", TELEGRAM, [ROAD], says("lapor baru 🙏", place=True), "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("in a flood", MENTION, [*many(10)], says(f"LAPOR BARU {WASTE}", after=3), "complaint", Rule.NEW_CASE, "new", "acknowledgement"),
    row("it has just happened", SMS, [ROAD], "Lapor baru saja ada kecelakaan di sana", "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("not in front", SMS, [ROAD], "Apa saya harus lapor baru kali ini ya", None, Rule.CONVERSATION, "case1", "joined"),
)

FLOOD = (
    row("the tenth in a minute", MENTION, many(9), says(WASTE, after=3), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the eleventh in a minute", MENTION, many(10), says(WASTE, after=3), "complaint", Rule.FLOOD, "case10", "flood"),
    row("the twelfth in a minute", MENTION, [*many(10), says(WASTE, after=3)], says("Air mati di sini", after=3), "complaint", Rule.FLOOD, "case10", None),
    row("by mail", EMAIL, many(10), says(WASTE, after=3), "complaint", Rule.FLOOD, "case10", "flood"),
    row("in a group", GROUP, many(10), says(WASTE, after=3), "complaint", Rule.FLOOD, "case10", "flood"),
    row("the eleventh, over more than a minute", MENTION, many(10), says(WASTE, after=34), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a flood within ten minutes of the last", EMAIL, [*many(10), says(WASTE, after=3), after(minutes=9), *(says(f"{one.text} lagi", after=3) for one in many(10)[1:]), says("Air kotor", after=3)], says("Air bau", after=3), "complaint", Rule.FLOOD, "case20", None),
    row("a flood ten minutes after the last", EMAIL, [*many(10), says(WASTE, after=3), after(minutes=10), *(says(f"{one.text} lagi", after=3) for one in many(10))], says("Air bau", after=3), "complaint", Rule.FLOOD, "case20", "flood"),
    row("others' messages do not count", MENTION, many(10), says(WASTE, by="a neighbour", after=3), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("in private the open case takes them all", SMS, many(10), says(WASTE, after=3), "complaint", Rule.CONVERSATION, "case1", None, in_all=2),
    row("commands go on in a flood", EMAIL, many(10), says("STATUS {case3}", after=3), "status", Rule.STATUS, None, "status case3"),
    row("the eleventh, all in one batch", MENTION, [], Together((*many(10), says(WASTE, after=3))), "complaint", Rule.FLOOD, "case10", "flood"),
    row("a flood that never opened a case", MENTION, [says("tes", after=3) for _ in range(11)], says(WASTE, after=3), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("edits do not count", MENTION, [ROAD, *(says(f"{ROAD} {word}", edits="message 1", after=1) for word in _GANGS)], says(WASTE, after=3), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("edits do not count in one batch either", MENTION, [ROAD], Together((*(says(f"{ROAD} {word}", edits="message 1", after=1) for word in _GANGS), says(WASTE, after=3))), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)

COMPLAINT = (
    row("a complaint", SMS, [], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a complaint", TELEGRAM, [], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a complaint", GROUP, [], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a complaint", MENTION, [], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a complaint", DM, [], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a complaint", EMAIL, [], says(ROAD, subject="Jalan rusak"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an aspiration", SMS, [], "Usul: tolong dibangun taman bermain di RW 5", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a request for information", SMS, [], "Kapan jadwal vaksin di puskesmas Ciputat?", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the words of text messages", SMS, [], "jln dpn sd3 rusak prh blm dbnrin jg smp skrg", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("CEK and a number plate", SMS, [], "cek plat B 1234 XYZ parkir di trotoar", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("CEK and a parcel's number", SMS, [], "cek resi JP1234567890 belum sampai", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("CEK and a bank account", SMS, [], "cek rek 1234567890 a.n. Joko penipu", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("CEK as a word of its own", SMS, [], "cek jalan rusak di Jl Mawar", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("STATUS as a word of its own", SMS, [], "STATUS jalan ini milik siapa, kabupaten atau provinsi", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("two people, the same words", SMS, [ROAD], says(ROAD, by="a neighbour"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a region in front", SMS, [], "TANGKAB jalan rusak di Cisauk", "complaint", Rule.COMPLAINT, "new", "acknowledgement", region="TANGKAB"),
    row("a region in lower case with a colon", SMS, [], "banjarbaru: lampu jalan mati", "complaint", Rule.COMPLAINT, "new", "acknowledgement", region="BANJARBARU"),
    row("a region behind ANONIM", SMS, [], "ANONIM TANGKAB kades minta uang", "complaint", Rule.COMPLAINT, "new", "acknowledgement", region="TANGKAB", flags="anonymous"),
    row("a region in the text", SMS, [], "jalan rusak di TANGKAB", "complaint", Rule.COMPLAINT, "new", "acknowledgement", region=""),
    row("the next day", SMS, [ROAD, after(days=1)], WASTE, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("two cases, each with its number", EMAIL, [ROAD], WASTE, "complaint", Rule.COMPLAINT, "new", "acknowledgement", in_all=2),
    row("after the last one was closed", SMS, [ROAD, Closing("case1"), after(days=3)], WASTE, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)

# Two days later, so that only a number could lead to the case.
TWO_DAYS: list[Step] = [ROAD, after(days=2)]

NO_NUMBER = (
    row("a phone", SMS, TWO_DAYS, "Hubungi saya 081234567890 soal sampah di pasar", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a phone alone", SMS, TWO_DAYS, "081234567890", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a phone with +62 in groups", SMS, TWO_DAYS, "Telepon saya +62 812-3456-7890, sampah di pasar", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a phone that ends in the number's digits", SMS, TWO_DAYS, "WA saya 081 {case1:shown}, sampah di pasar", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an identity number", SMS, TWO_DAYS, "NIK 3273011234567890 tidak bisa cetak KTP", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an identity number that ends in it", SMS, TWO_DAYS, "NIK 327301{case1} tidak bisa cetak KTP", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an amount with dots", SMS, TWO_DAYS, "Kades minta Rp {case1:amount} untuk sertifikat", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an amount in rupiah", SMS, TWO_DAYS, "Kami diminta bayar {case1} rupiah untuk sertifikat", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an amount as it is written on a receipt", SMS, TWO_DAYS, "Kami diminta bayar {case1},- oleh petugas", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an amount with cents", SMS, TWO_DAYS, "Kami diminta bayar {case1},00 oleh petugas", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a meter number", SMS, TWO_DAYS, "Listrik padam, no meter {case1}", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a meter number of eleven digits", SMS, TWO_DAYS, "Listrik padam, meteran {case1:long}", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a customer's number", SMS, TWO_DAYS, "Air mati, id pelanggan PDAM: {case1}", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a customer's number, shortened", SMS, TWO_DAYS, "Listrik padam id pel {case1}", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a connection's number", SMS, TWO_DAYS, "Air mati, no sambungan {case1}", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a bank account", SMS, TWO_DAYS, "Petugas minta transfer ke rek BRI {case1} a.n. Joko", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a link", MENTION, TWO_DAYS, "Lihat https://berita.example/{case1} soal sampah", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a foreign phone", SMS, TWO_DAYS, "Call me at +{case1} about the waste on the market", "complaint", Rule.COMPLAINT, "new", "acknowledgement", language="en"),
    row("a code that looks like one and is none", SMS, TWO_DAYS, "Kode {case1:wrong} muncul di layar saat saya daftar vaksin", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)
# fmt: on
