"""What a message wants, from its syntax alone (DESIGN section 5 and section 6, rows 4 to 8 and 10).

Nothing is known here of cases or senders: a message that names a number is a follow-up whoever wrote it, and the
dispatcher decides whose it is. Case, punctuation, blanks and look-alike characters do not get in the way of
reading a command or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from normalizer import privacy
from normalizer.event import Intent, Privacy
from normalizer.text import fold, readable
from normalizer.tracking import find, worth_reading
from normalizer.words import WORDS, IntentWords

__all__ = ["Grammar", "IntentWords", "Reading", "classify"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. ``numbers`` are tracking numbers it names, ``bad_numbers`` such as were clearly meant as one.

    ``region`` is a region keyword in front, as the settings spell it. ``privacy`` holds the wishes that stand in
    front. ``body`` is the readable text after all that stands in front (privacy words, ``LAPOR BARU``, mentions).
    """

    intent: Intent
    numbers: tuple[str, ...] = ()
    bad_numbers: tuple[str, ...] = ()
    region: str = ""
    new_case: bool = False
    privacy: Privacy = privacy.NONE
    body: str = ""


def classify(
    text: str, *, subject: str = "", regions: Sequence[str] = (), more: bool = False, words: IntentWords = WORDS
) -> Reading:
    """Read a message; ``regions`` are the keywords of 1708 that may stand in front.

    ``subject`` is a mail's: it counts where the text says nothing, where it begins with a command, and for the
    numbers it names. ``more`` tells that a file or a place comes with the words.
    """
    return _grammar(words, tuple(regions)).read(text, subject, more=more)


_Verdict = tuple[Intent, tuple[str, ...], tuple[str, ...]]
"""Intent, numbers, bad numbers."""

_SHORT = 80
"""No command, greeting or bare number is longer, in characters."""
_FEW = 2
"""A question about a report may hold so many words that say something else; with more it is a message to add."""

_LEAST_DIGITS, _SLIPS = 7, 2
"""Behind STATUS, so many digits with so many letters among them are meant as a number."""

# Groups of digits and letters, a digit in each.
_GROUP = r"[^\W\d_]{0,2}\d[^\W_]{0,12}"
_ALMOST = re.compile(rf"(?<![^\W_]){_GROUP}(?:[ .\-]{_GROUP}){{0,9}}(?![^\W_])")
# Between the words in front: blanks, punctuation, emoji, mentions and hashtags; a slash begins a command.
_SKIPPED = re.compile(r"(?:[@#]\w*[^\W\d]\w*|[^\w/]|_)*")
_TAG = re.compile(r"[@#]\w*[^\W\d]\w*")
_ANY_WORD = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SLASH = re.compile(r"/(\w+)(?:@\w+)?\s*")
_REPLY = re.compile(r"\s*(?:(?:re|aw|bls|balas|fw|fwd|trs)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_REPEATED = re.compile(r"(.)\1+")
_SUFFIX = re.compile(r"(?:nya|kah|ku|lah)$")
_ALIKE = str.maketrans("01l|", "oiii")
_ALIKE_PATTERN = {**dict.fromkeys("o0", "[o0]"), **dict.fromkeys("i1l|", "[i1l|]")}


class Grammar:
    """The word lists of one gateway, made ready for reading."""

    def __init__(self, words: IntentWords = WORDS, regions: Iterable[str] = ()) -> None:
        self._whole: dict[str, Intent] = {_alike(word): "help" for word in _plain(words.help)}
        self._whole |= {_alike(word): "stop" for word in _plain(words.stop)}
        self._longest = max(map(len, self._whole), default=0)
        self._few_letters = re.compile(rf"[\W_]*(?:[^\W_][\W_]*){{0,{self._longest}}}")
        self._help_commands = _commands(words.help)
        self._stop_commands = _commands(words.stop)
        self._status = _in_front(words.status)
        self._status_commands = _commands(words.status)
        # "Lapor, baru saja …" tells when it happened.
        self._new_case = _in_front(words.new_case, unless=r"\s*(?:saja|aja|sj)\b")
        self._new_case_commands = _commands(words.new_case)
        self._regions = {region.casefold(): region for region in regions}
        self._meaningless = frozenset(map(_squeezed, (*words.meaningless, *self._regions)))
        self._asking = frozenset(map(str.lower, words.asking))
        self._report = frozenset(map(str.lower, words.report))
        self._state = frozenset(map(str.lower, words.state))
        in_front = (privacy.FRONT, self._new_case, self._status)
        self._in_front = re.compile("|".join(pattern.pattern for pattern in in_front), re.IGNORECASE)
        self._known = self._asking | self._report | self._state | frozenset(map(str.lower, words.filler))

    def read(self, text: str, subject: str = "", *, more: bool = False) -> Reading:
        """Read a message as :func:`classify` does."""
        reading = self._read(readable(text))
        if subject:
            reading = self._with_subject(reading, readable(subject))
        return _beside_more(reading) if more else reading

    def _with_subject(self, reading: Reading, subject: str) -> Reading:
        reply = _REPLY.match(subject)
        head = self._read(subject[reply.end() :] if reply else subject)
        if reading.intent == "empty" and not reply:
            return head
        intent, bad = reading.intent, reading.bad_numbers
        numbers = tuple(dict.fromkeys((*reading.numbers, *head.numbers)))
        new_case = reading.new_case
        if not reply and (head.new_case or self._new_case_end(subject, _end(_SKIPPED, subject, 0))):
            intent, bad, new_case = "complaint", (), True
        elif intent == "complaint" and head.intent == "status" and not reply and self._status.match(head.body):
            intent, bad = "status", head.bad_numbers
        elif intent in ("complaint", "empty") and numbers and not new_case:
            intent = "follow_up"
        return msgspec.structs.replace(
            reading,
            intent=intent,
            numbers=numbers,
            bad_numbers=bad,
            new_case=new_case,
            privacy=privacy.either(reading.privacy, head.privacy),
        )

    def _read(self, text: str) -> Reading:
        return Reading(intent="complaint", body=text) if self._is_plain(text) else self.read_closely(text)

    def _is_plain(self, text: str) -> bool:
        """Whether this is what most messages are: no command, nothing in front, no number, and a word that tells."""
        word = _WORD.match(text)
        return (
            word is not None
            and self._in_front.match(text) is None
            and word[0].casefold() not in self._regions
            and "@" not in text
            and "#" not in text
            and not worth_reading(readable(text))
            and (len(text) > _SHORT or (self._command_of(text) is None and self._tells(text)))
        )

    def _tells(self, text: str) -> bool:
        """Whether a word, blanks on both sides, is no greeting and has no place in a question about a report."""
        for word in text.lower().split():
            if word.isalpha() and not self._asks_with(word) and _squeezed(word) not in self._meaningless:
                return True
        return False

    def read_closely(self, text: str) -> Reading:
        """Read a readable text as :meth:`read` does, without the short way of plain messages."""
        wishes, region, new_case = privacy.NONE, "", False
        at = _end(_SKIPPED, text, 0)
        while True:
            if words := privacy.front(text, at):
                wishes, at = privacy.either(wishes, words.privacy), words.end
            elif not new_case and (end := self._new_case_end(text, at)):
                new_case, at = True, end
            elif not region and (found := self._region_at(text, at)):
                region, at = found
            else:
                break
            at = _end(_SKIPPED, text, at)
        body = text[at:]
        intent, numbers, bad = self._verdict(body, new_case=new_case)
        return Reading(
            intent=intent,
            numbers=numbers,
            bad_numbers=bad,
            region=region,
            new_case=new_case and intent == "complaint",
            privacy=wishes,
            body=body,
        )

    def _new_case_end(self, text: str, at: int) -> int:
        """Where the text goes on after ``LAPOR BARU``; 0 where that does not stand at ``at``."""
        if command := _SLASH.match(text, at):
            return command.end() if command[1].lower() in self._new_case_commands else 0
        return _end(self._new_case, text, at) if self._new_case.match(text, at) else 0

    def _region_at(self, text: str, at: int) -> tuple[str, int] | None:
        word = _WORD.match(text, at) if self._regions else None
        region = self._regions.get(word[0].casefold()) if word else None
        if word is None or region is None or _ANY_WORD.search(text, word.end()) is None:
            return None
        return region, word.end()

    def _verdict(self, body: str, *, new_case: bool) -> _Verdict:
        said = _TAG.sub(" ", body) if "@" in body or "#" in body else body
        if _ANY_WORD.search(said) is None:
            return ("help" if new_case else "empty"), (), ()
        if new_case:
            return "complaint", find(said).numbers, ()
        if command := _SLASH.match(said):
            if verdict := self._command(command[1].lower(), said[command.end() :]):
                return verdict
        elif len(said) <= _SHORT and (whole := self._whole_message(said)):
            return whole, (), ()
        if (front := self._status.match(said)) and (verdict := self._asked(said[front.end() :])):
            return verdict
        return self._around_numbers(said)

    def _command(self, name: str, rest: str) -> _Verdict | None:
        """A bot command; ``None`` where it is none of ours and a text follows."""
        bare = _ANY_WORD.search(rest) is None
        if name in self._status_commands:
            return self._asked(rest) or ("status", (), ())
        # "/start" brings a word of its own from the link that led to the bot.
        if name in self._help_commands and (bare or (name == "start" and len(rest.split()) == 1)):
            return "help", (), ()
        if name in self._stop_commands and bare:
            return "stop", (), ()
        return ("empty", (), ()) if bare else None

    def _whole_message(self, said: str) -> Intent | None:
        """Stop, help or empty, where the message is that and nothing else."""
        if command := self._command_of(said):
            return command
        if all(word[0].isdigit() or _squeezed(word[0]) in self._meaningless for word in _WORD.finditer(said)):
            return "empty" if sum(map(str.isdigit, said)) < 5 else None
        return None

    def _command_of(self, said: str) -> Intent | None:
        """Stop or help, where the message is that command and nothing else."""
        # Folding costs: a text of more letters than the longest command has is none.
        return self._whole.get(_alike(said)) if self._few_letters.fullmatch(said) else None

    def _asked(self, rest: str) -> _Verdict | None:
        """What follows a status command: a number somewhere, or nothing of its own; ``None`` for other words."""
        found = find(rest, meant=True)
        if found.numbers or found.bad:
            return "status", found.numbers, found.bad
        if mistyped := self._mistyped(found.rest):
            return "status", (), (mistyped,)
        if self._others(found.rest):
            return None
        digits = "".join(filter(str.isdigit, found.rest))[:20]
        return "status", (), found.odd[:1] or ((digits,) if digits else ())

    def _mistyped(self, rest: str) -> str:
        """The digits of what is a number but for a slip of the finger (``48291S7065``), with nothing said beside it."""
        for run in _ALMOST.finditer(rest) if len(rest) <= _SHORT else ():
            digits = "".join(filter(str.isdigit, run[0]))
            slips = sum(map(str.isalpha, run[0]))
            about = f"{rest[: run.start()]} {rest[run.end() :]}"
            if len(digits) >= _LEAST_DIGITS and slips <= _SLIPS and not self._others(about):
                return digits[:20]
        return ""

    def _around_numbers(self, said: str) -> _Verdict:
        """A number alone, a question about one's report, a message that names a number, or any other."""
        found = find(said)
        if len(said) <= _SHORT and not (found.numbers or found.bad) and worth_reading(said):
            # Where nothing else is said, groups of letters may be digits too ("8o5 686 lolo").
            meant = find(said, meant=True)
            if (meant.numbers or meant.bad) and self._others(meant.rest) == 0:
                return "status", meant.numbers, meant.bad
        if len(said) > _SHORT and not (found.numbers or found.bad):
            return "complaint", (), ()
        others = self._others(found.rest)
        words = {_stem(word) for word in _LETTERS.findall(found.rest.lower())} if others <= _FEW else set()
        asking = "?" in said or not self._asking.isdisjoint(words)
        alone = others == 0 and (asking or self._state.isdisjoint(words))
        about = alone or (asking and others <= _FEW)
        if found.numbers:
            return ("status" if about else "follow_up"), found.numbers, ()
        if found.bad and about:
            return "status", (), found.bad
        if alone:
            # Nothing but a number: with dots like an amount, or with a digit too few or too many.
            found = find(said, meant=True)
            near = tuple(odd for odd in found.odd if len(odd) in (9, 11) and not odd.startswith(("0", "62")))
            asks_without_number = asking and not self._report.isdisjoint(words)
            if found.numbers or found.bad or near or asks_without_number:
                return "status", found.numbers, found.bad or (() if found.numbers else near[:1])
        return "complaint", (), ()

    def _others(self, rest: str) -> int:
        """How many words say something beside a question about a report; counting stops where they are many."""
        others = 0
        for word in _LETTERS.finditer(rest.lower()):
            if not self._asks_with(word[0]):
                others += 1
                if others > _FEW:
                    break
        return others

    def _asks_with(self, word: str) -> bool:
        """Whether a word in lower case has its place in a question about a report."""
        return word in self._known or _stem(word) in self._known


def _beside_more(reading: Reading) -> Reading:
    """The reading where a file or a place comes with the words: then something is said already.

    So a bare ``LAPOR BARU`` begins a case, and a number alone says where the photo belongs.
    """
    if reading.intent == "empty":
        return msgspec.structs.replace(reading, intent="complaint")
    if reading.intent == "help" and _ANY_WORD.search(_TAG.sub(" ", reading.body)) is None:
        return msgspec.structs.replace(reading, intent="complaint", new_case=True)
    if reading.intent == "status" and reading.numbers and not _LETTERS.search(find(reading.body, meant=True).rest):
        return msgspec.structs.replace(reading, intent="follow_up")
    return reading


@lru_cache(maxsize=16)
def _grammar(words: IntentWords, regions: tuple[str, ...]) -> Grammar:
    return Grammar(words, regions)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _plain(words: Iterable[str]) -> list[str]:
    return [word for word in words if not word.startswith("/")]


def _commands(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[1:].lower() for word in words if word.startswith("/"))


def _in_front(words: Iterable[str], *, unless: str = r"(?!)") -> re.Pattern[str]:
    """A pattern for any of the words in front of a text, the longest first, look-alike characters read through."""
    spelled = (
        r"[\s_-]*".join("".join(_ALIKE_PATTERN.get(c, re.escape(c)) for c in part) for part in word.lower().split())
        for word in sorted(_plain(words), key=len, reverse=True)
    )
    return re.compile(rf"(?:{'|'.join(spelled) or '(?!)'})(?![^\W\d_])(?!{unless})[^\w+]*", re.IGNORECASE)


def _alike(text: str) -> str:
    """The key of a command or keyword: folded, look-alike characters as one."""
    return fold(text).translate(_ALIKE)


@lru_cache(maxsize=4096)
def _squeezed(word: str) -> str:
    """The key of a greeting: repeated letters count once, "halooo" is "halo"."""
    return _REPEATED.sub(r"\1", _alike(word))


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    return _SUFFIX.sub("", word)
