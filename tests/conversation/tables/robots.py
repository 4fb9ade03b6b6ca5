"""Row 1: what a machine wrote is recorded apart, opens no case and is never answered."""

from __future__ import annotations

from tests.conversation.story import Rule, row, says
from tests.conversation.tables.scenery import EMAIL, GROUP, MENTION, ROAD, SMS, TELEGRAM

OUT_OF_OFFICE = "Saya sedang cuti sampai 30 November. Pesan Anda akan saya baca setelah itu."

# fmt: off
AUTOMATED = (
    row("an alphanumeric sender", SMS, [], says("Pelanggan Yth, paket data Anda hampir habis", address="TELKOMSEL"), "complaint", Rule.AUTOMATED, None, None),
    row("a short code", SMS, [], says("Kode OTP Anda 482913. Jangan berikan kepada siapa pun", address="9888"), None, Rule.AUTOMATED, None, None),
    row("a short code that says help", SMS, [], says("INFO", address="1708"), "help", Rule.AUTOMATED, None, None),
    row("an alphanumeric sender that says stop", SMS, [], says("STOP", address="INDOSAT"), "stop", Rule.AUTOMATED, None, None),
    row("an alphanumeric sender that asks for a citizen's case", SMS, [ROAD], says("STATUS {case1}", address="INFOPLN"), "status", Rule.AUTOMATED, None, None),
    row("an automatic answer (RFC 3834)", EMAIL, [ROAD], says(OUT_OF_OFFICE, answers="reply 1", headers={"Auto-Submitted": "auto-replied"}), None, Rule.AUTOMATED, None, None, in_all=1),
    row("another gateway's answer to ours", EMAIL, [ROAD], says("Your report is received. Number: {free}.", by="another gateway", answers="reply 1", headers={"Auto-Submitted": "auto-replied"}), None, Rule.AUTOMATED, None, None, in_all=1),
    row("something generated", EMAIL, [], says("Laporan harian pencadangan", headers={"Auto-Submitted": "auto-generated"}), None, Rule.AUTOMATED, None, None),
    row("a person whose program says no", EMAIL, [], says(ROAD, headers={"Auto-Submitted": "no"}), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a mailing list", EMAIL, [], says(ROAD, headers={"List-Id": "<warga.example>"}), None, Rule.AUTOMATED, None, None),
    row("bulk mail", EMAIL, [], says("Promo akhir tahun", headers={"Precedence": "bulk"}), None, Rule.AUTOMATED, None, None),
    row("a sender that takes no answer", EMAIL, [], says("Tagihan Anda sudah terbit", address="no-reply@bank.example"), None, Rule.AUTOMATED, None, None),
    row("the null return path", EMAIL, [ROAD], says(ROAD, headers={"Return-Path": "<>"}), None, Rule.AUTOMATED, None, None),
    row("a subject that says automatic", EMAIL, [ROAD], says(OUT_OF_OFFICE, subject="Balasan otomatis: Laporan", answers="reply 1"), None, Rule.AUTOMATED, None, None),
    row("a mail from our own address", EMAIL, [], says(ROAD, address="lapor@gateway.example.go.id"), None, Rule.AUTOMATED, None, None),
    row("a bounce of our answer", EMAIL, [ROAD], says("Your message could not be delivered: mailbox unavailable", address="mailer-daemon@mail.example", subject="Undelivered Mail Returned to Sender", answers="reply 1", headers={"Return-Path": "<>"}), None, Rule.RECEIPT, None, None, in_all=1),
    row("a bot", TELEGRAM, [], says(ROAD, robot="bot"), "complaint", Rule.AUTOMATED, None, None),
    row("a bot in a group that quotes a number", GROUP, [ROAD], says("STATUS {case1}", by="a bot", robot="bot"), "status", Rule.AUTOMATED, None, None),
    row("a post of a channel", TELEGRAM, [], says("Berita hari ini", robot="channel"), None, Rule.AUTOMATED, None, None),
    row("our own post", MENTION, [ROAD], says("Laporan Anda diterima", robot="own", answers="message 1"), None, Rule.AUTOMATED, None, None, in_all=1),
    row("a retweet of a complaint", MENTION, [ROAD], says("RT @budi: jalan rusak", by="a follower", robot="retweet"), None, Rule.AUTOMATED, None, None, in_all=1),
    row("a post from before the gateway's first start", MENTION, [], says(ROAD, robot="before the start"), None, Rule.AUTOMATED, None, None),
    row("a person after an automatic answer of theirs", EMAIL, [ROAD, says(OUT_OF_OFFICE, answers="reply 1", headers={"Auto-Submitted": "auto-replied"})], says("Lampunya juga mati", answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
)
# fmt: on
