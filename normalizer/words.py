"""The word lists that messages are read with; each is a setting, its default shipped in :mod:`config.words`."""

from __future__ import annotations

import msgspec

from config import words


class IntentWords(msgspec.Struct, frozen=True, kw_only=True):
    """The words of each command, and those that are read around a number.

    A word with a slash is a bot command. ``stop`` and ``help`` count as the whole message, ``status`` and
    ``new_case`` in front. A message of ``meaningless`` words alone is empty. The other four make out a question
    about one's report, which is a number with some of them and hardly a word more: ``asking`` words ask, ``report``
    words name the report, ``state`` words tell how far it is, ``filler`` words say nothing.
    """

    stop: tuple[str, ...] = words.STOP
    help: tuple[str, ...] = words.HELP
    status: tuple[str, ...] = words.STATUS
    new_case: tuple[str, ...] = words.NEW_CASE
    meaningless: tuple[str, ...] = words.MEANINGLESS
    asking: tuple[str, ...] = words.ASKING
    report: tuple[str, ...] = words.REPORT
    state: tuple[str, ...] = words.STATE
    filler: tuple[str, ...] = words.FILLER


WORDS = IntentWords()
