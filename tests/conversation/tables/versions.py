"""Row 3: an edit or a deletion is a version of its message, on its case; nobody is answered, no state changes."""

from __future__ import annotations

from tests.conversation.story import Closing, Rule, after, row, says
from tests.conversation.tables.scenery import GROUP, MENTION, ROAD, TELEGRAM, WASTE

EDITED = "Jalan Merdeka rusak parah sejak dua bulan"

WISH = "what an edit asks for does not reach the case"

# fmt: off
VERSIONS = (
    row("an edit of the complaint", TELEGRAM, [ROAD], says(EDITED, edits="message 1"), "complaint", Rule.VERSION, "case1", None, text=EDITED, in_all=1),
    row("an edit of the complaint", GROUP, [ROAD], says(EDITED, edits="message 1"), "complaint", Rule.VERSION, "case1", None, in_all=1),
    row("an edit of the complaint", MENTION, [ROAD], says(EDITED, edits="message 1"), "complaint", Rule.VERSION, "case1", None, in_all=1),
    row("an edit of an edit", TELEGRAM, [ROAD, says(EDITED, edits="message 1")], says("Jalan Merdeka sudah amblas", edits="message 1"), "complaint", Rule.VERSION, "case1", None, text="Jalan Merdeka sudah amblas", in_all=1),
    row("an edit of a follow-up", TELEGRAM, [ROAD, "lampunya mati", after(days=1)], says("lampunya mati semua", edits="message 2"), "complaint", Rule.VERSION, "case1", None),
    row("an edit days later", TELEGRAM, [ROAD, after(days=2)], says(EDITED, edits="message 1"), "complaint", Rule.VERSION, "case1", None),
    row("an edit of the older of two", TELEGRAM, [ROAD, f"LAPOR BARU {WASTE}"], says(EDITED, edits="message 1"), "complaint", Rule.VERSION, "case1", None),
    row("an edit after closing", TELEGRAM, [ROAD, Closing("case1"), after(days=2)], says(EDITED, edits="message 1"), "complaint", Rule.VERSION, "case1", None, state="closed"),
    row("an edit of something never seen", TELEGRAM, [], says(EDITED, edits="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an edit of something never seen", MENTION, [], says(EDITED, edits="elsewhere"), "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
    row("an edit that makes it a question", TELEGRAM, [ROAD], says("STATUS {case1}", edits="message 1"), "status", Rule.VERSION, "case1", None, in_all=1),
    row("an edit that makes it a stop", TELEGRAM, [ROAD], says("BERHENTI", edits="message 1"), "stop", Rule.VERSION, "case1", None, in_all=1),
    row("an edit that begins with LAPOR BARU", TELEGRAM, [ROAD], says(f"LAPOR BARU {WASTE}", edits="message 1"), "complaint", Rule.VERSION, "case1", None, in_all=1),
    row("an edit that asks for secrecy", TELEGRAM, [ROAD], says(f"ANONIM {ROAD}", edits="message 1"), "complaint", Rule.VERSION, "case1", None, flags="anonymous", in_all=1),
    row("an edit of a greeting into a complaint", TELEGRAM, ["halo"], says(ROAD, edits="message 1"), "complaint", Rule.VERSION, None, None, in_all=1),
    row("an edit is no sign of life after a stop", TELEGRAM, [ROAD, "BERHENTI", says(EDITED, edits="message 1")], "BERHENTI", "stop", Rule.STOP, None, None),
    row("a deletion of the complaint", MENTION, [ROAD, after(hours=3)], says(deletes="message 1"), None, Rule.VERSION, "case1", None, state="received", in_all=1),
    row("a deletion after closing", MENTION, [ROAD, Closing("case1")], says(deletes="message 1"), None, Rule.VERSION, "case1", None, state="closed", in_all=1),
    row("a deletion of something never seen", MENTION, [], says(deletes="elsewhere"), None, Rule.VERSION, None, None, in_all=0),
    row("the first words again, after an edit", MENTION, [ROAD, says(EDITED, edits="message 1"), after(hours=1)], ROAD, "complaint", Rule.REPEAT, "case1", "repeated"),
    row("the edited words again are new words", MENTION, [ROAD, says(EDITED, edits="message 1"), after(hours=1)], EDITED, "complaint", Rule.COMPLAINT, "new", "acknowledgement"),
)
# fmt: on
