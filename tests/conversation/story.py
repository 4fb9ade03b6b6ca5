"""The words in which the table is written: who says what, how long after, and what must come of it.

A row reads: *name*, *where*, *what was said before*, *what is said now* → *intent*, *row of the table*, *case*,
*reply*. In a text ``{case1}`` is the number given out for the first case of the story, ``{case2}`` the second;
``{case1:dots}`` is that number as somebody may type it (see :class:`Number`). ``{free}`` is a number that no case
bears.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.dispatcher.rules import Row as Rule
from normalizer.event import Intent, Language
from normalizer.tracking import shown

__all__ = [
    "Blocked",
    "Closing",
    "Deadline",
    "Number",
    "On",
    "Pause",
    "Row",
    "Rule",
    "Says",
    "Step",
    "Together",
    "Unblocked",
    "after",
    "row",
    "says",
]


class On(StrEnum):
    """Where a citizen writes: a channel, and who reads along."""

    SMS = "sms"
    TELEGRAM = "telegram"
    GROUP = "telegram group"
    MENTION = "twitter mention"
    DM = "twitter DM"
    EMAIL = "email"

    @property
    def public(self) -> bool:
        """Whether others read along."""
        return self in (On.GROUP, On.MENTION)


@dataclass(frozen=True, kw_only=True)
class Says:
    """One message.

    ``by`` names who writes; the same name is the same person, and on one channel type the same address. ``address``
    is one of those that robots have. ``on`` is where, if not where the row is. ``after`` counts seconds since the
    message before.

    ``answers`` are what it replies to, nearest first: ``message 1`` is the story's first message, ``reply 1`` our
    first reply, ``elsewhere`` something that the store never saw. ``edits`` and ``deletes`` name a message.
    ``part`` is (reference, index, total) of a long SMS, ``album`` a Telegram album. ``robot`` is how the channel
    marks a machine's message, ``headers`` the header fields of a mail.
    """

    text: str = ""
    by: str = "citizen"
    on: On | None = None
    after: float = 10.0
    subject: str = ""
    answers: tuple[str, ...] = ()
    edits: str = ""
    deletes: str = ""
    part: tuple[str, int, int] | None = None
    album: str = ""
    photo: bool = False
    place: bool = False
    carrier: str = ""
    address: str = ""
    robot: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def says(text: str = "", **more: object) -> Says:
    """A message of the citizen's, unless ``by`` names another."""
    answers = more.get("answers", ())
    more["answers"] = (answers,) if isinstance(answers, str) else answers
    return dataclasses.replace(Says(text=text), **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pause:
    """Time that passes, in seconds."""

    seconds: float


def after(*, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> Pause:
    """Time that passes before the next message; the message's own ten seconds do not come on top."""
    return Pause(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


@dataclass(frozen=True)
class Closing:
    """The agency closes a case, ``case1`` and so on."""

    case: str


@dataclass(frozen=True)
class Blocked:
    """An operator blocks somebody, by the address that they have where the row is."""

    who: str


@dataclass(frozen=True)
class Unblocked:
    """The operator lifts the block."""

    who: str


@dataclass(frozen=True)
class Deadline:
    """The dispatcher stops waiting for the missing parts of the message sent last."""


@dataclass(frozen=True)
class Together:
    """Messages that the dispatcher takes in one batch."""

    messages: tuple[Says, ...]


Step = str | Says | Pause | Closing | Blocked | Unblocked | Deadline | Together


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One row: the story so far, the message under test and what must come of it.

    ``case`` is ``new``, ``case1`` (the first that the story opened) or ``None``. ``replies`` are template names, each
    about the case that the message is on; ``status case1`` is about another one than that, and ``… privately``
    goes to the sender alone though the message was public. ``language`` is the replies'. The last five, where
    they are given, are what the event says. ``in_all`` counts the replies to the citizen in the whole story.
    ``differs`` tells where the gateway does not do yet what the design says.
    """

    name: str
    on: On
    history: tuple[Step, ...]
    message: Step
    intent: Intent | None
    rule: Rule
    case: str | None
    replies: tuple[str, ...]
    language: Language = "id"
    in_all: int | None = None
    text: str | None = None
    region: str | None = None
    flags: str | None = None
    state: str | None = None
    differs: str = ""


def row(
    name: str,
    on: On,
    history: Sequence[Step],
    message: Step,
    intent: Intent | None,
    rule: Rule,
    case: str | None,
    reply: str | tuple[str, ...] | None,
    **more: object,
) -> Row:
    """One row of the table, in the order in which it is read."""
    replies = (reply,) if isinstance(reply, str) else reply or ()
    made = Row(
        name=name, on=on, history=tuple(history), message=message, intent=intent, rule=rule, case=case, replies=replies
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


class Number(str):
    """A tracking number, and the ways in which people type it or mistype it, as format specifications."""

    def __format__(self, way: str) -> str:
        return self._ways()[way]

    def _ways(self) -> Mapping[str, str]:
        a, b, c = shown(self).split()
        return {
            "": str(self),
            "shown": f"{a} {b} {c}",
            "dots": f"{a}.{b}.{c}",
            "hyphens": f"{a}-{b}-{c}",
            "pairs": " ".join(self[at : at + 2] for at in range(0, 10, 2)),
            "digits": " ".join(self),
            "amount": f"{self[0]}.{self[1:4]}.{self[4:7]}.{self[7:]}",
            "letters": self.replace("0", "O").replace("1", "I"),
            "small": self.replace("0", "o").replace("1", "l"),
            "full-width": self.translate(_FULL_WIDTH),
            "keycaps": "".join(f"{digit}\ufe0f\u20e3" for digit in self),
            "zero-width": f"{a}\u200b{b}\u200d{c}\ufeff",
            "no-break": f"{a}\u00a0{b}\u00a0{c}",
            "wrong": self[:-1] + str((int(self[-1]) + 1) % 10),
            "swapped": self._swapped(),
            "letters-last": f"{a} {b} {c.translate(_LETTERS)}",
            "letter": f"{self[:5]}S{self[6:]}",
            "letter-shown": f"{a} {b} {c[:3]}B",
            "short": self[:-1],
            "last": self[-1],
            "long": self + "7",
        }

    def _swapped(self) -> str:
        """The last two neighbours that differ, the other way round."""
        at = next(at for at in range(8, 0, -1) if self[at] != self[at + 1])
        return self[:at] + self[at + 1] + self[at] + self[at + 2 :]


_LETTERS = {ord("0"): "o", ord("1"): "l"}
_FULL_WIDTH = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
