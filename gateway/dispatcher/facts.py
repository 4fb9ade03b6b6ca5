"""What the store knows that bears on one event, gathered before the rules are asked."""

from __future__ import annotations

from typing import Literal

import msgspec

CaseState = Literal["received", "forwarded", "in_progress", "answered", "closed"]


class CaseFacts(msgspec.Struct):
    """A case as the rules see it. Times are Unix seconds."""

    number: str
    sender_key: str
    channel_type: str
    channel: str
    state: CaseState
    anonymous: bool
    confidential: bool
    language: str
    region: str
    opened_at: float
    updated_at: float
    join_answered_at: float | None = None
    repeat_answered: bool = False


class SenderFacts(msgspec.Struct):
    """A sender (type and address, over all instances of the type) as the rules see it."""

    key: str
    type: str
    address: str
    kind: str
    language: str = ""
    stopped_at: float | None = None
    helped_at: float | None = None
    flood_answered_at: float | None = None
    latest_case: str | None = None
    wrote_in_case: str | None = None
    wrote_in_case_at: float | None = None


class Facts(msgspec.Struct):
    """What is known of one event's sender, thread and words.

    ``named`` are the cases that bear the numbers which the event names, whoever they belong to, in the event's
    order. ``thread`` is the sender's own case nearest above the message in its thread, ``same_words`` the case of the
    same words in the last day, ``version_of`` the case of the message that is edited or deleted, ``latest`` the
    sender's newest case, ``open`` the one they wrote in last. ``recent`` counts the sender's other messages in the
    flood window. ``first_heard`` tells of an edit that nothing of its message came before it. ``private`` tells of a
    conversation that nobody else reads, ``apart`` that the platform lets us write to this sender alone. ``blocked``
    is an operator's decision.
    """

    sender: SenderFacts
    named: list[CaseFacts] = msgspec.field(default_factory=list)
    thread: CaseFacts | None = None
    same_words: CaseFacts | None = None
    version_of: CaseFacts | None = None
    first_heard: bool = False
    latest: CaseFacts | None = None
    open: CaseFacts | None = None
    recent: int = 0
    private: bool = True
    apart: bool = False
    blocked: bool = False
