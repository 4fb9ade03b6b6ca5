"""A sender whom an operator has blocked: everything is recorded, nothing comes of it, until the block is lifted."""

from __future__ import annotations

from tests.conversation.story import Blocked, On, Rule, Says, Together, Unblocked, after, row, says
from tests.conversation.tables.scenery import DM, EMAIL, GROUP, LAMPS, MENTION, ROAD, SMS, TELEGRAM, WASTE

BLOCK = Blocked("citizen")


def part(text: str, index: int, total: int = 2) -> Says:
    return says(text, part=("91", index, total))


# fmt: off
BLOCKED = (
    row("a complaint", SMS, ["tes", BLOCK], ROAD, "complaint", Rule.BLOCKED, None, None),
    row("a complaint", GROUP, ["tes", BLOCK], ROAD, "complaint", Rule.BLOCKED, None, None),
    row("a complaint", MENTION, ["tes", BLOCK], ROAD, "complaint", Rule.BLOCKED, None, None),
    row("a complaint", EMAIL, ["tes", BLOCK], ROAD, "complaint", Rule.BLOCKED, None, None),
    row("a direct message after a mention", DM, [says(ROAD, on=On.MENTION), BLOCK], LAMPS, "complaint", Rule.BLOCKED, None, None),
    row("over the other carrier", SMS, ["tes", BLOCK], says(ROAD, carrier="sms-indosat"), "complaint", Rule.BLOCKED, None, None),
    row("who never wrote before", SMS, [Blocked("a stranger")], says(ROAD, by="a stranger"), "complaint", Rule.BLOCKED, None, None, in_all=0),
    row("not somebody else", SMS, ["tes", BLOCK], says(ROAD, by="a neighbour"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("not the same person on another channel", SMS, ["tes", BLOCK], says(ROAD, on=On.TELEGRAM), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("in an open conversation", SMS, [ROAD, BLOCK], LAMPS, "complaint", Rule.BLOCKED, None, None, in_all=1),
    row("in the own thread", TELEGRAM, [ROAD, BLOCK], says(LAMPS, answers="reply 1"), "complaint", Rule.BLOCKED, None, None),
    row("names the own case", SMS, [ROAD, BLOCK], "Laporan {case1} lampunya juga mati", "follow_up", Rule.BLOCKED, None, None),
    row("the same words again", SMS, [ROAD, BLOCK], ROAD, "complaint", Rule.BLOCKED, None, None),
    row("LAPOR BARU", SMS, [ROAD, BLOCK], f"LAPOR BARU {WASTE}", "complaint", Rule.BLOCKED, None, None),
    row("STATUS", SMS, [ROAD, BLOCK], "STATUS {case1}", "status", Rule.BLOCKED, None, None),
    row("STATUS", MENTION, [ROAD, BLOCK], "STATUS {case1}", "status", Rule.BLOCKED, None, None),
    row("BERHENTI", SMS, [ROAD, BLOCK], "BERHENTI", "stop", Rule.BLOCKED, None, None),
    row("BANTUAN", SMS, [ROAD, BLOCK], "BANTUAN", "help", Rule.BLOCKED, None, None),
    row("a greeting", TELEGRAM, [BLOCK], "halo", "empty", Rule.BLOCKED, None, None),
    row("a photo", TELEGRAM, [ROAD, BLOCK], says(photo=True), "complaint", Rule.BLOCKED, None, None),
    row("an edit", TELEGRAM, [ROAD, BLOCK], says(f"{ROAD} sekali", edits="message 1"), "complaint", Rule.BLOCKED, None, None),
    row("a deletion", MENTION, [ROAD, BLOCK], says(deletes="message 1"), None, Rule.BLOCKED, None, None, in_all=1),
    row("a robot is a robot first", EMAIL, ["tes", BLOCK], says("Cuti", headers={"Auto-Submitted": "auto-replied"}), None, Rule.AUTOMATED, None, None),
    row("a part waits like any other", SMS, [BLOCK], part("Jalan Merdeka ", 1), None, Rule.PART, None, None),
    row("parts are joined, and the whole is blocked", SMS, [BLOCK, part("Jalan Merdeka ", 1)], part("rusak parah", 2), "complaint", Rule.BLOCKED, None, None, text="Jalan Merdeka rusak parah"),
    row("blocked between two parts", SMS, [part("Jalan Merdeka ", 1), BLOCK], part("rusak parah", 2), "complaint", Rule.BLOCKED, None, None),
    row("all in one batch", SMS, [BLOCK], Together((says(ROAD), says(LAMPS), says("STATUS"))), "status", Rule.BLOCKED, None, None, in_all=0),
    row("after the block is lifted, a complaint", SMS, [BLOCK, ROAD, Unblocked("citizen"), after(minutes=1)], WASTE, "complaint", Rule.COMPLAINT, "new", "acknowledgement", in_all=1),
    row("after the block is lifted, the same words", SMS, [BLOCK, ROAD, Unblocked("citizen"), after(minutes=1)], ROAD, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("after the block is lifted, the case is theirs as before", SMS, [ROAD, BLOCK, LAMPS, Unblocked("citizen"), after(minutes=5)], "Selokannya mampet", "complaint", Rule.CONVERSATION, "case1", "joined"),
    row("a stop while blocked was no stop", SMS, [ROAD, BLOCK, "BERHENTI", Unblocked("citizen")], "BERHENTI", "stop", Rule.STOP, None, "stopped"),
)
# fmt: on
