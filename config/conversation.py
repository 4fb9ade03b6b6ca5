"""The settings of what citizens meet: the rules of a conversation, the replies, the lines added to them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from config import words
from config.durations import HOUR, MINUTE, Window
from config.section import Section
from config.values import WEEKDAYS, Count, Notice, OfficeHours, Weekday, Words


class Rules(Section):
    """The windows and word lists that decide what happens to an event; a window of 0 is a rule off."""

    part_window: Window = Field(default=30.0, description="how long a part of a long SMS waits for the rest")
    album_window: Window = Field(
        default=3.0, description="how long a file of an album waits for the next: nobody tells how many there are"
    )
    duplicate_window: Window = Field(default=24 * HOUR, description="the same words again within it join the same case")
    conversation_window: Window = Field(
        default=30 * MINUTE, description="in private, a message within it joins the case"
    )
    join_answer_window: Window = Field(default=10 * MINUTE, description="joining a case is answered once in it")
    flood_limit: Count = Field(
        default=10, description="messages of one sender in the flood window; the next one is a flood"
    )
    flood_window: Window = Field(default=MINUTE, description="the window in which a sender's messages are counted")
    flood_answer_window: Window = Field(default=10 * MINUTE, description="a flood is answered once in it")
    help_window: Window = Field(default=HOUR, description="a message without content is answered once in it")
    stop_words: Words = Field(default=words.STOP, description="as the whole message: no more news to this sender")
    help_words: Words = Field(default=words.HELP, description="as the whole message: how to complain")
    status_words: Words = Field(default=words.STATUS, description="in front of a number, or alone: the state of a case")
    new_case_words: Words = Field(
        default=words.NEW_CASE, description="in front of a text: a new case, whatever follows"
    )
    meaningless_words: Words = Field(
        default=words.MEANINGLESS, description="a message of such words alone says nothing: greetings, thanks, tests"
    )
    asking_words: Words = Field(
        default=words.ASKING,
        description="ask about a report: with the report, state and filler words round a number, a question about it",
    )
    report_words: Words = Field(default=words.REPORT, description="what citizens call a report, in such a question")
    state_words: Words = Field(default=words.STATE, description="what may have become of it, in such a question")
    filler_words: Words = Field(default=words.FILLER, description="what says nothing by itself, in such a question")


class Replies(Section):
    """What citizens read."""

    templates: str = Field(
        default="", description="folder of an operator's own templates, before the shipped ones; empty: none"
    )
    default_language: Literal["id", "en"] = Field(default="id", description="where a citizen's language is not known")

    @property
    def folder(self) -> Path | None:
        """The folder of an operator's own templates."""
        return Path(self.templates) if self.templates else None


class Notices(Section):
    """Lines added to acknowledgements, but not in public; each is off until its times are set.

    A short message holds 160 characters, an acknowledgement nearly fills it: with a notice it becomes two. A channel's
    own line is its `greeting_id` and `greeting_en`.
    """

    hours: OfficeHours = Field(
        default="", description='working hours in `timezone`, such as "08:00-16:00"; empty: nothing is said of them'
    )
    days: tuple[Weekday, ...] = Field(default=WEEKDAYS[:5], description="the days that have working hours")
    holidays: tuple[date, ...] = Field(default=(), description="days that have none, such as 2026-12-25")
    closed_id: Notice = Field(
        default="Kantor kami sedang tutup. Laporan Anda ditangani pada jam kerja berikutnya.",
        description="outside working hours, in Indonesian",
    )
    closed_en: Notice = Field(
        default="Our office is closed now. Your report is handled in the next working hours.",
        description="outside working hours, in English",
    )
    maintenance_from: datetime | None = Field(
        default=None, description="when maintenance begins, in `timezone` where it has no offset; unset: it has begun"
    )
    maintenance_until: datetime | None = Field(default=None, description="when it ends; unset: there is none")
    maintenance_id: Notice = Field(
        default="Sistem kami sedang dalam pemeliharaan, jawaban dapat terlambat.",
        description="during maintenance, in Indonesian",
    )
    maintenance_en: Notice = Field(
        default="Our system is under maintenance, answers may be late.",
        description="during maintenance, in English",
    )
