"""Whoever calls without a proof again and again waits, and nobody else does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from structlog.testing import capture_logs

from gateway.strangers import Strangers
from tests.inside import KANNEL, TOKEN, running, settings

PROVEN = {"token": TOKEN, "from": "+6281234567890", "text": "jalan rusak"}
STRANGE = PROVEN | {"token": "guessed"}

# fmt: off
STORIES = [
    # the case, what happens at which second, from which second on it is let in (None: it never waits)
    ("as many as are allowed", [(0, "refused")] * 3, None),
    ("one more", [(0, "refused")] * 4, 20),
    ("many more wait no longer", [(0, "refused")] * 400, 20),
    ("one every twenty seconds", [(20 * n, "refused") for n in range(30)], None),
    ("who has proven itself before", [(0, "proved"), *[(1, "refused")] * 400], None),
    ("who proves itself after", [*[(0, "refused")] * 400, (1, "proved")], None),
]
# fmt: on


@pytest.mark.parametrize(("happened", "free_at"), [story[1:] for story in STORIES], ids=[story[0] for story in STORIES])
def test_who_waits(happened: list[tuple[int, str]], free_at: int | None) -> None:
    """Three refusals a minute are allowed."""
    now = 0.0
    strangers = Strangers(3, now=lambda: now)
    for at, what in happened:
        now = float(at)
        getattr(strangers, what)("192.0.2.1")
    assert strangers.slowed("192.0.2.2") is None
    if free_at is None:
        assert strangers.slowed("192.0.2.1") is None
        return
    for now in (0.0, free_at - 1.0):
        answer = strangers.slowed("192.0.2.1")
        assert answer is not None
        assert (answer.status, answer.headers["Retry-After"]) == (429, str(int(free_at - now)))
    now = float(free_at)
    assert strangers.slowed("192.0.2.1") is None


def test_what_is_remembered_is_bounded() -> None:
    strangers = Strangers(1, most=100)
    for n in range(1_000):
        for _ in range(3):
            strangers.refused(f"192.0.2.{n}")
        strangers.proved(f"198.51.100.{n}")
    assert len(strangers._refused) == len(strangers._proven) == 100
    assert strangers.slowed("192.0.2.999") is not None
    assert strangers.slowed("192.0.2.0") is None


async def test_a_stranger_is_answered_unread_until_the_address_proves_itself(tmp_path: Path) -> None:
    configured = settings(
        tmp_path,
        server={"refusals_per_minute": 5, "trusted_proxies": ["127.0.0.1"]},
        channels={"sms": KANNEL},
        api={"tokens": ["the-agencies"]},
    )
    guess, api = {"Authorization": "Bearer guessed"}, "/api/v1/cases/1234567890"
    async with running(configured, role="all") as inside, aiohttp.ClientSession(inside.url) as http:
        stranger, provider = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "198.51.100.1"}
        with capture_logs() as said:
            for _ in range(5):
                async with http.post("/webhooks/sms", data=STRANGE, headers=stranger) as answer:
                    assert answer.status == 401
            async with http.get(api, headers=stranger | guess) as answer:
                assert answer.status == 401
            async with http.get(api, headers=stranger | guess) as answer:
                assert (answer.status, int(answer.headers["Retry-After"])) == (429, 12)
        (slowed,) = [line for line in said if line["event"] == "intake.stranger_slowed"]
        assert slowed["network"] == "192.0.2.0/24"
        assert await _without_a_body(inside.url, "192.0.2.1") == (429, "too_many_refusals")
        async with http.post("/webhooks/sms", data=PROVEN, headers=provider) as answer:
            assert answer.status == 200
        for _ in range(20):
            async with http.post("/webhooks/sms", data=STRANGE, headers=provider) as answer:
                assert answer.status == 401
        async with http.get("/metrics") as answer:
            metrics = await answer.text()
    assert 'lapor_gateway_requests_refused_total{channel="sms",code="too_many_refusals"} 1.0' in metrics


async def _without_a_body(url: str, address: str) -> tuple[int, str]:
    """What a call is answered whose body is announced and never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    writer.write(
        b"POST /webhooks/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"X-Forwarded-For: " + address.encode() + b"\r\n\r\n"
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        int(line.partition(":")[2]) for line in head.splitlines() if line.lower().startswith("content-length")
    )
    body = json.loads(await reader.readexactly(length))
    writer.close()
    return int(head.split()[1]), body["error"]["code"]
