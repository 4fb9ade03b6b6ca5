"""What happens to an event: the table of DESIGN section 6, in its order; the first row that fits decides.

Every row is a pure function of the event, the facts and the settings. Row 2 (parts) is settled before this table,
by :mod:`gateway.dispatcher.parts`: the rules see whole messages.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from config.conversation import Rules
from gateway.dispatcher.facts import CaseFacts, Facts
from normalizer.event import ComplaintEvent


class Row(StrEnum):
    """The rows of the table, by their names in the store."""

    AUTOMATED = "automated"
    BLOCKED = "blocked"
    PART = "part"
    VERSION = "version"
    STOP = "stop"
    HELP = "help"
    EMPTY = "empty"
    NEW_CASE = "new_case"
    STATUS = "status"
    THREAD = "thread"
    NUMBER = "number"
    REPEAT = "repeat"
    CONVERSATION = "conversation"
    FLOOD = "flood"
    COMPLAINT = "complaint"
    RECEIPT = "receipt"
    FORGOTTEN = "forgotten"


class Template(StrEnum):
    """The replies there are; each is a template by language and channel."""

    ACKNOWLEDGEMENT = "acknowledgement"
    JOINED = "joined"
    REPEATED = "repeated"
    FLOOD = "flood"
    STATUS = "status"
    STATUS_PUBLIC = "status_public"
    NOT_FOUND = "not_found"
    NO_CASE = "no_case"
    CHECK_NUMBER = "check_number"
    HELP = "help"
    STOPPED = "stopped"
    NEWS = "news"
    NEWS_PUBLIC = "news_public"


class Decision(msgspec.Struct, frozen=True):
    """What the table says: open a case, join ``case``, or neither; answer with ``template`` or keep quiet.

    ``about`` is the case whose number and state the answer tells; ``None`` with an opened case means that one.
    With ``privately``, ``template`` goes where others read along and says nothing of ``about``; the other one, which
    does, goes to the sender alone.
    """

    row: Row
    opens: bool = False
    case: CaseFacts | None = None
    template: Template | None = None
    about: CaseFacts | None = None
    privately: Template | None = None


Rule = Callable[[ComplaintEvent, Facts, Rules], Decision | None]


def decide(event: ComplaintEvent, facts: Facts, rules: Rules) -> Decision:
    """The decision of the first row that fits. ``event.received_at`` is "now" for every window."""
    for rule in TABLE:
        decision = rule(event, facts, rules)
        if decision is not None:
            return decision
    raise AssertionError("the last row fits every event")


def _automated(event: ComplaintEvent, _facts: Facts, _rules: Rules) -> Decision | None:
    return Decision(Row.AUTOMATED) if event.automated else None


def _blocked(_event: ComplaintEvent, facts: Facts, _rules: Rules) -> Decision | None:
    # Before every row that reads the message: whatever a blocked sender does is only recorded.
    return Decision(Row.BLOCKED) if facts.blocked else None


def _version(event: ComplaintEvent, facts: Facts, _rules: Rules) -> Decision | None:
    # Of a post that was edited before it was first read only the edit comes: it is all that we hear of this citizen.
    if event.kind not in ("edit", "deletion") or facts.first_heard:
        return None
    return Decision(Row.VERSION, case=facts.version_of)


def _stop(event: ComplaintEvent, facts: Facts, _rules: Rules) -> Decision | None:
    if event.intent != "stop":
        return None
    already = facts.sender.stopped_at is not None
    return Decision(Row.STOP, template=None if already else Template.STOPPED)


def _help(event: ComplaintEvent, _facts: Facts, _rules: Rules) -> Decision | None:
    return Decision(Row.HELP, template=Template.HELP) if event.intent == "help" else None


def _empty(event: ComplaintEvent, facts: Facts, rules: Rules) -> Decision | None:
    if event.intent != "empty" or event.attachments or event.location:
        return None
    # "Terima kasih" and a thumb up to our answer need none.
    talking = not _elapsed(facts.sender.wrote_in_case_at, event, rules.conversation_window)
    due = not talking and _own_thread(facts) is None and _elapsed(facts.sender.helped_at, event, rules.help_window)
    return Decision(Row.EMPTY, template=Template.HELP if due else None)


def _new_case(event: ComplaintEvent, _facts: Facts, _rules: Rules) -> Decision | None:
    if not event.new_case:
        return None
    return Decision(Row.NEW_CASE, opens=True, template=Template.ACKNOWLEDGEMENT)


def _status(event: ComplaintEvent, facts: Facts, _rules: Rules) -> Decision | None:
    if event.intent != "status":
        return None
    told = _asked_about(event, facts)
    if event.channel.thread.public:
        # The same to everyone; what a stranger would learn by its absence goes to the case's own sender alone.
        if told is None or not facts.apart:
            return Decision(Row.STATUS, template=Template.STATUS_PUBLIC)
        return Decision(Row.STATUS, template=Template.STATUS_PUBLIC, privately=Template.STATUS, about=told)
    if told is not None:
        return Decision(Row.STATUS, template=Template.STATUS, about=told)
    if event.numbers:
        return Decision(Row.STATUS, template=Template.NOT_FOUND)
    return Decision(Row.STATUS, template=Template.CHECK_NUMBER if event.bad_numbers else Template.NO_CASE)


def _thread(event: ComplaintEvent, facts: Facts, rules: Rules) -> Decision | None:
    thread = _own_thread(facts)
    return None if thread is None else _join(Row.THREAD, thread, event, rules)


def _number(event: ComplaintEvent, facts: Facts, rules: Rules) -> Decision | None:
    own = _first_own(facts)
    return None if own is None else _join(Row.NUMBER, own, event, rules)


def _repeat(_event: ComplaintEvent, facts: Facts, _rules: Rules) -> Decision | None:
    same = facts.same_words
    if same is None:
        return None
    template = None if same.repeat_answered else Template.REPEATED
    return Decision(Row.REPEAT, case=same, template=template, about=same)


def _conversation(event: ComplaintEvent, facts: Facts, rules: Rules) -> Decision | None:
    # A closed case is joined by thread, number or the same words: time alone does not say that it is meant.
    if not facts.private or facts.open is None or facts.open.state == "closed":
        return None
    if _elapsed(facts.sender.wrote_in_case_at, event, rules.conversation_window):
        return None
    return _join(Row.CONVERSATION, facts.open, event, rules)


def _flood(event: ComplaintEvent, facts: Facts, rules: Rules) -> Decision | None:
    # This message counts too: the limit itself still passes.
    if facts.recent + 1 <= rules.flood_limit or facts.latest is None:
        return None
    due = _elapsed(facts.sender.flood_answered_at, event, rules.flood_answer_window)
    template = Template.FLOOD if due else None
    return Decision(Row.FLOOD, case=facts.latest, template=template, about=facts.latest)


def _complaint(_event: ComplaintEvent, _facts: Facts, _rules: Rules) -> Decision:
    return Decision(Row.COMPLAINT, opens=True, template=Template.ACKNOWLEDGEMENT)


TABLE: tuple[Rule, ...] = (
    _automated,
    _blocked,
    _version,
    _stop,
    _help,
    _empty,
    _new_case,
    _status,
    _thread,
    _number,
    _repeat,
    _conversation,
    _flood,
    _complaint,
)


def _asked_about(event: ComplaintEvent, facts: Facts) -> CaseFacts | None:
    """Which of the sender's own cases is asked about: a number says it, else the thread, else it is the latest."""
    if event.numbers:
        return _first_own(facts)
    if event.bad_numbers:
        return None
    return _own_thread(facts) or facts.latest


def _own_thread(facts: Facts) -> CaseFacts | None:
    return facts.thread if facts.thread is not None and facts.thread.sender_key == facts.sender.key else None


def _first_own(facts: Facts) -> CaseFacts | None:
    return next((case for case in facts.named if case.sender_key == facts.sender.key), None)


def _join(row: Row, case: CaseFacts, event: ComplaintEvent, rules: Rules) -> Decision:
    due = _elapsed(case.join_answered_at, event, rules.join_answer_window)
    return Decision(row, case=case, template=Template.JOINED if due else None, about=case)


def _elapsed(since: float | None, event: ComplaintEvent, window: float) -> bool:
    """Whether the window has passed by the time this event came in; a moment never set has always passed."""
    return since is None or event.received_at.timestamp() - since >= window
