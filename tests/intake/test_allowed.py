"""Which addresses may call a channel's webhook."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from gateway.store.operations import interactions
from tests.inside import KANNEL, TOKEN, running, settings

FIELDS = {"token": TOKEN, "from": "+6281234567890", "text": "jalan rusak"}
PROVIDER = "203.0.113.0/24"

# fmt: off
CALLS = [
    # the case, trusted_proxies, allow_from, X-Forwarded-For → status
    ("no list", [], [], "", 200),
    ("on the list", [], ["127.0.0.0/8"], "", 200),
    ("one address on the list", [], ["127.0.0.1"], "", 200),
    ("on the list as IPv4-mapped", [], ["::ffff:127.0.0.0/104"], "", 200),
    ("not on the list", [], [PROVIDER, "2001:db8::/32"], "", 403),
    ("who claims to be on the list", [], [PROVIDER], "203.0.113.9", 403),
    ("behind the proxy, on the list", ["127.0.0.1"], [PROVIDER], "203.0.113.9", 200),
    ("behind the proxy by IPv6, on the list", ["127.0.0.1"], ["2001:db8::/32"], "2001:db8::9", 200),
    ("behind the proxy, not on the list", ["127.0.0.1"], [PROVIDER], "198.51.100.7", 403),
    ("who wrote the provider's address first", ["127.0.0.1"], [PROVIDER], "203.0.113.9, 198.51.100.7", 403),
    ("behind the proxy, no list", ["127.0.0.1"], [], "198.51.100.7", 200),
    ("a header that is none", ["127.0.0.1"], ["127.0.0.0/8", PROVIDER], "somebody", 403),
]
# fmt: on


@pytest.mark.parametrize(
    ("proxies", "allowed", "forwarded", "status"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS]
)
async def test_a_call_from_an_address_that_is_not_allowed_is_refused(
    proxies: list[str], allowed: list[str], forwarded: str, status: int, tmp_path: Path
) -> None:
    configured = settings(
        tmp_path,
        server={"trusted_proxies": proxies},
        channels={"sms": KANNEL | {"allow_from": allowed}},
        health={"heartbeat": 0.1},
    )
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    async with running(configured, role="intake") as inside, aiohttp.ClientSession(headers=headers) as http:
        for path in ("", "/status"):
            with capture_logs() as said:
                async with http.post(inside.webhook() + path, data=FIELDS) as answer:
                    text = await answer.text()
            if status == 200:
                assert answer.status != 403
                continue
            assert (answer.status, json.loads(text)["error"]["code"]) == (403, "bad_address")
            (line,) = [line for line in said if line["event"] == "intake.refused"]
            assert (line["code"], line["channel"]) == ("bad_address", "sms")
            assert "198.51.100.7" not in json.dumps(line)
        assert bool(await inside.appended()) is (status == 200)
        refused = inside.gateway.metrics.registry.get_sample_value(
            "lapor_gateway_requests_refused_total", {"channel": "sms", "code": "bad_address"}
        )
        assert refused == (None if status == 200 else 2)
        if status == 403:
            noted = await inside.until(lambda rows: len(rows) == 2, interactions)
            assert [(row.status, row.request) for row in noted] == [(403, "")] * 2


@pytest.mark.parametrize("verification", ["required", "none"])
async def test_a_channel_that_takes_whatever_comes_is_told_of_at_the_start(verification: str, tmp_path: Path) -> None:
    configured = settings(tmp_path, channels={"sms": KANNEL | {"verification": verification}})
    with capture_logs() as said:
        async with running(configured, role="intake"):
            pass
    told = [line for line in said if line["event"] == "intake.takes_whatever_comes"]
    assert [line["channel"] for line in told] == (["sms"] if verification == "none" else [])
