"""What robots, strangers and forwarded mails bring."""

from __future__ import annotations

from tests.conversation.story import Closing, On, Rule, after, row, says
from tests.conversation.tables.scenery import (
    DM,
    EMAIL,
    GROUP,
    LAMPS,
    MENTION,
    ROAD,
    SMS,
    TELEGRAM,
    WASTE,
)

FIVE = [
    says(f"{what} di {where}", subject=what)
    for what, where in zip(
        ("Jalan rusak", "Lampu mati", "Air keruh", "Sampah bau", "Pohon tumbang"),
        ("Depok", "Bogor", "Ciputat", "Serpong", "Cisauk"),
        strict=True,
    )
]
QUOTES = "\n".join(f"> Nomor: {{case{at}:shown}}" for at in range(1, 6))
HEADING = "Pada Sen, 23 Nov 2026 pukul 09.00 LAPOR <lapor@gateway.example.go.id> menulis:"
FORWARDED = "---------- Pesan terusan ---------\nDari: Siti <siti@kantor.example>\nTanggal: Sen, 23 Nov 2026 09.00\nPerihal: Laporan\nKepada: Joko <joko@kantor.example>\n\nLaporan saya {case1:shown} tentang jalan rusak belum ditanggapi"
ROBOT = {"Auto-Submitted": "auto-replied"}
ECHO = [
    says(
        "Laporan Anda diterima. Nomor: {case1:shown}. Cek: balas STATUS {case1}.",
        subject="Balasan",
        answers="reply 1",
        headers=ROBOT,
        after=1,
    )
    for _ in range(9)
]
STUBBORN = [says("Pesan Anda kami terima. Nomor: {case1:shown}.", answers="reply 1", after=20) for _ in range(9)]

# fmt: off
BAD_INPUT = (
    row("a stranger quotes a number and asks", SMS, [ROAD], says("Nomor {case1} itu bagaimana?", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("a stranger quotes a number and tells", SMS, [ROAD], says("Petugas laporan {case1} meminta uang kepada warga", by="a stranger"), "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a number of another channel's case", EMAIL, [says(ROAD, on=On.SMS), after(days=1)], "Tambahan laporan {case1}: lampunya juga mati semua", "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a number of another channel's case, asked for", DM, [says(ROAD, on=On.SMS), after(days=1)], "status {case1}", "status", Rule.STATUS, None, "not_found"),
    row("two numbers, both of others", SMS, [says(ROAD, by="a neighbour"), says(WASTE, by="another neighbour"), after(days=1)], "Laporan {case1} dan {case2} tetangga saya belum ditanggapi", "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("two numbers, one mistyped", SMS, [ROAD, after(days=1)], "Laporan {case1:wrong} eh {case1} belum juga ada petugas yang datang", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("a mail quotes five old cases", EMAIL, [*FIVE, after(days=1)], says(f"Banjir di kampung kami sejak pagi\n\n{HEADING}\n{QUOTES}", subject="Banjir"), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text="Banjir di kampung kami sejak pagi"),
    row("a mail quotes five old cases and asks for one", EMAIL, [*FIVE, after(days=1)], says(f"STATUS {{case4}}\n\n{HEADING}\n{QUOTES}"), "status", Rule.STATUS, None, "status case4"),
    row("a mail in one case's thread quotes four others", EMAIL, [*FIVE, after(days=1)], says(f"Airnya masih keruh\n\n{HEADING}\n{QUOTES}", answers="reply 3"), "complaint", Rule.THREAD, "case3", "joined"),
    row("a forwarded thread with other people's addresses", EMAIL, [says(ROAD, by="Siti"), after(days=1)], says(f"Mohon dibantu, kasihan ibu ini\n\n{FORWARDED}"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a forwarded thread without a word of their own", EMAIL, [says(ROAD, by="Siti"), after(days=1)], says(FORWARDED, subject="Fwd: Laporan"), "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the tenth round of a robot that quotes our reply", EMAIL, [ROAD, *ECHO], ECHO[0], None, Rule.AUTOMATED, None, None, in_all=1),
    row("the tenth round of a robot that does not say so", EMAIL, [ROAD, *STUBBORN], STUBBORN[0], "follow_up", Rule.THREAD, "case1", None, in_all=2),
    row("an edit after closing", GROUP, [ROAD, Closing("case1"), after(days=30)], says(f"{ROAD} sekali", edits="message 1"), "complaint", Rule.VERSION, "case1", None, state="closed"),
    row("a deletion of something never seen", MENTION, [ROAD], says(deletes="elsewhere"), None, Rule.VERSION, None, None, in_all=1),
    row("a thread whose root is older than the store, naming a case", EMAIL, [ROAD, after(days=1)], says("Laporan {case1} lampunya juga mati", subject="Re: Lama", answers="elsewhere"), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("a thread whose root is older than the store", EMAIL, [], says(LAMPS, subject="Re: Lama", answers="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a thread whose root is older than the store", TELEGRAM, [ROAD, after(days=1)], says(LAMPS, answers="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a thread whose root is older than the store", MENTION, [ROAD, after(days=1)], says(LAMPS, answers=("elsewhere",)), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a reply to a reply in a thread whose root is older", EMAIL, [says(ROAD, answers="elsewhere"), after(days=1)], says(LAMPS, answers=("message 1", "elsewhere")), "complaint", Rule.THREAD, "case1", "joined"),
    row("an edit after closing, long ago", MENTION, [ROAD, Closing("case1"), after(days=90)], says(f"{ROAD} sekali", edits="message 1"), "complaint", Rule.VERSION, "case1", None, state="closed", in_all=1),
    row("a deletion after the case was closed and another opened", MENTION, [ROAD, Closing("case1"), after(days=2), WASTE], says(deletes="message 1"), None, Rule.VERSION, "case1", None, in_all=2),
    row("a phone's robot that answers each of our answers", SMS, [ROAD, *(says("Pesan Anda kami terima. Nomor: {case1:shown}.", after=20) for _ in range(9))], says("Pesan Anda kami terima. Nomor: {case1:shown}.", after=20), "follow_up", Rule.NUMBER, "case1", None, in_all=2),
    row("an echo of our answers", SMS, [ROAD, "Laporan Anda diterima. Nomor: {case1:shown}. Cek: balas STATUS {case1}. Info tambahan: balas saja. Laporan lain: awali LAPOR BARU"], "Ditambahkan ke laporan {case1:shown}. Untuk laporan lain, awali pesan dengan LAPOR BARU.", "follow_up", Rule.NUMBER, "case1", None, in_all=2),
    row("two numbers, the first another channel's", SMS, [says(WASTE, on=On.EMAIL), ROAD, after(days=1)], "Laporan {case1} dan {case2} belum juga dikerjakan petugas", "follow_up", Rule.NUMBER, "case2", "joined"),
    row("a number guessed at in a crowd of others", SMS, [ROAD], says("STATUS " + " ".join(["{free}"] * 19) + " {case1}", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("our own answer sent back as a complaint", SMS, [ROAD, after(days=1)], "Laporan Anda diterima. Nomor: {case1:shown}. Cek: balas STATUS {case1}. Info tambahan: balas saja.", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("braces and markup", SMS, [], "{{7*7}} <b>jalan</b> rusak %s ${{case}}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", text="{7*7} <b>jalan</b> rusak %s ${case}"),
)
# fmt: on
