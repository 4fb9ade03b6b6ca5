"""The figures that alerts of Prometheus hang on are there, in a gateway that runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from channels.sms.settings import SmsSettings
from channels.sms.standin import StandIn
from gateway.delivery import deliverer
from tests import inside
from tests.alerts.servers import PATIENCE
from tests.process import free_port


async def figure(running: inside.Inside, name: str) -> float:
    """One figure of ``/metrics``; 0 where it is not there."""
    async with aiohttp.ClientSession() as session, session.get(f"{running.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"lapor_gateway_{name}")), 0.0)


async def until(running: inside.Inside, name: str) -> float:
    """Wait until a figure is above 0; returns it."""
    async with asyncio.timeout(PATIENCE):
        while not (value := await figure(running, name)):
            await asyncio.sleep(0.02)
    return value


async def test_the_age_of_the_oldest_reply_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliverer, "COUNT_SECONDS", 0.05)
    async with (
        StandIn(SmsSettings.model_validate(inside.KANNEL)) as standin,
        inside.running(inside.settings(tmp_path), standin=standin) as running,
    ):
        await standin.order("error")
        await standin.text(running.webhook(), "+6281234567890", "Jalan rusak di depan pasar")
        first = await until(running, 'outbox_oldest_seconds{channel="sms"}')
        async with asyncio.timeout(PATIENCE):
            while await figure(running, 'outbox_oldest_seconds{channel="sms"}') <= first:
                await asyncio.sleep(0.02)
        await standin.order(None)
        async with asyncio.timeout(PATIENCE):
            while await figure(running, 'outbox_oldest_seconds{channel="sms"}'):
                await asyncio.sleep(0.02)


async def test_the_bytes_of_the_spool_and_their_bound(tmp_path: Path) -> None:
    away = {"backend": "kafka", "bootstrap_servers": f"127.0.0.1:{free_port()}", "spool_max_bytes": 1_000_000}
    async with (
        StandIn(SmsSettings.model_validate(inside.KANNEL)) as standin,
        inside.running(inside.settings(tmp_path, log=away), role="intake") as running,
    ):
        answer = await standin.text(running.webhook(), "+6281234567890", "Jalan rusak di depan pasar")
        assert answer.status == 200
        assert await until(running, "spool_depth") == 1
        assert 100 < await until(running, "spool_bytes") < 10_000
        assert await figure(running, "spool_limit_bytes") == 1_000_000


async def test_without_kafka_there_is_no_spool(tmp_path: Path) -> None:
    async with inside.running(inside.settings(tmp_path), role="intake") as running:
        assert await figure(running, "spool_bytes") == await figure(running, "spool_limit_bytes") == 0
