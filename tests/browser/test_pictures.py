"""The pictures of the documentation: taken where ``SCREENSHOTS`` names a folder, by ``make screenshots``."""

from __future__ import annotations

import asyncio
import math
import os
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import insert

from gateway.metrics import LATENCY_BUCKETS
from gateway.store.engine import Store
from gateway.store.operations import traffic
from tests.browser.site import NARROW, NUMBER, WIDE, WITHIN, Site, Visitor

FOLDER = os.environ.get("SCREENSHOTS", "")
LARGEST = 300_000
"""Bytes of a picture."""
RATES = {"sms": 34, "twitter": 9, "telegram": 17, "email": 5}
"""Messages in each of the busiest minutes."""
DAY = 24 * 60

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.skipif(not FOLDER, reason="SCREENSHOTS names no folder"),
]


async def a_day_of_traffic(site: Site) -> None:
    """Put counts of a day into the store, as processes that ran all day would have left them."""
    now = int(time.time()) // 60 * 60
    buckets = [0] * (len(LATENCY_BUCKETS) + 1)
    rows = []
    for channel, most in RATES.items():
        for back in range(1, DAY):
            minute = now - back * 60
            day_and_night = 0.55 - 0.45 * math.cos((minute % 86400 / 3600 + 7 - 2) / 12 * math.pi)
            swell = 1 + 0.35 * math.sin(back / 7) * math.cos(back / 3 + most)
            count = round(most * day_and_night * swell)
            latencies = list(buckets)
            latencies[2] = count
            told = {"received": count, "sent": count, "failed": 0, "latencies": str(latencies)}
            rows.append({"channel": channel, "minute": minute, "instance": "yesterday", **told})
    store = Store(f"sqlite+aiosqlite:///{site.folder}/var/gateway.db")
    async with store.write() as connection:
        await connection.execute(insert(traffic), rows)
    await store.close()


async def take(page: Page, name: str) -> None:
    """Write one picture, of the window."""
    picture = await page.screenshot(animations="disabled", caret="hide")
    assert len(picture) < LARGEST, f"{name} has {len(picture)} bytes"
    await asyncio.to_thread(_write, Path(FOLDER, f"{name}.png"), picture)


def _write(path: Path, picture: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)


async def test_pictures(site: Site) -> None:
    await a_day_of_traffic(site)
    async with site.visit() as visitor:
        sandbox = await visitor.sandbox()
        await everybody_writes(sandbox)
        await sandbox.set_viewport_size({"width": WIDE, "height": 1000})
        await sandbox.evaluate("scrollTo(0, 0)")
        await take(sandbox, "sandbox")
        await take_case(visitor, sandbox)

        await sandbox.locator('[data-channel="twitter"]').get_by_text("Make trouble").click()
        trouble = sandbox.locator('[data-channel="twitter"]').get_by_role("button", name="Credentials refused")
        await trouble.click()
        overview = await visitor.open("/ops")
        await expect(overview.locator("#channel-twitter > .head .badge")).to_have_text("down", timeout=WITHIN)
        await overview.set_viewport_size({"width": WIDE, "height": 1180})
        await take(overview, "ops-overview")
        await overview.set_viewport_size({"width": NARROW, "height": 740})
        await take(overview, "ops-360")
        await trouble.click()


async def everybody_writes(page: Page) -> None:
    """A citizen writes on every channel what the page proposes, and is answered."""
    for device in await page.locator(".device").all():
        await device.locator("form button:not(.cancel)").click()
        await expect(device.locator(".line.gateway").first).to_contain_text(NUMBER)


async def take_case(visitor: Visitor, sandbox: Page) -> None:
    """The case that came of the text."""
    link = sandbox.get_by_role("region", name="SMS · 1708").locator(".line.gateway a").first
    case = await visitor.open(str(await link.get_attribute("href")))
    await case.set_viewport_size({"width": WIDE, "height": 1320})
    await take(case, "ops-case")
    await case.close()
