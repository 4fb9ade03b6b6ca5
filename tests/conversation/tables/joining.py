"""Rows 9 to 12: what joins a case, by thread, number, words and time; and how often that is answered."""

from __future__ import annotations

from tests.conversation.story import Closing, On, Rule, Step, Together, after, row, says
from tests.conversation.tables.scenery import DM, EMAIL, GROUP, LAMPS, MENTION, ROAD, SMS, TELEGRAM, WASTE

ONE: list[Step] = [ROAD, after(days=2)]
CHAIN = "an answer to somebody in between is still in the citizen's own thread, but only the nearest case is looked at"

# fmt: off
THREAD = (
    row("a reply to our answer", TELEGRAM, ONE, says(LAMPS, answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to their own message", TELEGRAM, ONE, says(LAMPS, answers="message 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to our answer", GROUP, ONE, says(LAMPS, answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to our post", MENTION, ONE, says(LAMPS, answers=("reply 1", "message 1")), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to their own post", MENTION, ONE, says(LAMPS, answers="message 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("far down the chain", MENTION, [*ONE, says(LAMPS, answers=("reply 1", "message 1")), after(days=1)], says("Masih mati", answers=("elsewhere", "reply 2", "message 2")), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to our mail", EMAIL, ONE, says(LAMPS, subject="Re: Jalan rusak", answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to their own mail", EMAIL, ONE, says(LAMPS, subject="Re: Jalan rusak", answers="message 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("only the references lead there", EMAIL, ONE, says(LAMPS, answers=("elsewhere", "message 1")), "complaint", Rule.THREAD, "case1", "joined"),
    row("half a year later", EMAIL, [ROAD, after(days=180)], says(LAMPS, answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("into a closed case", EMAIL, [ROAD, Closing("case1"), after(days=9)], says(LAMPS, answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined", state="closed"),
    row("into the older of two", TELEGRAM, [ROAD, f"LAPOR BARU {WASTE}", after(minutes=1)], says(LAMPS, answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to the state of the older of two", TELEGRAM, [ROAD, f"LAPOR BARU {WASTE}", after(days=1), "STATUS {case1}", after(days=1)], says(LAMPS, answers="reply 3"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a reply to how to complain", TELEGRAM, ["/start", after(days=1)], says(ROAD, answers="reply 1"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the thread goes before the number", TELEGRAM, [ROAD, f"LAPOR BARU {WASTE}"], says("Beda dengan {case2}, lampunya juga mati semua", answers="reply 1"), "follow_up", Rule.THREAD, "case1", "joined"),
    row("the thread goes before the same words", EMAIL, [ROAD], says(ROAD, answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined"),
    row("a stranger in the thread", GROUP, ONE, says(LAMPS, by="a stranger", answers="reply 1"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a stranger in the thread", MENTION, ONE, says(LAMPS, by="a stranger", answers=("reply 1", "message 1")), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("our mail, answered from another address", EMAIL, ONE, says(LAMPS, by="a colleague", answers="reply 1"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a thread older than the store", EMAIL, [], says(LAMPS, subject="Re: Laporan", answers="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a thread older than the store", TELEGRAM, [], says(LAMPS, answers="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a thread older than the store", MENTION, [], says(LAMPS, answers="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("below a stranger's post in their own thread", MENTION, [ROAD, says(WASTE, by="a stranger", answers="message 1"), after(days=1)], says(LAMPS, answers=("message 2", "message 1")), "complaint", Rule.THREAD, "case1", "joined"),
)

NUMBER = (
    row("a follow-up", SMS, ONE, "Laporan {case1} lampunya malah mati semua", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("as we show it", SMS, ONE, "Tambahan laporan no {case1:shown}, airnya bau", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("letters for digits", SMS, ONE, "Tambahan {case1:letters}: lokasinya depan masjid", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("in keycaps", TELEGRAM, ONE, "Tambahan {case1:keycaps} lokasinya depan masjid", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("in public", MENTION, ONE, "laporan {case1} belum juga diperbaiki padahal sudah sebulan lebih", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("in a mail's subject", EMAIL, ONE, says(LAMPS, subject="Laporan {case1}"), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("in a mail's subject, without the thread", EMAIL, ONE, says(LAMPS, subject="Re: Laporan {case1:shown}"), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("of a closed case", SMS, [ROAD, Closing("case1"), after(days=9)], "Laporan {case1} rusak lagi, tolong dibuka kembali", "follow_up", Rule.NUMBER, "case1", "joined", state="closed"),
    row("over the other carrier", SMS, ONE, says("Laporan {case1} lampunya malah mati", carrier="sms-indosat"), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("of two of their own, the first", SMS, [ROAD, f"LAPOR BARU {WASTE}", after(days=2)], "Laporan {case2} dan {case1} belum ada petugas yang datang", "follow_up", Rule.NUMBER, "case2", "joined"),
    row("of two, the first that is theirs", SMS, [ROAD, says(WASTE, by="a neighbour"), after(days=2)], "Laporan {case2} tetangga dan {case1} saya belum ada petugas", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("the number goes before the open case", SMS, [ROAD, f"LAPOR BARU {WASTE}"], "Laporan {case1} lampunya malah mati semua", "follow_up", Rule.NUMBER, "case1", "joined"),
    row("a stranger's number is only text", SMS, ONE, says("Laporan {case1} lampunya malah mati semua", by="a stranger"), "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a stranger's number in an open conversation", SMS, [ROAD, says(WASTE, by="a neighbour")], "Sama seperti {case2} punya tetangga, sampahnya bau", "follow_up", Rule.CONVERSATION, "case1", "joined"),
    row("a number that no case bears", SMS, ONE, "Laporan {free} lampunya malah mati semua", "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
)

SAME_WORDS = (
    row("after the open case", SMS, [ROAD, after(minutes=31)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("a minute later", SMS, [ROAD, after(minutes=1)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("case, blanks and punctuation aside", SMS, [ROAD, after(hours=2)], f"  {ROAD.upper().replace(' ', '  ')}!!! 😡", "complaint", Rule.REPEAT, "case1", "repeated"),
    row("in public", MENTION, [ROAD, after(hours=2)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("by mail", EMAIL, [says(ROAD, subject="Jalan rusak"), after(hours=2)], says(ROAD, subject="JALAN RUSAK!"), "complaint", Rule.REPEAT, "case1", "repeated"),
    row("by mail, under another subject", EMAIL, [says(ROAD, subject="Jalan rusak"), after(hours=2)], says(ROAD, subject="Kedua kali"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a third time", SMS, [ROAD, after(hours=2), ROAD, after(hours=2)], ROAD, "complaint", Rule.REPEAT, "case1", None, in_all=2),
    row("just within a day", SMS, [ROAD, after(hours=23, minutes=59, seconds=59)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("a day later", SMS, [ROAD, after(hours=24)], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a day after the second time", SMS, [ROAD, after(hours=20), ROAD, after(hours=20)], ROAD, "complaint", Rule.REPEAT, "case1", None),
    row("over the other carrier", SMS, [ROAD, after(hours=2)], says(ROAD, carrier="sms-indosat"), "complaint", Rule.REPEAT, "case1", "repeated"),
    row("the words of a follow-up", SMS, [ROAD, LAMPS, after(hours=2)], LAMPS, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("into a closed case", SMS, [ROAD, Closing("case1"), after(hours=2)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated", state="closed"),
    row("the words go before the open case", SMS, [ROAD, f"LAPOR BARU {WASTE}", after(minutes=5)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("a neighbour's words", SMS, [says(ROAD, by="a neighbour"), after(hours=2)], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("other words", MENTION, [ROAD, after(hours=2)], f"{ROAD} lebih", "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("photos without words are never the same", TELEGRAM, [says(photo=True), after(hours=2)], says(photo=True), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("the words of a robot", SMS, [says(ROAD, address="TELKOMSEL"), after(hours=2)], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)

OPEN_CASE = (
    row("five minutes later", SMS, [ROAD, after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("just within half an hour", SMS, [ROAD, after(minutes=29, seconds=59)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("half an hour later", SMS, [ROAD, after(minutes=30)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("half an hour after the last of several", SMS, [ROAD, after(minutes=25), LAMPS, after(minutes=25)], "Dan selokannya mampet", "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("five minutes later", TELEGRAM, [ROAD, after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("five minutes later", DM, [ROAD, after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("not in a group", GROUP, [ROAD, after(minutes=5)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("not in a mention", MENTION, [ROAD, after(minutes=5)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("not by mail", EMAIL, [ROAD, after(minutes=5)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a direct message after a mention", DM, [says(ROAD, on=On.MENTION), after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("in private after a group", TELEGRAM, [says(ROAD, on=On.GROUP), after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("over the other carrier", SMS, [ROAD, after(minutes=5)], says(LAMPS, carrier="sms-indosat"), "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("not over another channel", SMS, [says(ROAD, on=On.TELEGRAM), after(minutes=5)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("of two, the one written in last", SMS, [ROAD, f"LAPOR BARU {WASTE}", "Laporan {case1} lampunya malah mati", after(minutes=5)], "Dan selokannya mampet", "complaint", Rule.CONVERSATION, "case1", None),
    row("after LAPOR BARU, the new one", SMS, [ROAD, f"LAPOR BARU {WASTE}", after(minutes=5)], "Baunya menyengat", "complaint", Rule.CONVERSATION, "case2", "joined"),
    row("not into a closed case", SMS, [ROAD, Closing("case1"), after(minutes=5)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a stranger five minutes later", SMS, [ROAD, after(minutes=5)], says(LAMPS, by="a stranger"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a command is not writing in the case", SMS, [ROAD, after(minutes=20), "BANTUAN", after(minutes=20)], LAMPS, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a command between keeps it open", SMS, [ROAD, after(minutes=5), "BANTUAN", after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined"),
)

ONE_BATCH = (
    row("a complaint and what follows", SMS, [], Together((says(ROAD), says(LAMPS))), "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("a complaint and what follows, twice", SMS, [], Together((says(ROAD), says(LAMPS), says("Dan selokannya mampet"))), "complaint", Rule.CONVERSATION, "case1", None, in_all=2),
    row("a complaint twice", SMS, [], Together((says(ROAD), says(ROAD))), "complaint", Rule.REPEAT, "case1", "repeated"),
    row("a complaint three times", EMAIL, [], Together((says(ROAD), says(ROAD), says(ROAD))), "complaint", Rule.REPEAT, "case1", None, in_all=2),
    row("a complaint and a neighbour's", SMS, [], Together((says(ROAD, by="a neighbour"), says(ROAD))), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a post and a reply to it", MENTION, [], Together((says(ROAD), says(LAMPS, answers="message 1"))), "complaint", Rule.THREAD, "case1", "joined"),
    row("a complaint and its edit", TELEGRAM, [], Together((says(ROAD), says(f"{ROAD} sekali", edits="message 1"))), "complaint", Rule.VERSION, "case1", None, in_all=1),
    row("a complaint and its deletion", MENTION, [], Together((says(ROAD), says(deletes="message 1"))), None, Rule.VERSION, "case1", None, in_all=1),
    row("a complaint and LAPOR BARU", SMS, [], Together((says(ROAD), says(f"LAPOR BARU {WASTE}"))), "complaint", Rule.NEW_CASE, "new", "acknowledgement", in_all=2),
    row("a complaint and STATUS", SMS, [], Together((says(ROAD), says("STATUS"))), "status", Rule.STATUS, None, "status case1"),
    row("two stops", SMS, [], Together((says("STOP"), says("STOP"))), "stop", Rule.STOP, None, None, in_all=1),
    row("two greetings", SMS, [], Together((says("halo"), says("tes"))), "empty", Rule.EMPTY, None, None, in_all=1),
    row("a complaint in English and a short word", SMS, [], Together((says("The road near the market is broken"), says("HELP"))), "help", Rule.HELP, None, "help", language="en"),
)

UNDER_A_PHOTO = (
    row("the number alone", TELEGRAM, ONE, says("{case1}", photo=True), "follow_up", Rule.NUMBER, "case1", "joined"),
    row("the number alone, by a stranger", TELEGRAM, ONE, says("{case1}", photo=True, by="a stranger"), "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("STATUS and the number", TELEGRAM, ONE, says("STATUS {case1}", photo=True), "status", Rule.STATUS, None, "status case1"),
    row("BANTUAN", TELEGRAM, ONE, says("BANTUAN", photo=True), "help", Rule.HELP, None, "help"),
    row("thanks", TELEGRAM, [ROAD], says("Terima kasih", photo=True), "complaint", Rule.CONVERSATION, "case1", "joined"),
)

ANSWERED = (
    row("once in ten minutes", SMS, [ROAD, after(minutes=1), LAMPS, after(minutes=9)], "Dan selokannya mampet", "complaint", Rule.CONVERSATION, "case1", None, in_all=2),
    row("after ten minutes once more", SMS, [ROAD, after(minutes=1), LAMPS, after(minutes=10)], "Dan selokannya mampet", "complaint", Rule.CONVERSATION, "case1", "joined", in_all=3),
    row("counted from the answer, not from the last message", SMS, [ROAD, after(minutes=1), LAMPS, after(minutes=6), "Selokan mampet", after(minutes=6)], "Airnya bau", "complaint", Rule.CONVERSATION, "case1", "joined", in_all=3),
    row("over thread and number alike", TELEGRAM, [*ONE, says(LAMPS, answers="reply 1")], "Tambahan {case1}: lokasinya depan masjid", "follow_up", Rule.NUMBER, "case1", None),
    row("for each case", TELEGRAM, [ROAD, f"LAPOR BARU {WASTE}", says(LAMPS, answers="reply 1")], says("Baunya menyengat", answers="reply 2"), "complaint", Rule.THREAD, "case2", "joined"),
    row("ten messages, one answer", SMS, [ROAD, *(says(f"Dan juga di gang {word}", after=20) for word in ("mawar", "melati", "kenanga", "anggrek", "dahlia", "seroja", "teratai", "cempaka", "kamboja"))], "Itu saja dulu dari saya", "complaint", Rule.CONVERSATION, "case1", None, in_all=2),
)
# fmt: on
