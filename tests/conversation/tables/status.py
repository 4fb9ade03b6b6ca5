"""Row 8: the state of a case, to its own sender and to nobody else; a mistyped number; somebody else's number."""

from __future__ import annotations

from tests.conversation.story import Closing, On, Rule, Step, after, row, says
from tests.conversation.tables.scenery import DM, EMAIL, ROAD, SMS, TELEGRAM, WASTE

ONE: list[Step] = [ROAD, after(days=2)]
TWO: list[Step] = [ROAD, f"LAPOR BARU {WASTE}", after(days=2)]

# fmt: off
STATUS = (
    row("STATUS and the number", SMS, ONE, "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("in lower case, as we show it", SMS, ONE, "status {case1:shown}", "status", Rule.STATUS, None, "status case1"),
    row("CEK, with hyphens", SMS, ONE, "CEK {case1:hyphens}", "status", Rule.STATUS, None, "status case1"),
    row("status no, with dots", SMS, ONE, "status no {case1:dots}?", "status", Rule.STATUS, None, "status case1"),
    row("cek status nomor", SMS, ONE, "Cek status nomor: {case1}", "status", Rule.STATUS, None, "status case1"),
    row("glued together", SMS, ONE, "STATUS{case1}", "status", Rule.STATUS, None, "status case1"),
    row("O for 0 and I for 1", SMS, ONE, "STATUS {case1:letters}", "status", Rule.STATUS, None, "status case1"),
    row("o for 0 and l for 1", SMS, ONE, "status {case1:small}", "status", Rule.STATUS, None, "status case1"),
    row("full-width digits", SMS, ONE, "ＳＴＡＴＵＳ {case1:full-width}", "status", Rule.STATUS, None, "status case1"),
    row("zero-width characters in the number", SMS, ONE, "STATUS {case1:zero-width}", "status", Rule.STATUS, None, "status case1"),
    row("keycap emoji", SMS, ONE, "STATUS {case1:keycaps}", "status", Rule.STATUS, None, "status case1"),
    row("no-break spaces", SMS, ONE, "STATUS {case1:no-break}", "status", Rule.STATUS, None, "status case1"),
    row("digit by digit", SMS, ONE, "STATUS {case1:digits}", "status", Rule.STATUS, None, "status case1"),
    row("in pairs", SMS, ONE, "STATUS {case1:pairs}", "status", Rule.STATUS, None, "status case1"),
    row("with dots like an amount", SMS, ONE, "STATUS {case1:amount}", "status", Rule.STATUS, None, "status case1"),
    row("a Greek letter in the command", SMS, ONE, "STΑTUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("politely", SMS, ONE, "cek {case1} dong min", "status", Rule.STATUS, None, "status case1"),
    row("the number alone", SMS, ONE, "{case1}", "status", Rule.STATUS, None, "status case1"),
    row("the number alone, as we show it", SMS, ONE, "{case1:shown} 🙏", "status", Rule.STATUS, None, "status case1"),
    row("the number alone, in keycaps", TELEGRAM, ONE, "{case1:keycaps}", "status", Rule.STATUS, None, "status case1"),
    row("/status", TELEGRAM, ONE, "/status {case1}", "status", Rule.STATUS, None, "status case1"),
    row("/cek with the bot's name", TELEGRAM, ONE, "/cek@lapor1708bot {case1:hyphens}", "status", Rule.STATUS, None, "status case1"),
    row("/status alone", TELEGRAM, ONE, "/status", "status", Rule.STATUS, None, "status case1"),
    row("a direct message", DM, ONE, "status {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a question", SMS, ONE, "Bagaimana tindak lanjut laporan {case1}?", "status", Rule.STATUS, None, "status case1"),
    row("a question in the words of text messages", SMS, ONE, "gmn lap sy {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a question with the number first", SMS, ONE, "{case1} sudah diproses belum pak?", "status", Rule.STATUS, None, "status case1"),
    row("a question that names the matter", SMS, ONE, "kapan laporan jalan rusak {case1} selesai?", "status", Rule.STATUS, None, "status case1"),
    row("a request to look", SMS, ONE, "tolong dicek {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a request to look, in more words", SMS, ONE, "mohon dicek laporan sy no {case1} pak", "status", Rule.STATUS, None, "status case1"),
    row("STATUS as text messages have it", SMS, ONE, "sts {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a question in Javanese", SMS, ONE, "pripun laporan kula {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a question in Sundanese", SMS, ONE, "kumaha laporan abdi {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a question in English", SMS, ONE, "What is the status of my report {case1}?", "status", Rule.STATUS, None, "status case1", language="en"),
    row("a mail's subject", EMAIL, ONE, says("Mohon info. Terima kasih.", subject="STATUS {case1}"), "status", Rule.STATUS, None, "status case1"),
    row("a mail with only a subject", EMAIL, ONE, says("", subject="Status laporan {case1}"), "status", Rule.STATUS, None, "status case1"),
    row("with the sender's name", SMS, ONE, "STATUS {case1} a/n Budi Santoso", "status", Rule.STATUS, None, "status case1"),
    row("behind ANONIM", SMS, ONE, "ANONIM STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("in a reply to our answer", TELEGRAM, ONE, says("STATUS {case1}", answers="reply 1"), "status", Rule.STATUS, None, "status case1"),
    row("in an open conversation", SMS, [ROAD], "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("of a closed case", SMS, [ROAD, Closing("case1"), after(days=2)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("half a year later", SMS, [ROAD, after(days=180)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("of the older of two", SMS, TWO, "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("of two numbers, the first", SMS, TWO, "STATUS {case1} {case2}", "status", Rule.STATUS, None, "status case1"),
    row("STATUS alone: the latest", SMS, TWO, "STATUS", "status", Rule.STATUS, None, "status case2"),
    row("STATUS alone, with a question mark", SMS, ONE, "status?", "status", Rule.STATUS, None, "status case1"),
    row("STATUS alone, from who never wrote", SMS, [], "STATUS", "status", Rule.STATUS, None, "no_case"),
    row("STATUS alone, asked twice, answered twice", SMS, [*ONE, "STATUS"], "STATUS", "status", Rule.STATUS, None, "status case1"),
    row("over the other carrier", SMS, ONE, says("STATUS {case1}", carrier="sms-indosat"), "status", Rule.STATUS, None, "status case1"),
    row("asking is not writing in the case", SMS, [ROAD, after(days=2), "STATUS {case1}", after(minutes=1)], WASTE, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)

CHECK = (
    row("a wrong digit", SMS, ONE, "STATUS {case1:wrong}", "status", Rule.STATUS, None, "check_number"),
    row("a wrong digit behind STATUS as text messages have it", SMS, ONE, "sts {case1:wrong}", "status", Rule.STATUS, None, "check_number"),
    row("two neighbours swapped", SMS, ONE, "STATUS {case1:swapped}", "status", Rule.STATUS, None, "check_number"),
    row("a wrong digit, the number alone", SMS, ONE, "{case1:wrong}", "status", Rule.STATUS, None, "check_number"),
    row("a digit too few", SMS, ONE, "STATUS {case1:short}", "status", Rule.STATUS, None, "check_number"),
    row("a digit too many", SMS, ONE, "STATUS {case1:long}", "status", Rule.STATUS, None, "check_number"),
    row("a letter among the digits", SMS, ONE, "STATUS {case1:letter}", "status", Rule.STATUS, None, "check_number"),
    row("a letter at the end, in groups", SMS, ONE, "status no {case1:letter-shown} pak", "status", Rule.STATUS, None, "check_number"),
    row("a letter too many", SMS, ONE, "CEK {case1}x", "status", Rule.STATUS, None, "check_number"),
    row("a phone", SMS, ONE, "STATUS 081234567890", "status", Rule.STATUS, None, "check_number"),
    row("a wrong digit in a question", SMS, ONE, "Bagaimana laporan saya {case1:wrong}?", "status", Rule.STATUS, None, "check_number"),
    row("/status with a wrong digit", TELEGRAM, ONE, "/status {case1:wrong}", "status", Rule.STATUS, None, "check_number"),
    row("in an open conversation", SMS, [ROAD], "STATUS {case1:wrong}", "status", Rule.STATUS, None, "check_number"),
    row("a stranger's typing error", SMS, ONE, says("STATUS {case1:wrong}", by="a stranger"), "status", Rule.STATUS, None, "check_number"),
    row("a wrong one and the right one", SMS, ONE, "STATUS {case1:wrong} eh {case1}", "status", Rule.STATUS, None, "status case1"),
)

NOT_THEIRS = (
    row("no case bears it", SMS, ONE, "STATUS {free}", "status", Rule.STATUS, None, "not_found"),
    row("a stranger's", SMS, ONE, says("STATUS {case1}", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("a stranger's, the number alone", SMS, ONE, says("{case1:shown}", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("a stranger's, in a question", TELEGRAM, ONE, says("Bagaimana laporan {case1}?", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("a stranger's, by mail", EMAIL, ONE, says("", subject="STATUS {case1}", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("a stranger's, asked by one with a case of their own", SMS, [ROAD, says(WASTE, by="a neighbour"), after(days=1)], "STATUS {case2}", "status", Rule.STATUS, None, "not_found"),
    row("a stranger's closed case", SMS, [ROAD, Closing("case1"), after(days=1)], says("STATUS {case1}", by="a stranger"), "status", Rule.STATUS, None, "not_found"),
    row("a stranger's and their own", SMS, [ROAD, says(WASTE, by="a neighbour"), after(days=1)], "STATUS {case2} {case1}", "status", Rule.STATUS, None, "status case1"),
    row("a stranger's in a stranger's thread", TELEGRAM, ONE, says("STATUS {case1}", by="a stranger", answers="elsewhere"), "status", Rule.STATUS, None, "not_found"),
    row("their own, opened on another channel", TELEGRAM, [says(ROAD, on=On.SMS), after(days=1)], "STATUS {case1}", "status", Rule.STATUS, None, "not_found"),
    row("asked in English", SMS, ONE, says("What is the status of my report {case1}?", by="a stranger"), "status", Rule.STATUS, None, "not_found", language="en"),
    row("nothing is given away by asking for a free one in English", SMS, ONE, says("What is the status of my report {free}?", by="a stranger"), "status", Rule.STATUS, None, "not_found", language="en"),
)
# fmt: on
