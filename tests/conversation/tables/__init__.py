"""The tables, in the order of DESIGN section 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conversation.story import Row
from tests.conversation.tables import (
    bad_input,
    blocked,
    commands,
    joining,
    manner,
    opening,
    parts,
    robots,
    status,
    versions,
)

TABLES: Mapping[str, Sequence[Row]] = {
    "1 automated": robots.AUTOMATED,
    "1 blocked": blocked.BLOCKED,
    "2 parts": parts.PARTS,
    "3 versions": versions.VERSIONS,
    "4 stop": commands.STOP,
    "5 help": commands.HELP,
    "6 empty": commands.EMPTY,
    "7 LAPOR BARU": opening.NEW_CASE,
    "8 status": status.STATUS,
    "8 check the number": status.CHECK,
    "8 not theirs": status.NOT_THEIRS,
    "9 thread": joining.THREAD,
    "10 number": joining.NUMBER,
    "11 the same words": joining.SAME_WORDS,
    "under a photo": joining.UNDER_A_PHOTO,
    "12 the open case": joining.OPEN_CASE,
    "13 flood": opening.FLOOD,
    "14 a new case": opening.COMPLAINT,
    "no tracking number": opening.NO_NUMBER,
    "joining is answered": joining.ANSWERED,
    "in one batch": joining.ONE_BATCH,
    "in public": manner.PUBLIC,
    "language": manner.LANGUAGE,
    "privacy": manner.PRIVACY,
    "mail": manner.MAIL,
    "bad input": bad_input.BAD_INPUT,
}
