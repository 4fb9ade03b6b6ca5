"""What each sink hands over, to real servers, and what it makes of their answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from channels.errors import ChannelError, Misconfigured, RetryLater
from channels.http import HttpClient
from gateway.alerts.mail import Mail
from gateway.alerts.rules import Notice
from gateway.alerts.sinks import MOST, message_of, trial
from gateway.alerts.telegram import MAX_UNITS, Telegram, text_of
from gateway.alerts.texts import when
from gateway.alerts.webhook import Webhook, payload
from tests.alerts.servers import Ear

JAKARTA = ZoneInfo("Asia/Jakarta")
BASE = "https://gateway.example.go.id"
AT = 1795330000.0  # 2026-11-22 06:46:40 UTC
DOWN = Notice(channel="sms-telkomsel", state="down", reason="http_500", since=AT, began=7, changes=[7])
OVER = Notice(channel="sms-telkomsel", state="down", since=AT, until=AT + 90, then="healthy", began=7, changes=[12])
SILENT = Notice(channel="sms-telkomsel", state="silent", since=AT + 60, was="down", was_since=AT, began=7, changes=[9])
ROLE = Notice(channel="", part="dispatch", state="down", reason="not heard of", since=AT, began=3, changes=[3])


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient(timeout=5.0) as client:
        yield client


def base() -> str:
    return BASE


async def test_a_webhook_is_what_alertmanager_posts(hook: Ear, http: HttpClient) -> None:
    await Webhook(http, f"{hook.url}/alerts", "s3cret", base).tell(message_of([DOWN]))
    (call,) = hook.heard
    assert (call.method, call.path) == ("POST", "/alerts")
    assert call.headers["Authorization"] == "Bearer s3cret"
    assert call.headers["Content-Type"].startswith("application/json")
    labels = {
        "alertname": "ChannelDown",
        "service": "lapor-gateway",
        "severity": "critical",
        "channel": "sms-telkomsel",
    }
    annotations = {
        "summary": "sms-telkomsel is down",
        "description": "Since 2026-11-22 06:46:40 UTC. Reason: http_500",
        "runbook_url": "docs/operations.md#channel-down",
    }
    (alert,) = call.body.pop("alerts")
    assert call.body == {
        "version": "4",
        "groupKey": '{}:{service="lapor-gateway"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "lapor-gateway",
        "groupLabels": {"service": "lapor-gateway"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": f"{BASE}/ops",
    }
    assert re.fullmatch("[0-9a-f]{16}", alert.pop("fingerprint"))
    assert alert == {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-11-22T06:46:40.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": f"{BASE}/ops/channels/sms-telkomsel",
    }


async def test_without_a_token_a_webhook_shows_none(hook: Ear, http: HttpClient) -> None:
    await Webhook(http, hook.url, "", base).tell(message_of([DOWN]))
    assert "Authorization" not in hook.heard[0].headers


def test_a_resolved_alert_has_the_labels_of_the_firing_one_and_an_end() -> None:
    (before,), (after,) = (payload(message_of([notice]), BASE)["alerts"] for notice in (DOWN, OVER))
    assert (after["labels"], after["fingerprint"]) == (before["labels"], before["fingerprint"])
    assert after["startsAt"] == before["startsAt"]
    assert (after["status"], after["endsAt"]) == ("resolved", "2026-11-22T06:48:10.000Z")
    assert after["annotations"]["summary"] == "sms-telkomsel is healthy again"


def test_a_trouble_that_changes_ends_one_alert_and_begins_another() -> None:
    body = payload(message_of([SILENT]), BASE)
    assert body["status"] == "firing"
    assert [(a["labels"]["alertname"], a["status"], a["startsAt"], a["endsAt"]) for a in body["alerts"]] == [
        ("ChannelDown", "resolved", "2026-11-22T06:46:40.000Z", "2026-11-22T06:47:40.000Z"),
        ("ChannelSilent", "firing", "2026-11-22T06:47:40.000Z", "0001-01-01T00:00:00Z"),
    ]
    assert set(body["commonLabels"]) == {"service", "channel"}


def test_a_missing_role_is_an_alert_of_the_gateway() -> None:
    (alert,) = payload(message_of([ROLE]), BASE)["alerts"]
    assert alert["labels"] == {
        "alertname": "ProcessMissing",
        "service": "lapor-gateway",
        "severity": "critical",
        "role": "dispatch",
    }
    assert alert["generatorURL"] == f"{BASE}/ops"
    assert alert["annotations"]["summary"] == "the gateway's role dispatch is down"
    assert alert["annotations"]["runbook_url"] == "docs/operations.md#process-missing"


def test_a_digest_holds_the_latest_and_counts_the_others() -> None:
    notices = [msgspec.structs.replace(DOWN, channel=f"sms-{i}") for i in range(MOST + 3)]
    body = payload(message_of(notices), BASE)
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (MOST, 3)
    assert body["alerts"][-1]["labels"]["channel"] == f"sms-{MOST + 2}"


TELEGRAM_WAIT = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 17}}


@pytest.mark.parametrize(
    ("status", "body", "error", "wait"),
    [
        (429, TELEGRAM_WAIT, RetryLater, 17.0),
        (500, {"ok": False}, RetryLater, None),
        (401, {"ok": False, "description": "Unauthorized"}, Misconfigured, None),
        (429, "no JSON object", RetryLater, None),
    ],
    ids=["429 with its wish", "500", "a wrong token", "429 without a wish"],
)
async def test_what_telegram_does_not_take_is_an_error(
    hook: Ear, http: HttpClient, status: int, body: Any, error: type[ChannelError], wait: float | None
) -> None:
    hook.answers.append((status, body))
    with pytest.raises(error) as raised:
        await Telegram(http, hook.url, "12345:tok", "-100", JAKARTA, base).tell(message_of([DOWN]))
    assert getattr(raised.value, "retry_after", None) == wait
    assert "12345" not in str(raised.value)


async def test_telegram_is_told_in_both_languages(hook: Ear, http: HttpClient) -> None:
    await Telegram(http, hook.url, "12345:tok", "-100", JAKARTA, base).tell(message_of([DOWN]))
    (call,) = hook.heard
    assert (call.method, call.path) == ("POST", "/bot12345:tok/sendMessage")
    assert call.body["chat_id"] == "-100"
    assert call.body["text"] == (
        "* sms-telkomsel tidak berfungsi\n"
        "  Sejak 2026-11-22 13:46:40 WIB (06:46:40 UTC). Penyebab: http_500\n"
        "  Lihat https://gateway.example.go.id/ops/channels/sms-telkomsel dan docs/operations.md#channel-down\n"
        "\n"
        "* sms-telkomsel is down\n"
        "  Since 2026-11-22 13:46:40 WIB (06:46:40 UTC). Reason: http_500\n"
        "  See https://gateway.example.go.id/ops/channels/sms-telkomsel and docs/operations.md#channel-down"
    )


@pytest.mark.parametrize("count", [1, 2, 6, 30, 100])
def test_a_digest_fits_into_a_message_of_telegram(count: int) -> None:
    notices = [msgspec.structs.replace(DOWN, channel=f"sms-{i}", reason="𝄞 " * 200) for i in range(count)]
    text = text_of(message_of(notices), JAKARTA, BASE)
    assert len(text.encode("utf-16-le")) // 2 <= MAX_UNITS
    assert f"sms-{count - 1} is down" in text
    told = text.count(" is down")
    assert (f"… and {count - told} more" in text) == (told < count)


@pytest.mark.parametrize(("status", "error"), [(451, RetryLater), (550, ChannelError)], ids=["greylisted", "refused"])
async def test_what_the_mail_server_does_not_take_is_an_error(
    mailbox: Ear, status: int, error: type[ChannelError]
) -> None:
    mailbox.answers.append((status, ""))
    sink = Mail(mailbox.url, "alerts@example.go.id", "operator@example.go.id", JAKARTA, base)
    with pytest.raises(error):
        await sink.tell(message_of([DOWN]))
    await sink.close()


async def mailed(mailbox: Ear, *told: list[Notice]) -> list[EmailMessage]:
    sink = Mail(mailbox.url, "alerts@example.go.id", "operator@example.go.id", JAKARTA, base)
    for notices in told:
        await sink.tell(message_of(notices))
    await sink.close()
    assert {(sender, *to) for sender, to, _ in mailbox.heard} == {("alerts@example.go.id", "operator@example.go.id")}
    return [mail for _, _, mail in mailbox.heard]


async def test_a_mail_says_it_in_both_languages(mailbox: Ear) -> None:
    (mail,) = await mailed(mailbox, [DOWN])
    assert mail["Subject"] == "[LAPOR!] sms-telkomsel tidak berfungsi / sms-telkomsel is down"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    indonesian, english = text.split("-- English --")
    assert "Sejak 2026-11-22 13:46:40 WIB (06:46:40 UTC). Penyebab: http_500" in indonesian
    assert "Since 2026-11-22 13:46:40 WIB (06:46:40 UTC). Reason: http_500" in english


async def test_the_same_told_twice_is_the_same_mail_and_what_follows_answers_it(mailbox: Ear) -> None:
    first, again, changed, over = await mailed(mailbox, [DOWN], [DOWN], [SILENT], [OVER])
    assert first["Message-ID"] == again["Message-ID"]
    assert len({mail["Message-ID"] for mail in (first, changed, over)}) == 3
    assert first["In-Reply-To"] is None
    assert changed["In-Reply-To"] == over["In-Reply-To"] == over["References"] == first["Message-ID"]


async def test_a_mail_of_many_counts_them(mailbox: Ear) -> None:
    many = [msgspec.structs.replace(DOWN, channel=f"sms-{i}", changes=[i]) for i in range(6)]
    (mail,) = await mailed(mailbox, [*many, OVER])
    assert mail["Subject"] == "[LAPOR!] 7 peringatan: 6 baru, 1 selesai / 7 alerts: 6 new, 1 over"
    lines = mail.get_content().splitlines()
    assert {f"* sms-{i} is down" for i in range(6)} <= set(lines)
    assert lines[lines.index("* sms-telkomsel is healthy again") + 1] == (
        "  Over: down from 2026-11-22 13:46:40 WIB (06:46:40 UTC) to 2026-11-22 13:48:10 WIB (06:48:10 UTC)."
    )
    assert lines[lines.index("* sms-telkomsel pulih") + 1].startswith("  Selesai: tidak berfungsi dari 2026-11-22")


async def test_every_sink_takes_a_trial(hook: Ear, mailbox: Ear, http: HttpClient) -> None:
    mail = Mail(mailbox.url, "alerts@example.go.id", "operator@example.go.id", JAKARTA, base)
    for sink in (Webhook(http, hook.url, "", base), Telegram(http, hook.url, "1:t", "-1", JAKARTA, base), mail):
        await sink.tell(trial(AT))
    await mail.close()
    posted, sent = hook.heard
    assert posted.body["alerts"][0]["labels"] == {
        "alertname": "AlertTest",
        "service": "lapor-gateway",
        "severity": "info",
    }
    assert "uji coba peringatan" in sent.body["text"]
    assert "test alert: nothing is wrong" in mailbox.heard[0][2]["Subject"]


async def test_nothing_of_a_citizen_leaves_in_a_reason(hook: Ear, http: HttpClient) -> None:
    reason = "refused 081234567890 and budi@example.com\n" + "x" * 1000
    await Webhook(http, hook.url, "", base).tell(message_of([msgspec.structs.replace(DOWN, reason=reason)]))
    said = str(hook.heard[0].body)
    assert "081234567890" not in said
    assert "budi@" not in said
    assert "…" in said


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Jakarta", "2026-11-22 13:46:40 WIB (06:46:40 UTC)"),
        ("UTC", "2026-11-22 06:46:40 UTC"),
        ("Pacific/Honolulu", "2026-11-21 20:46:40 HST (2026-11-22 06:46:40 UTC)"),
    ],
)
def test_times_are_the_operators_and_utc(zone: str, expected: str) -> None:
    assert when(AT, ZoneInfo(zone)) == expected
