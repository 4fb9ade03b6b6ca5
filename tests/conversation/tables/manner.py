"""The rules below the table: what is said in public, in which language, under which wishes; and what mail has of its own."""

from __future__ import annotations

from tests.conversation.story import On, Rule, Step, after, row, says
from tests.conversation.tables.scenery import EMAIL, ENGLISH, GROUP, LAMPS, MENTION, ROAD, SMS, TELEGRAM, WASTE

ONE: list[Step] = [ROAD, after(days=2)]

# fmt: off
PUBLIC = (
    row("the state of their own case", MENTION, ONE, "STATUS {case1}", "status", Rule.STATUS, None, ("status_public", "status case1 privately"), in_all=3),
    row("the state of their own case", GROUP, ONE, "STATUS {case1}", "status", Rule.STATUS, None, ("status_public", "status case1 privately")),
    row("the state of the latest case", MENTION, ONE, "status", "status", Rule.STATUS, None, ("status_public", "status case1 privately")),
    row("the state of the latest case, opened in private", GROUP, [says(ROAD, on=On.TELEGRAM), after(days=1)], "/status@lapor1708bot", "status", Rule.STATUS, None, ("status_public", "status case1 privately")),
    row("the state of the case whose thread it is", MENTION, [ROAD, WASTE, after(days=1)], says("status?", answers=("reply 1", "message 1")), "status", Rule.STATUS, None, ("status_public", "status case1 privately")),
    row("the state, in a stranger's thread: of their own latest", MENTION, [says(WASTE, by="a neighbour"), ROAD, after(days=1)], says("STATUS", answers=("reply 1", "message 1")), "status", Rule.STATUS, None, ("status_public", "status case2 privately")),
    row("the state of a stranger's case and their own", MENTION, [says(WASTE, by="a neighbour"), ROAD, after(days=1)], "STATUS {case1} {case2}", "status", Rule.STATUS, None, ("status_public", "status case2 privately")),
    row("the state, asked by a group that writes as itself", GROUP, [says(ROAD, robot="as the group"), after(days=1)], says("STATUS {case1}", robot="as the group"), "status", Rule.STATUS, None, "status_public"),
    row("the state of a stranger's case", MENTION, ONE, says("STATUS {case1}", by="a stranger"), "status", Rule.STATUS, None, "status_public"),
    row("the state of a stranger's case", GROUP, ONE, says("/status@lapor1708bot {case1}", by="a stranger"), "status", Rule.STATUS, None, "status_public"),
    row("the state of a case that is not there", MENTION, ONE, "STATUS {free}", "status", Rule.STATUS, None, "status_public"),
    row("a mistyped number", MENTION, ONE, "STATUS {case1:wrong}", "status", Rule.STATUS, None, "status_public"),
    row("the state, from who never wrote", MENTION, [], "STATUS", "status", Rule.STATUS, None, "status_public"),
    row("a stranger's number in a complaint", MENTION, ONE, says("Laporan {case1} itu juga terjadi di RT 5 kami", by="a stranger"), "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
)

LANGUAGE = (
    row("Indonesian", SMS, [], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement", language="id"),
    row("English", SMS, [], ENGLISH, "complaint", Rule.COMPLAINT, "new", "acknowledgement", language="en"),
    row("Javanese is answered in Indonesian", SMS, [], "Dalane rusak nganti saiki durung didandani", "complaint", Rule.COMPLAINT, "new", "acknowledgement", language="id"),
    row("Sundanese is answered in Indonesian", SMS, [], "Jalan di lembur abdi reksak pisan teu acan dibereskeun", "complaint", Rule.COMPLAINT, "new", "acknowledgement", language="id"),
    row("text messages' spelling is Indonesian", SMS, [], "tlg dong sampah numpuk bgt dpn rmh sy", "complaint", Rule.COMPLAINT, "new", "acknowledgement", language="id"),
    row("too short to tell: Indonesian", SMS, [], "HELP", "help", Rule.HELP, None, "help", language="id"),
    row("too short to tell, after Javanese", SMS, ["Dalane rusak nganti saiki durung didandani", after(days=1)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1", language="id"),
    row("too short to tell: the sender's last", SMS, [ENGLISH, after(days=1)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1", language="en"),
    row("too short to tell: the last, not the first", SMS, [ENGLISH, after(days=1), ROAD, after(days=1)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1", language="id"),
    row("the message's own goes before the sender's last", SMS, [ENGLISH, after(days=1)], "Bagaimana kabar laporan saya yang {case1}?", "status", Rule.STATUS, None, "status case1", language="id"),
    row("the sender's last, over the other carrier", SMS, [ENGLISH, after(days=1)], says("HELP", carrier="sms-indosat"), "help", Rule.HELP, None, "help", language="en"),
    row("a neighbour's language is not the citizen's", SMS, [says(ENGLISH, by="a neighbour")], "HELP", "help", Rule.HELP, None, "help", language="id"),
    row("a case's language does not bind the next message", TELEGRAM, [ENGLISH, after(days=1)], says("Lampunya juga sudah mati semua, tolong pak", answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined", language="id"),
    row("the language of the message that was edited stays", TELEGRAM, [ENGLISH, says(ROAD, edits="message 1"), after(days=1)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1", language="en"),
)

PRIVACY = (
    row("ANONIM", SMS, [], f"ANONIM {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("anonim, with a colon", SMS, [], f"anonim: {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("a zero for the O", SMS, [], f"AN0NIM {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("full-width letters", SMS, [], f"ＡＮＯＮＩＭ {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("RAHASIA", SMS, [], f"RAHASIA {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="confidential"),
    row("both", SMS, [], f"RAHASIA ANONIM {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous confidential"),
    row("both, the other way round", MENTION, [], f"anonim dan rahasia, {ROAD}", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous confidential"),
    row("as a mail's subject", EMAIL, [], says(ROAD, subject="ANONIM: jalan rusak"), "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("keep my identity secret", SMS, [], "Kades minta uang untuk KTP. Tolong rahasiakan identitas saya", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("do not name me", SMS, [], "Kades minta uang untuk KTP, jgn sebut nama sy ya", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous"),
    row("do not publish this", SMS, [], "Kades minta uang untuk KTP. Mohon laporan ini jangan dipublikasikan", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="confidential"),
    row("in English", SMS, [], "The officer asked for money. Please keep my name secret", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="anonymous", language="en"),
    row("an open secret is an idiom", SMS, [], "Sudah rahasia umum kades minta uang untuk KTP", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="none"),
    row("an idiom in front", SMS, [], "Rahasia umum kalau kades minta uang untuk KTP", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="none"),
    row("somebody else's secrecy", SMS, [], "Hasil tender tidak dipublikasikan oleh dinas", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="none"),
    row("no need to keep it secret", SMS, [], "Kades minta uang. Identitas saya tidak perlu dirahasiakan", "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="none"),
    row("an anonymous citizen still asks", SMS, [f"ANONIM {ROAD}", after(days=2)], "STATUS {case1}", "status", Rule.STATUS, None, "status case1"),
    row("an anonymous citizen still adds", SMS, [f"ANONIM {ROAD}", after(minutes=5)], LAMPS, "complaint", Rule.CONVERSATION, "case1", "joined", flags="anonymous"),
    row("an anonymous citizen's next case is another one", SMS, [f"ANONIM {ROAD}", after(days=2)], WASTE, "complaint", Rule.COMPLAINT, "new", "acknowledgement", flags="none"),
    row("the wish comes later", TELEGRAM, [ROAD], says("Rahasiakan identitas saya.", answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined", flags="anonymous"),
    row("the wish comes later", SMS, [ROAD], "ANONIM dan rahasia, lampunya juga mati", "complaint", Rule.CONVERSATION, "case1", "joined", flags="anonymous confidential"),
)

MAIL = (
    row("only a subject", EMAIL, [], says("", subject=ROAD), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text=ROAD),
    row("a signature is not the text", EMAIL, [], says(f"{ROAD}\n\n-- \nBudi\n{{free}}"), "complaint", Rule.COMPLAINT, "new", "acknowledgement", text=ROAD),
    row("answered at From, never at Reply-To", EMAIL, [], says(ROAD, headers={"Reply-To": "wartawan@koran.example"}), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("a state told to From, never to Reply-To", EMAIL, ONE, says("STATUS {case1}", headers={"Reply-To": "wartawan@koran.example"}), "status", Rule.STATUS, None, "status case1"),
    row("a reply below quoted words", EMAIL, ONE, says(f"{LAMPS}\n\nPada Sen, 23 Nov 2026 pukul 09.00 LAPOR <lapor@gateway.example.go.id> menulis:\n> Laporan Anda diterima. Nomor: {{case1:shown}}.", subject="Re: Jalan rusak", answers="reply 1"), "complaint", Rule.THREAD, "case1", "joined", text=LAMPS),
    row("thanks under the subject of our answer", EMAIL, ONE, says("Terima kasih", subject="Re: Jalan rusak [{case1:shown}]", answers="reply 1"), "follow_up", Rule.THREAD, "case1", "joined"),
    row("STATUS under the subject of our answer", EMAIL, [ROAD, WASTE, after(days=1)], says("status?", subject="Re: Jalan rusak [{case1:shown}]", answers="reply 1"), "status", Rule.STATUS, None, "status case1"),
    row("BERHENTI under the subject of our answer", EMAIL, ONE, says("BERHENTI", subject="Re: Jalan rusak [{case1:shown}]", answers="reply 1"), "stop", Rule.STOP, None, "stopped"),
    row("our answer's subject on a stranger's mail", EMAIL, ONE, says(LAMPS, by="a colleague", subject="Fwd: Re: Jalan rusak [{case1:shown}]"), "follow_up", Rule.COMPLAINT, "new", "acknowledgement"),
    row("thanks below quoted words", EMAIL, ONE, says("Terima kasih\n\nPada Sen, 23 Nov 2026 pukul 09.00 LAPOR <lapor@gateway.example.go.id> menulis:\n> Laporan Anda diterima. Nomor: {case1:shown}.", answers="reply 1"), "empty", Rule.EMPTY, None, None),
)
# fmt: on
