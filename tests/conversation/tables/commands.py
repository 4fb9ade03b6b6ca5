"""Rows 4 to 6: stop, help and messages that say nothing."""

from __future__ import annotations

from tests.conversation.story import Rule, after, row, says
from tests.conversation.tables.scenery import DM, EMAIL, ENGLISH, GROUP, LAMPS, MENTION, ROAD, SMS, TELEGRAM

# fmt: off
STOP = (
    row("BERHENTI", SMS, [ROAD], "BERHENTI", "stop", Rule.STOP, None, "stopped"),
    row("in lower case with a full stop", SMS, [ROAD], "berhenti.", "stop", Rule.STOP, None, "stopped"),
    row("STOP", SMS, [ROAD], "STOP", "stop", Rule.STOP, None, "stopped"),
    row("a zero for the O", SMS, [ROAD], "ST0P", "stop", Rule.STOP, None, "stopped"),
    row("full-width letters", SMS, [ROAD], "ＳＴＯＰ", "stop", Rule.STOP, None, "stopped"),
    row("a zero-width character inside", SMS, [ROAD], "BER\u200bHENTI", "stop", Rule.STOP, None, "stopped"),
    row("UNREG", SMS, [], "Unreg", "stop", Rule.STOP, None, "stopped"),
    row("/stop", TELEGRAM, [ROAD], "/stop", "stop", Rule.STOP, None, "stopped"),
    row("/stop in a group", GROUP, [ROAD], "/stop@lapor1708bot", "stop", Rule.STOP, None, "stopped"),
    row("in a direct message", DM, [ROAD], "stop 🛑", "stop", Rule.STOP, None, "stopped"),
    row("as a mail's subject", EMAIL, [ROAD], says("", subject="STOP"), "stop", Rule.STOP, None, "stopped"),
    row("in reply to our mail", EMAIL, [ROAD], says("BERHENTI", subject="Re: Laporan", answers="reply 1"), "stop", Rule.STOP, None, "stopped"),
    row("said twice is confirmed once", SMS, [ROAD, "STOP", after(days=1)], "STOP", "stop", Rule.STOP, None, None),
    row("a robot between does not count as writing", EMAIL, [ROAD, "STOP", says("Cuti", headers={"Auto-Submitted": "auto-replied"})], "STOP", "stop", Rule.STOP, None, None),
    row("after writing again it is confirmed again", SMS, [ROAD, "STOP", after(minutes=5), "lampunya mati", after(minutes=5)], "STOP", "stop", Rule.STOP, None, "stopped"),
    row("writing again is answered", SMS, [ROAD, "BERHENTI", after(days=2)], "Sampah menumpuk di pasar", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("asking after a stop is answered", SMS, [ROAD, "BERHENTI", after(days=2)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("writing again within half an hour goes on in the case", SMS, [ROAD, "BERHENTI", after(minutes=2)], "Lampunya juga mati", "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("the word in a complaint", SMS, [], "stop pungli di sekolah kami", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the word in front of a complaint", SMS, [], "berhenti mengambil pasir di sungai kami", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)

HELP = (
    row("BANTUAN", SMS, [], "BANTUAN", "help", Rule.HELP, None, "help"),
    row("HELP", SMS, [], "help!", "help", Rule.HELP, None, "help"),
    row("INFO", SMS, [], "Info", "help", Rule.HELP, None, "help"),
    row("CARA LAPOR", SMS, [], "cara lapor?", "help", Rule.HELP, None, "help"),
    row("a one for the I", SMS, [], "1NFO", "help", Rule.HELP, None, "help"),
    row("/start", TELEGRAM, [], "/start", "help", Rule.HELP, None, "help"),
    row("/start from a link", TELEGRAM, [], "/start kampanye2026", "help", Rule.HELP, None, "help"),
    row("/help", TELEGRAM, [], "/help", "help", Rule.HELP, None, "help"),
    row("/bantuan", GROUP, [], "/bantuan@lapor1708bot", "help", Rule.HELP, None, "help"),
    row("behind a mention", MENTION, [], "bantuan", "help", Rule.HELP, None, "help"),
    row("as a mail's subject", EMAIL, [], says("", subject="Cara lapor"), "help", Rule.HELP, None, "help"),
    row("a bare LAPOR BARU", SMS, [ROAD], "LAPOR BARU", "help", Rule.HELP, None, "help"),
    row("a bare LAPOR BARU with an emoji", TELEGRAM, [ROAD], "Lapor baru 🙏", "help", Rule.HELP, None, "help"),
    row("in an open conversation", SMS, [ROAD], "BANTUAN", "help", Rule.HELP, None, "help"),
    row("asked again, answered again", SMS, ["BANTUAN"], "BANTUAN", "help", Rule.HELP, None, "help"),
    row("the word in a complaint", SMS, [], "bantuan sosial belum cair tiga bulan", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the word in front of a complaint", SMS, [], "info jalan rusak di Ciputat", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)

EMPTY = (
    row("blanks", SMS, [], "   \n ", "empty", Rule.EMPTY, None, "help"),
    row("an emoji", SMS, [], "😡😡", "empty", Rule.EMPTY, None, "help"),
    row("a mention alone", MENTION, [], "", "empty", Rule.EMPTY, None, "help"),
    row("a hashtag", MENTION, [], "#lapor", "empty", Rule.EMPTY, None, "help"),
    row("other mentions", MENTION, [], "@pemkab @kemenpan 🙏", "empty", Rule.EMPTY, None, "help"),
    row("a greeting", TELEGRAM, [], "Halooo", "empty", Rule.EMPTY, None, "help"),
    row("a test", SMS, [], "tes", "empty", Rule.EMPTY, None, "help"),
    row("one letter", SMS, [], "p", "empty", Rule.EMPTY, None, "help"),
    row("a sticker", TELEGRAM, [], "👍", "empty", Rule.EMPTY, None, "help"),
    row("thanks for our answer", SMS, [ROAD], "Terima kasih", "empty", Rule.EMPTY, None, None),
    row("thanks in the words of text messages", SMS, [ROAD], "mksh pak", "empty", Rule.EMPTY, None, None),
    row("thanks in English", DM, [ENGLISH], "Thanks!", "empty", Rule.EMPTY, None, None),
    row("a thumb up", TELEGRAM, [ROAD], "👍", "empty", Rule.EMPTY, None, None),
    row("a thumb up to our post", MENTION, [ROAD], says("👍", answers=("reply 1", "message 1")), "empty", Rule.EMPTY, None, None),
    row("ok", SMS, [ROAD, after(minutes=29)], "Ok", "empty", Rule.EMPTY, None, None),
    row("oke, siap", TELEGRAM, [ROAD], "oke siap min 🙏", "empty", Rule.EMPTY, None, None),
    row("ok, out of any conversation", SMS, [ROAD, after(minutes=30)], "Ok", "empty", Rule.EMPTY, None, "help"),
    row("thanks by mail, days later", EMAIL, [ROAD, after(days=2)], says("Terima kasih", answers="reply 1"), "empty", Rule.EMPTY, None, None),
    row("thanks does not keep the conversation open", SMS, [ROAD, after(minutes=20), "Terima kasih", after(minutes=15)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("thanks from who has no case", SMS, [], "Terima kasih", "empty", Rule.EMPTY, None, "help"),
    row("ok in front of a complaint", SMS, [ROAD], "ok tapi lampunya masih mati", "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("ANONIM and nothing else", SMS, [], "ANONIM", "empty", Rule.EMPTY, None, "help"),
    row("a region and nothing else", SMS, [], "TANGKAB", "empty", Rule.EMPTY, None, "help"),
    row("a mail without anything", EMAIL, [], "", "empty", Rule.EMPTY, None, "help"),
    row("once in a window", SMS, ["tes", after(minutes=59)], "halo", "empty", Rule.EMPTY, None, None),
    row("once in a window, after BANTUAN", SMS, ["BANTUAN", after(minutes=5)], "🙏", "empty", Rule.EMPTY, None, None),
    row("after the window", SMS, ["tes", after(hours=1)], "halo", "empty", Rule.EMPTY, None, "help"),
    row("a photo without a word says something", TELEGRAM, [], says(photo=True), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a photo without a word in a conversation", TELEGRAM, [ROAD], says(photo=True), "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("a place without a word", TELEGRAM, [ROAD], says(place=True), "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("one word that means something", SMS, [], "banjir", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)
# fmt: on
