"""The working set of one transaction: what is known, what the decisions change, and the writing of it all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.attachments.shapes import waiting_rows
from gateway.dispatcher.facts import CaseFacts, Facts, SenderFacts
from gateway.dispatcher.lookup import Known, Sighting
from gateway.dispatcher.outgoing import outbox_row, reachable_apart
from gateway.dispatcher.rules import Decision, Row, Template
from gateway.replies import Replies
from gateway.store.bell import ring
from gateway.store.bulk import execute_each
from gateway.store.tables import attachments, cases, messages, outbox, publications, senders
from normalizer.cloudevents import headers as headers_of
from normalizer.event import ComplaintEvent, Privacy, encode
from normalizer.messages import CaseChannel, CaseEvent, CaseSender
from normalizer.messages import encode as encode_message
from normalizer.tracking import shown

# Not the state: that is the agencies' to change, in transactions of their own (gateway/updates/).
_CHANGES_OF_CASE = ("updated_at", "anonymous", "confidential", "join_answered_at", "repeat_answered", "language")
_CHANGES_OF_SENDER = tuple(
    name for name in SenderFacts.__struct_fields__ if name not in ("key", "type", "address", "kind")
)
_UPDATE_CASE = (
    update(cases)
    .where(cases.c.number == bindparam("to_number"))
    .values({name: bindparam(f"to_{name}") for name in _CHANGES_OF_CASE})
)
_UPDATE_SENDER = (
    update(senders)
    .where(senders.c.key == bindparam("to_key"))
    .values({name: bindparam(f"to_{name}") for name in _CHANGES_OF_SENDER})
)
_INSERT = {table: table.insert() for table in (senders, cases, messages, attachments, outbox, publications)}
_UNHEARD = (Row.AUTOMATED, Row.BLOCKED)
_json = msgspec.json.Encoder()


class Outcome(msgspec.Struct):
    """What a committed batch did, for the metrics: counted only once the transaction stands."""

    events: list[tuple[str, str]] = msgspec.field(default_factory=list)
    opened: list[str] = msgspec.field(default_factory=list)
    dead: list[str] = msgspec.field(default_factory=list)
    receipts_failed: list[str] = msgspec.field(default_factory=list)
    replies: int = 0
    publications: int = 0


class WorkingSet:
    """Applies decisions in order, so that each event of a batch sees what the ones before it did."""

    def __init__(
        self,
        known: Known,
        numbers: Sequence[str],
        *,
        replies: Replies,
        private_types: frozenset[str],
        flood_window: float,
        duplicate_window: float,
        cases_topic: str,
        source: str,
        notice: Callable[[str, str], str],
    ) -> None:
        self._known = known
        self._numbers = iter(numbers)
        self._replies = replies
        self._private_types = private_types
        self._flood_window = flood_window
        self._duplicate_window = duplicate_window
        self._cases_topic = cases_topic
        self._source = source
        self._notice = notice
        self._new_senders: dict[str, SenderFacts] = {}
        self._new_cases: dict[str, CaseFacts] = {}
        self._changed_senders: set[str] = set()
        self._changed_cases: set[str] = set()
        self._messages: list[dict[str, Any]] = []
        self._attachments: list[dict[str, Any]] = []
        self._outbox: list[dict[str, Any]] = []
        self._publications: list[dict[str, Any]] = []
        self.outcome = Outcome()

    def facts(self, event: ComplaintEvent) -> Facts:
        """What bears on this event now."""
        known = self._known
        sender = self._sender(event)
        at = event.received_at.timestamp()
        thread = event.channel.thread
        places = (known.placed.get((event.channel.instance, ref)) for ref in thread.replies_to)
        in_thread = (known.cases[number] for number in places if number in known.cases)
        place = (event.channel.instance, event.channel.message_id)
        target = known.placed.get(place)
        return Facts(
            sender=sender,
            named=[known.cases[n] for n in event.numbers if n in known.cases],
            # A stranger's post in between does not part a citizen from their own thread.
            thread=next((case for case in in_thread if case.sender_key == sender.key), None),
            same_words=self._same_words(event, at),
            version_of=known.cases.get(target or ""),
            first_heard=event.kind == "edit" and place not in known.heard,
            latest=known.cases.get(sender.latest_case or ""),
            open=known.cases.get(sender.wrote_in_case or ""),
            recent=sum(1 for t in known.recent[sender.key] if at - self._flood_window < t <= at),
            private=event.channel.type in self._private_types and not thread.public,
            apart=reachable_apart(event, self._private_types),
            blocked=sender.key in known.blocked,
        )

    def case(self, number: str | None) -> CaseFacts | None:
        """The case of a number, where it is known."""
        return self._known.cases.get(number or "")

    def apply(self, event: ComplaintEvent, decision: Decision, *, gathering: int | None = None) -> str | None:
        """Carry one decision out in memory; returns the number of the case that the message is on."""
        at = event.received_at.timestamp()
        sender = self._sender(event)
        if decision.row not in _UNHEARD and event.kind == "message":
            self._remember(sender, event, decision, at)
        case = self._open(event, sender, at) if decision.opens else decision.case
        if case is not None:
            self._touch(case, sender, event, decision, at)
        self.record(event, decision.row, case.number if case else None, gathering=gathering)
        # What robots and blocked senders attach is not fetched; nor are the files of a part that waits, which come with
        # the whole.
        if event.attachments and decision.row not in _UNHEARD:
            self._attachments += waiting_rows(event, case.number if case else None, time.time())
        about = decision.about or case
        if decision.template is not None:
            self._answer(event, sender, decision.template, None if decision.privately else about)
        if decision.privately is not None:
            self._answer(event, sender, decision.privately, about, apart=True)
        if event.kind == "message":
            self._known.recent[sender.key].append(at)
        return case.number if case else None

    def record(self, event: ComplaintEvent, row: Row, case_number: str | None, *, gathering: int | None = None) -> None:
        """Keep one version of a message, as evidence."""
        words = self._known.words_key(event)
        at = event.received_at.timestamp()
        self._known.seen.add(event.id)
        if case_number and words:
            self._known.words[words] = Sighting(at, case_number)
        if event.channel.message_id:
            place = (event.channel.instance, event.channel.message_id)
            self._known.heard.add(place)
            if case_number:
                self._known.placed[place] = case_number
        self._messages.append(
            {
                "event_id": event.id,
                "kind": event.kind,
                "channel_type": event.channel.type,
                "channel": event.channel.instance,
                "provider_id": event.channel.message_id,
                "sender_key": event.sender.key,
                "received_at": at,
                "case_number": case_number,
                "disposition": row.value,
                "words": words or None,
                "gathering": gathering,
                "document": encode(event).decode(),
            }
        )
        self.outcome.events.append((event.channel.instance, event.intent))

    def publish(self, topic: str, key: bytes, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
        """Say something on the log once the transaction stands; the relay carries it there."""
        self._publications.append({"topic": topic, "key": key, "value": value, "headers": _json.encode(headers)})

    async def write(self, connection: AsyncConnection) -> None:
        """Write everything in this transaction, a statement a table."""
        await execute_each(connection, _INSERT[senders], _rows(self._new_senders.values()))
        changed = self._changed(self._known.senders, self._changed_senders, self._new_senders)
        await execute_each(connection, _UPDATE_SENDER, _changes(changed))
        await execute_each(connection, _INSERT[cases], _rows(self._new_cases.values()))
        changed = self._changed(self._known.cases, self._changed_cases, self._new_cases)
        await execute_each(connection, _UPDATE_CASE, _changes(changed))
        for table, rows in (
            (messages, self._messages),
            (attachments, self._attachments),
            (outbox, self._outbox),
            (publications, self._publications),
        ):
            await execute_each(connection, _INSERT[table], rows)
        await ring(connection, {row["channel"] for row in self._outbox})
        self.outcome.replies = len(self._outbox)
        self.outcome.publications = len(self._publications)

    def _sender(self, event: ComplaintEvent) -> SenderFacts:
        key = event.sender.key
        found = self._known.senders.get(key)
        if found is None:
            found = SenderFacts(key, event.channel.type, event.sender.address, event.sender.kind)
            self._known.senders[key] = self._new_senders[key] = found
        return found

    def _same_words(self, event: ComplaintEvent, at: float) -> CaseFacts | None:
        sighting = self._known.words.get(self._known.words_key(event))
        if sighting is None or at - sighting.received_at >= self._duplicate_window:
            return None
        return self._known.cases.get(sighting.case_number)

    def _remember(self, sender: SenderFacts, event: ComplaintEvent, decision: Decision, at: float) -> None:
        """What a person's message tells of its sender."""
        sender.stopped_at = at if decision.row is Row.STOP else None
        if event.language:
            sender.language = event.language
        if decision.template is Template.HELP:
            sender.helped_at = at
        if decision.template is Template.FLOOD:
            sender.flood_answered_at = at
        self._changed_senders.add(sender.key)

    def _open(self, event: ComplaintEvent, sender: SenderFacts, at: float) -> CaseFacts:
        case = CaseFacts(
            number=next(self._numbers),
            sender_key=sender.key,
            channel_type=event.channel.type,
            channel=event.channel.instance,
            state="received",
            anonymous=event.privacy.anonymous,
            confidential=event.privacy.confidential,
            language=event.language or sender.language,
            region=event.region,
            opened_at=at,
            updated_at=at,
        )
        self._known.cases[case.number] = self._new_cases[case.number] = case
        sender.latest_case = case.number
        self._changed_senders.add(sender.key)
        self.outcome.opened.append(case.channel)
        return case

    def _touch(
        self, case: CaseFacts, sender: SenderFacts, event: ComplaintEvent, decision: Decision, at: float
    ) -> None:
        """A message came onto a case: its sender is now writing in it, and downstream hears of it."""
        own = case.sender_key == sender.key
        if own and event.kind == "message":
            sender.wrote_in_case, sender.wrote_in_case_at = case.number, at
            self._changed_senders.add(sender.key)
        if own and event.kind in ("message", "edit"):
            # A wish is never taken back by a message that does not repeat it.
            case.anonymous = case.anonymous or event.privacy.anonymous
            case.confidential = case.confidential or event.privacy.confidential
        case.updated_at = max(case.updated_at, at)
        if decision.template is Template.JOINED:
            case.join_answered_at = at
        elif decision.template is Template.REPEATED:
            case.repeat_answered = True
        self._changed_cases.add(case.number)
        told = _told(case, event, opened=decision.opens)
        headers = headers_of(told, self._source)
        self.publish(self._cases_topic, case.number.encode(), encode_message(told), headers)

    def _answer(
        self,
        event: ComplaintEvent,
        sender: SenderFacts,
        template: Template,
        about: CaseFacts | None,
        *,
        apart: bool = False,
    ) -> None:
        language = self._replies.language(event.language or sender.language)
        # Where others read along, the number and one general sentence are all that is said.
        in_public = template is Template.ACKNOWLEDGEMENT and event.channel.thread.public
        text = self._replies.render(
            "acknowledgement_public" if in_public else template.value,
            language=language,
            channel_type=event.channel.type,
            number=shown(about.number) if about else "",
            typed=about.number if about else "",
            state=about.state if about else "",
        )
        if template is Template.ACKNOWLEDGEMENT and not in_public:
            text = "\n".join(filter(None, [text, self._notice(event.channel.instance, language)]))
        number = about.number if about else None
        at = event.received_at.timestamp()
        self._outbox.append(
            outbox_row(
                event,
                text,
                template=template.value,
                case_number=number,
                asked_at=at,
                now=time.time(),
                apart=apart,
            )
        )

    @staticmethod
    def _changed(known: dict[str, Any], changed: set[str], new: dict[str, Any]) -> list[Any]:
        # Sorted, so that two dispatchers that update the same rows lock them in the same order.
        return [known[key] for key in sorted(changed) if key not in new]


def _told(case: CaseFacts, event: ComplaintEvent, *, opened: bool) -> CaseEvent:
    """What downstream hears of a message that came onto a case; nobody hears who an anonymous citizen is."""
    anonymous = case.anonymous or event.privacy.anonymous
    sender = None if anonymous else CaseSender(event.sender.address, event.sender.display_name)
    return CaseEvent(
        id=f"{event.id}:{case.number}",
        number=case.number,
        change="opened" if opened else "message_added",
        at=event.received_at,
        channel=CaseChannel(event.channel.type, event.channel.instance),
        state=case.state,
        event_id=event.id,
        sender=sender,
        subject=event.subject,
        text=event.text,
        language=event.language,
        region=event.region or case.region,
        privacy=Privacy(anonymous, case.confidential or event.privacy.confidential),
        attachments=event.attachments,
        location=event.location,
    )


def _rows(things: Iterable[CaseFacts | SenderFacts]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(thing) for thing in things]


def _changes(things: Iterable[CaseFacts | SenderFacts]) -> list[dict[str, Any]]:
    return [{f"to_{name}": value for name, value in row.items()} for row in _rows(things)]
