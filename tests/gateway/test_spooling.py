"""A whole gateway whose broker was never there: what callers hear, and where operators see it."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from gateway.commands.board import board
from gateway.console import accounts
from gateway.health.overview import Overview, overview
from tests.console.site import Browser
from tests.inside import PATIENCE, TOKEN, Inside, running, settings
from tests.process import free_port


def away(**changes: Any) -> dict[str, Any]:
    """A log at whose address nobody listens."""
    return {"backend": "kafka", "bootstrap_servers": f"127.0.0.1:{free_port()}", **changes}


async def text(http: aiohttp.ClientSession, inside: Inside, n: int) -> aiohttp.ClientResponse:
    """Hand over one text; returns the answer, read."""
    fields = {"token": TOKEN, "from": f"+62812{n:08d}", "to": "1708", "text": f"Jembatan putus {n}", "id": f"m-{n}"}
    async with http.post(inside.webhook(), data=fields) as answer:
        await answer.read()
        return answer


async def figure(http: aiohttp.ClientSession, inside: Inside, name: str) -> float:
    async with http.get(f"{inside.url}/metrics") as answer:
        found = re.search(rf"^lapor_gateway_{name} (\S+)$", await answer.text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


async def test_a_full_spool_is_a_503_with_retry_after_and_never_a_false_yes(tmp_path: Path) -> None:
    configured = settings(tmp_path, log=away(spool_max_bytes=20_000))
    async with running(configured, role="intake") as inside, aiohttp.ClientSession() as http:
        taken = 0
        while (answer := await text(http, inside, taken)).status == 200 and taken < 1000:
            taken += 1
        for again in range(3):
            assert answer.status == 503
            assert answer.headers["Retry-After"].isdigit()
            answer = await text(http, inside, taken + again)
        assert await figure(http, inside, "spool_depth") == taken > 10
        assert await figure(http, inside, "spool_bytes") >= await figure(http, inside, "spool_limit_bytes") == 20_000
        async with http.get(f"{inside.url}/readyz") as ready:
            said = await ready.json()
    assert ready.status == 503
    assert "the spool has reached its bound" in said["dependencies"]["log"]
    assert said["channels"]["sms"]["receiving"] == "down"


async def test_how_much_waits_in_the_spool_and_since_when_is_seen_everywhere(tmp_path: Path) -> None:
    configured = settings(tmp_path, log=away(), health={"heartbeat": 0.1})
    async with running(configured, role="intake") as inside, aiohttp.ClientSession() as http:
        for n in range(3):
            assert (await text(http, inside, n)).status == 200
        assert await figure(http, inside, "spool_depth") == 3
        first = await figure(http, inside, "spool_oldest_seconds")
        async with asyncio.timeout(PATIENCE):
            while await figure(http, inside, "spool_oldest_seconds") <= first:
                await asyncio.sleep(0.01)
        async with http.get(f"{inside.url}/readyz") as ready:
            assert ready.status == 200
            assert (await ready.json())["dependencies"]["log"].startswith("3 records wait in the spool; ")
        found = await told(inside)
        assert found.spool_age is not None
        assert found.spool_age > 0
        written = Console(width=200, file=io.StringIO(), record=True)
        written.print(board(found, configured.zone))
        assert re.search(r"spool 3 \(oldest [\d.]+ m?s\)", written.export_text())
        password = await accounts.ensure_sandbox_operator(inside.gateway.store)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            browser = Browser(inside.url, session)
            await browser.sign_in(accounts.SANDBOX_OPERATOR, password)
            page = await browser.get("/ops")
        assert re.search(r"Dalam antrean lokal</dt><dd>3 <span class=\"faint\">tertua \d", page.text)


async def told(inside: Inside) -> Overview:
    """The overview, once the process has told of its spool."""
    gateway = inside.gateway
    async with asyncio.timeout(PATIENCE):
        while (found := await overview(gateway.store, gateway.settings, {})).spool_depth != 3:
            await asyncio.sleep(0.02)
    return found
