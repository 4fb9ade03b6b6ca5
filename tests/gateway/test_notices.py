"""What is added to an acknowledgement, and when: in the operator's zone (Jakarta is UTC+7)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels import registry
from channels.base import ChannelSettings
from channels.sms import SmsSettings
from channels.sms.segments import measure
from channels.sms.standin import StandIn
from config.conversation import Notices
from config.settings import Settings
from gateway.notices import notice
from gateway.replies import LANGUAGES, Replies
from gateway.store.tables import outbox
from tests.inside import KANNEL, running, settings

OFFICE: dict[str, Any] = {"hours": "08:00-16:00", "closed_id": "Tutup.", "closed_en": "Closed."}
XMAS: dict[str, Any] = OFFICE | {"holidays": ["2026-12-25"]}
WORKS: dict[str, Any] = {"maintenance_id": "Perbaikan.", "maintenance_until": "2026-11-24T06:00"}
SOON: dict[str, Any] = WORKS | {"maintenance_from": "2026-11-24T05:00"}
FIXED: dict[str, Any] = WORKS | {"maintenance_until": "2026-11-24T06:00+09:00"}


@pytest.mark.parametrize(
    ("notices", "now", "said"),
    [
        ({}, "2026-11-22T03:00Z", ""),
        (OFFICE, "2026-11-23T01:00Z", ""),
        (OFFICE, "2026-11-23T00:59Z", "Tutup."),
        (OFFICE, "2026-11-23T08:59:59Z", ""),
        (OFFICE, "2026-11-23T09:00Z", "Tutup."),
        (OFFICE, "2026-11-22T03:00Z", "Tutup."),
        (OFFICE | {"days": ["sun"]}, "2026-11-22T03:00Z", ""),
        (OFFICE, "2026-11-20T18:00Z", "Tutup."),
        (XMAS, "2026-12-25T03:00Z", "Tutup."),
        (XMAS, "2026-12-24T03:00Z", ""),
        ({"holidays": ["2026-12-25"]}, "2026-12-25T03:00Z", ""),
        ({"hours": "00:00-24:00"}, "2026-11-23T16:59:59Z", ""),
        (WORKS, "2026-11-23T22:59Z", "Perbaikan."),
        (WORKS, "2026-11-23T23:00Z", ""),
        (SOON, "2026-11-23T21:59Z", ""),
        (SOON, "2026-11-23T22:00Z", "Perbaikan."),
        (FIXED, "2026-11-23T20:59Z", "Perbaikan."),
        (FIXED, "2026-11-23T21:00Z", ""),
        (OFFICE | WORKS, "2026-11-22T03:00Z", "Perbaikan."),
    ],
    ids=[
        "off by default, on a Sunday too",
        "Monday, as the office opens",
        "Monday, a minute before",
        "Monday, the last second",
        "Monday, as it closes",
        "Sunday",
        "Sunday, where that is a working day",
        "Friday here is Saturday there",
        "a holiday",
        "the day before",
        "holidays without hours say nothing",
        "round the clock",
        "maintenance, begun long ago",
        "maintenance over, by local time",
        "before maintenance",
        "as it begins",
        "a time with an offset of its own",
        "and its end",
        "maintenance goes before hours",
    ],
)
def test_which_notice_there_is(notices: dict[str, Any], now: str, said: str) -> None:
    made = Settings(notices=Notices(**notices))
    assert notice(datetime.fromisoformat(now), made, None, "id") == said


@pytest.mark.parametrize(
    ("language", "said"), [("id", "Tutup.\nSelamat datang."), ("en", "Closed.\nWelcome.")], ids=["id", "en"]
)
def test_a_channel_greets_in_the_citizens_language(language: str, said: str) -> None:
    greeting = ChannelSettings(type="sms", greeting_id="Selamat datang.", greeting_en="Welcome.")
    made = Settings(notices=Notices(**OFFICE))
    assert notice(datetime(2026, 11, 22, tzinfo=UTC), made, greeting, language) == said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["closed", "maintenance"])
def test_the_shipped_notices_make_an_acknowledgement_two_short_messages_at_most(language: str, name: str) -> None:
    replies = Replies(override=None, default_language="id", channel_types=registry.types())
    text = replies.render(
        "acknowledgement", language=language, channel_type="sms", number="482 913 7065", typed="4829137065"
    )
    line = getattr(Notices(), f"{name}_{language}")
    segments = measure(f"{text}\n{line}")
    assert (segments.encoding, segments.count) == ("gsm", 2)
    longest = measure(f"{text}\n{'x' * 140}")
    assert longest.count == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"hours": "8-16"},
        {"hours": "16:00-08:00"},
        {"hours": "08:00-24:30"},
        {"days": ["monday"]},
        {"holidays": ["25 December"]},
        {"closed_id": "x" * 141},
        {"maintenance_until": "soon"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Notices(**wrong)


async def test_only_acknowledgements_bear_notices(tmp_path: Path) -> None:
    channels = {"sms": KANNEL | {"greeting_id": "Pesan ini gratis."}}
    configured = settings(tmp_path, channels=channels)
    async with StandIn(SmsSettings.model_validate(KANNEL)) as standin, running(configured, standin=standin) as inside:
        await standin.text(inside.webhook(), "+6281234567890", "Jalan rusak di depan pasar")
        await inside.until(lambda rows: len(rows) == 1, outbox)
        await standin.text(inside.webhook(), "+6281234567890", "status")
        rows = await inside.until(lambda rows: len(rows) == 2, outbox)
    texts = {row.template: row.text for row in rows}
    assert texts["acknowledgement"].endswith("\nPesan ini gratis.")
    assert "gratis" not in texts["status"]
