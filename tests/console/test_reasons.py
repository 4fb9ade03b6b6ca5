"""Why something is not well, in the operator's language, while the store keeps it in English."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from channels.errors import Misconfigured
from gateway.console.reasons import because
from gateway.health.instances import InstanceState
from gateway.health.judging import Found, parts, reason_of_nobody, roles
from gateway.health.parts import Part
from gateway.health.told import ChannelTold

JAKARTA = ZoneInfo("Asia/Jakarta")


class Process:
    """A process as the rules see it."""

    def __init__(self, state: InstanceState, role: str = "deliver") -> None:
        self.role = role
        self.state: InstanceState = state
        self.started_at = 0.0
        self.beat_at = 1_785_900_000.0


def found() -> list[Found]:
    """What the rules say of a gateway of which nothing runs, and of a paused channel."""
    told = ChannelTold(sending=Part("healthy"))
    nobody = [reason_of_nobody(processes, JAKARTA) for processes in ([], [Process("missing")])]
    by_role = [*roles([Process("missing")], JAKARTA).values(), *roles([Process("left")], JAKARTA).values()]
    paused = parts([told], {}, {"in": "by sari", "out": "by sari: the provider asked for it"})
    return [*(one for one in nobody if one is not None), *by_role, paused["receiving"], paused["sending"]]


def test_every_sentence_of_the_rules_has_its_translation() -> None:
    reasons = [one.reason for one in found()]
    assert len(set(reasons)) == 6
    for reason in reasons:
        assert because("en", reason) == reason
        assert because("id", reason) != reason
        assert "lang=" not in because("id", reason), reason


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        pytest.param("", "", id="no reason"),
        pytest.param(
            "no process of the gateway runs; the last was heard of 05 Aug 10:20:00 WIB",
            "tidak ada proses gerbang yang berjalan; yang terakhir memberi tanda hidup pada 05 Agu 10:20:00 WIB",
            id="a time",
        ),
        pytest.param(
            "no message since 05 Dec 10:00:00; one usually comes every 3 min at this hour",
            "tidak ada pesan sejak 05 Des 10:00:00; pada jam ini biasanya datang satu tiap 3 menit",
            id="a time and a span",
        ),
        pytest.param("paused by sari: a <b>: c", "dijeda oleh sari: a &lt;b&gt;: c", id="what an operator wrote"),
        pytest.param(
            "credentials: the IMAP server refuses user or password",
            "kredensial ditolak: server IMAP menolak nama pengguna atau kata sandi",
            id="a channel's own words",
        ),
        pytest.param(
            "cannot be asked: throttled: Telegram asks us to slow down",
            "tidak dapat ditanyai: penyedia meminta kita melambat: Telegram meminta kita melambat",
            id="one within another",
        ),
        pytest.param(
            "no reply waits, the next one has to prove it (before: throttled: slower)",
            "tidak ada balasan yang menunggu, yang berikutnya harus membuktikannya "
            '(sebelumnya: penyedia meminta kita melambat: <span lang="en">throttled: slower</span>)',
            id="what was before",
        ),
        pytest.param(
            "http_503: <sorry>",
            'penyedia menjawab 503: <span lang="en">http_503: &lt;sorry&gt;</span>',
            id="a provider's words",
        ),
        pytest.param(
            "http_500: the provider answered 500: <sorry>",
            'penyedia menjawab 500: <span lang="en">http_500: the provider answered 500: &lt;sorry&gt;</span>',
            id="a provider's words behind ours",
        ),
        pytest.param("KafkaTimeoutError", '<span lang="en">KafkaTimeoutError</span>', id="not known"),
    ],
)
def test_what_an_indonesian_page_says(stored: str, shown: str) -> None:
    assert because("id", stored) == shown


def test_an_english_page_shows_what_is_stored() -> None:
    assert because("en", "paused by sari: a <b>") == "paused by sari: a &lt;b&gt;"


def test_the_default_fault_of_credentials_is_known() -> None:
    assert because("id", f"{Misconfigured.reason}: x").startswith("kredensial ditolak: ")
