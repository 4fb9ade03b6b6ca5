"""The words of alerts, for people: what happened, since when, and where to look; in Indonesian and in English."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

from gateway.alerts.rules import TEST, Notice
from gateway.alerts.sinks import Message, link, runbook

Language = Literal["id", "en"]

_IS: Final[Mapping[Language, Mapping[str, str]]] = {
    "id": {
        "down": "tidak berfungsi",
        "silent": "tidak menerima pesan (senyap)",
        "degraded": "terganggu",
        "healthy": "pulih",
        "paused": "dijeda oleh operator",
        "gone": "tidak lagi dipakai",
    },
    "en": {
        "down": "is down",
        "silent": "receives no messages (silent)",
        "degraded": "is degraded",
        "healthy": "is healthy again",
        "paused": "was paused by an operator",
        "gone": "is not configured any more",
    },
}
_STATES: Final[Mapping[Language, Mapping[str, str]]] = {
    "id": {"down": "tidak berfungsi", "silent": "senyap", "degraded": "terganggu"},
    "en": {},
}
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "id": {
        "role": "peran {role} dari gerbang pesan",
        "gateway": "gerbang pesan",
        "test": "uji coba peringatan: tidak ada gangguan",
        "since": "Sejak {since}.",
        "over": "Selesai: {state} dari {since} sampai {until}.",
        "was": "Sebelumnya: {was}, sejak {since}.",
        "why": "Penyebab: {reason}",
        "see": "Lihat {link} dan {runbook}",
        "many": "{count} peringatan: {firing} baru, {over} selesai",
        "more": "… dan {left_out} lagi yang lebih lama.",
    },
    "en": {
        "role": "the gateway's role {role}",
        "gateway": "the gateway",
        "test": "test alert: nothing is wrong",
        "since": "Since {since}.",
        "over": "Over: {state} from {since} to {until}.",
        "was": "Before: {was}, since {since}.",
        "why": "Reason: {reason}",
        "see": "See {link} and {runbook}",
        "many": "{count} alerts: {firing} new, {over} over",
        "more": "… and {left_out} more, of before.",
    },
}


def title(notice: Notice, language: Language) -> str:
    """What happened to whom, in a few words."""
    words = _WORDS[language]
    if notice.state == TEST:
        return words["test"]
    state = notice.state if notice.firing else notice.then
    return f"{_whom(notice, language)} {_IS[language].get(state, state)}"


def sentence(notice: Notice, language: Language, zone: tzinfo) -> str:
    """Since when and why; times in ``zone`` and in UTC."""
    words = _WORDS[language]
    since = when(notice.since, zone)
    if notice.until is None:
        said = [words["since"].format(since=since)]
    else:
        state = _STATES[language].get(notice.state, notice.state)
        said = [words["over"].format(state=state, since=since, until=when(notice.until, zone))]
    if notice.was:
        was = _STATES[language].get(notice.was, notice.was)
        said.append(words["was"].format(was=was, since=when(notice.was_since, zone)))
    if notice.reason:
        said.append(words["why"].format(reason=notice.reason))
    return " ".join(said)


def headline(message: Message, language: Language) -> str:
    """The title of a whole message."""
    if len(message.notices) == 1 and not message.left_out:
        return title(message.notices[0], language)
    firing = sum(notice.firing for notice in message.notices)
    over = len(message.notices) - firing
    count = len(message.notices) + message.left_out
    return _WORDS[language]["many"].format(count=count, firing=firing, over=over)


def body(message: Message, language: Language, zone: tzinfo, base_url: str) -> str:
    """A whole message in one language: a paragraph for each notice."""
    words = _WORDS[language]
    paragraphs = [
        "\n".join(
            [
                f"* {title(notice, language)}",
                f"  {sentence(notice, language, zone)}",
                "  " + words["see"].format(link=link(notice, base_url), runbook=runbook(notice)),
            ]
        )
        for notice in message.notices
    ]
    if message.left_out:
        paragraphs.append(words["more"].format(left_out=message.left_out))
    return "\n\n".join(paragraphs)


def when(at: float, zone: tzinfo) -> str:
    """A time in the operators' zone and in UTC: ``2026-11-22 13:46:14 WIB (06:46:14 UTC)``."""
    utc = datetime.fromtimestamp(at, UTC)
    local = utc.astimezone(zone)
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    form = "%H:%M:%S UTC" if local.date() == utc.date() else "%Y-%m-%d %H:%M:%S UTC"
    return f"{local:%Y-%m-%d %H:%M:%S %Z} ({utc.strftime(form)})"


def _whom(notice: Notice, language: Language) -> str:
    words = _WORDS[language]
    if notice.channel:
        return notice.channel
    return words["role"].format(role=notice.part) if notice.part else words["gateway"]
