"""Row 2: parts of a long SMS and of an album wait for the rest; one that comes too late joins their case."""

from __future__ import annotations

from tests.conversation.story import Closing, Deadline, Rule, Says, Together, after, row, says
from tests.conversation.tables.scenery import ROAD, SMS, TELEGRAM

FIRST, SECOND, THIRD = "Jalan Merdeka di depan SD 3 rus", "ak parah dan lampunya ma", "ti sejak sebulan"
WHOLE = FIRST + SECOND + THIRD


def part(text: str, index: int, total: int = 3, ref: str = "77", **more: object) -> Says:
    return says(text, part=(ref, index, total), **more)


def photo(text: str = "", album: str = "a", **more: object) -> Says:
    return says(text, album=album, **more)


ALBUM = Together((photo("Jalan Merdeka berlubang"), photo(after=0), photo(after=0)))

# fmt: off
PARTS = (
    row("a part waits", SMS, [], part(FIRST, 1), None, Rule.PART, None, None),
    row("the last part but one waits", SMS, [part(FIRST, 1)], part(THIRD, 3), None, Rule.PART, None, None),
    row("the last part makes the complaint", SMS, [part(FIRST, 1), part(SECOND, 2)], part(THIRD, 3), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text=WHOLE, in_all=1),
    row("parts in any order", SMS, [part(THIRD, 3), part(FIRST, 1)], part(SECOND, 2), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text=WHOLE, in_all=1),
    row("all parts in one batch", SMS, [], Together((part(SECOND, 2), part(THIRD, 3), part(FIRST, 1))), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text=WHOLE, in_all=1),
    row("a command cut in two", SMS, [ROAD, after(hours=1), part("STA", 1, 2)], part("TUS {case1}", 2, 2), "status", Rule.STATUS, None, "status case1"),
    row("a number cut in two", SMS, [ROAD, after(days=2), part("Laporan {case1:short}", 1, 2)], part("{case1:last} lampunya malah ikut mati semua", 2, 2), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("a long SMS that names the case", SMS, [ROAD, after(days=2), part("Laporan {case1} belum juga diperbaiki, ", 1, 2)], part("lampunya malah ikut mati", 2, 2), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("a long SMS within half an hour", SMS, [ROAD, after(minutes=20), part("Sekarang lampu jalannya ", 1, 2)], part("juga mati semua", 2, 2), "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("a long SMS said again", SMS, [part(FIRST, 1), part(SECOND, 2), part(THIRD, 3), after(hours=3), part(FIRST, 1, ref="78"), part(SECOND, 2, ref="78")], part(THIRD, 3, ref="78"), "complaint", Rule.REPEAT, "case1", "repeated"),
    row("a part is lost", SMS, [part(FIRST, 1), part(SECOND, 2)], Deadline(), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text=FIRST + SECOND),
    row("a part comes late", SMS, [part(FIRST, 1), part(SECOND, 2), Deadline(), after(minutes=50)], part(THIRD, 3), None, Rule.PART, "case1", None, in_all=1),
    row("a part comes late, after another case was opened", SMS, [part(FIRST, 1), part(SECOND, 2), Deadline(), "LAPOR BARU sampah menumpuk di pasar"], part(THIRD, 3), None, Rule.PART, "case1", None, in_all=2),
    row("a part comes late, after the case was closed", SMS, [part(FIRST, 1), part(SECOND, 2), Deadline(), Closing("case1"), after(minutes=5)], part(THIRD, 3), None, Rule.PART, "case1", None, state="closed"),
    row("two people's parts with one reference", SMS, [part("Jalan ", 1, 2), part("Sampah ", 1, 2, by="a neighbour"), part("menumpuk di pasar lama", 2, 2, by="a neighbour")], part("Merdeka rusak parah", 2, 2), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text="Jalan Merdeka rusak parah"),
    row("a reference that the phone uses again", SMS, [part("Jalan Merdeka ", 1, 2), part("rusak parah", 2, 2), after(hours=2), part("Sampah menumpuk ", 1, 2)], part("di pasar lama", 2, 2), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text="Sampah menumpuk di pasar lama"),
    row("parts of a robot", SMS, [part("Promo akhir ", 1, 2, address="TELKOMSEL")], part("tahun dari kami", 2, 2, address="TELKOMSEL"), None, Rule.AUTOMATED, None, None),
    row("an album is one case", TELEGRAM, [ALBUM], Deadline(), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text="Jalan Merdeka berlubang", in_all=1),
    row("an album without a word", TELEGRAM, [Together((photo(), photo(after=0)))], Deadline(), "complaint", Rule.COMPLAINT, "new", "acknowledgement", in_all=1),
    row("an album within half an hour", TELEGRAM, [ROAD, after(minutes=3), Together((photo("Ini fotonya"), photo(after=0)))], Deadline(), "complaint", Rule.CONVERSATION, "case1", "joined", in_all=2),
    row("an album in reply to our answer", TELEGRAM, [ROAD, after(days=3), Together((photo("Ini fotonya", answers="reply 1"), photo(after=0, answers="reply 1")))], Deadline(), "complaint", Rule.THREAD, "case1", "joined"),
    row("a photo that comes late", TELEGRAM, [ALBUM, Deadline()], photo(), None, Rule.PART, "case1", None, in_all=1),
    row("an edit of an album's second photo", TELEGRAM, [ALBUM, Deadline()], says("Ini dari arah pasar", edits="message 2", photo=True), None, Rule.VERSION, "case1", None, in_all=1),
    row("a reply to an album's second photo", TELEGRAM, [ALBUM, Deadline(), after(days=2)], says("Ini dari arah pasar", answers="message 2"), "complaint", Rule.THREAD, "case1", "joined"),
    row("the next album", TELEGRAM, [ALBUM, Deadline(), after(hours=2), Together((photo("Sampah menumpuk di pasar", album="b"), photo(after=0, album="b")))], Deadline(), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("forwarded messages, one after another", TELEGRAM, [says("Siti: jalan di RT 3 amblas", robot="forwarded", after=0), says("Siti: sudah dua hari", robot="forwarded", after=0)], says("Siti: mobil tidak bisa lewat", robot="forwarded", after=0), "complaint", Rule.CONVERSATION, "case1", None, in_all=2),
)
# fmt: on
