"""Whole gateways: a provider that breaks is seen, a pause holds back and loses nothing, a stop is no alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from channels.sms.standin import StandIn
from channels.standin import Fault
from gateway.channelset import load_channels
from gateway.health.overview import Overview, overview
from gateway.health.pauses import Direction, pause, resume
from gateway.store.operations import health_changes, instances, interactions
from gateway.store.tables import cases, outbox
from tests.inside import PATIENCE, TOKEN, Inside, running, settings

QUICK = {"heartbeat": 0.05, "missing_after": 5.0, "settle": 0.1}
FORM = {"token": TOKEN, "from": "+6281234567890", "to": "1708", "text": "jalan rusak parah di depan pasar"}


def quick(folder: Path, **more: Any) -> Any:
    return settings(folder, health=QUICK, **more)


async def write(gateway: Inside, text: str = FORM["text"]) -> tuple[int, str]:
    """A citizen writes; returns the status and Retry-After that the provider hears."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(gateway.webhook(), data={**FORM, "text": text, "id": text}) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", "")


async def stands(gateway: Inside) -> Overview:
    configured = gateway.gateway.settings
    return await overview(gateway.gateway.store, configured, load_channels(configured))


async def until(gateway: Inside, seen: Callable[[Overview], bool]) -> Overview:
    """Wait until the overview is as it should be."""
    await gateway.until(bool, instances)
    async with asyncio.timeout(PATIENCE):
        while not seen(found := await stands(gateway)):
            await asyncio.sleep(0.02)
    return found


async def heeded(gateway: Inside, direction: Direction, paused: bool) -> None:
    """Wait until the process has heard of a pause, or of its end."""
    async with asyncio.timeout(PATIENCE):
        while gateway.gateway.pauses.paused("sms", direction) is not paused:
            await asyncio.sleep(0.01)


async def test_a_provider_that_breaks_is_seen_and_so_is_its_return(tmp_path: Path) -> None:
    configured = quick(tmp_path)
    async with (
        StandIn(load_channels(configured)["sms"].settings) as standin,  # type: ignore[arg-type]
        running(configured, standin=standin) as gateway,
    ):
        await until(gateway, lambda found: found.channels[0].state == "healthy")
        standin.fault = Fault(kind="status", status=500)
        await write(gateway)
        found = await until(gateway, lambda found: found.channels[0].state == "down")
        (channel,) = found.channels
        assert (channel.parts["sending"].state, channel.parts["receiving"].state) == ("down", "healthy")
        assert "500" in channel.reason
        assert channel.waiting == 1
        assert not found.well
        async with aiohttp.ClientSession() as http, http.get(f"{gateway.url}/readyz") as answer:
            assert (answer.status, (await answer.json())["channels"]["sms"]["state"]) == (200, "down")
        standin.fault = None
        # The provider's yes makes the channel well, and the reply counts as sent once that is in the store: either first.
        found = await until(gateway, lambda found: found.well and found.channels[0].sent_hour == 1)
        assert (found.channels[0].received_hour, found.channels[0].state) == (1, "healthy")
        changes = [(row.part, row.state) for row in await gateway.rows(health_changes, health_changes.c.id)]
        assert [state for part, state in changes if part == ""][-2:] == ["down", "healthy"]
        noted = await gateway.until(
            lambda rows: any(row.status == 200 for row in rows if row.direction == "out"), interactions
        )
        assert {(row.direction, row.status) for row in noted} >= {("in", 200), ("out", 500), ("out", 200)}
        assert not [row for row in noted if "jalan" in str(row) or "8123456" in str(row) or TOKEN in str(row)]


async def test_while_sending_is_paused_replies_wait_and_then_go_out(tmp_path: Path) -> None:
    configured = quick(tmp_path)
    async with StandIn(load_channels(configured)["sms"].settings) as standin:  # type: ignore[arg-type]
        async with running(configured, standin=standin) as gateway:
            await gateway.until(bool, instances)
            await pause(gateway.gateway.store, "sms", "out", "sari", "the provider asked")
            await heeded(gateway, "out", True)
            assert (await write(gateway))[0] == 200
            await gateway.until(bool, outbox)
            found = await until(gateway, lambda found: found.channels[0].state == "paused")
            assert found.channels[0].paused == ("out",)
            (reply,) = await gateway.rows(outbox)
            assert (reply.state, reply.attempts, standin.sent) == ("waiting", 0, [])
        # A pause holds over a restart.
        async with running(configured, standin=standin) as gateway:
            await until(gateway, lambda found: found.channels[0].state == "paused" and found.running)
            assert standin.sent == []
            await resume(gateway.gateway.store, "sms", "out", "sari")
            await gateway.until(lambda rows: rows[0].state == "sent", outbox)
            await until(gateway, lambda found: found.channels[0].state == "healthy")
    assert len(standin.sent) == 1


async def test_while_receiving_is_paused_the_provider_keeps_its_messages(tmp_path: Path) -> None:
    async with running(quick(tmp_path)) as gateway:
        await gateway.until(bool, instances)
        await pause(gateway.gateway.store, "sms", "in", "sari")
        await heeded(gateway, "in", True)
        assert await write(gateway) == (503, "30")
        await until(gateway, lambda found: found.channels[0].parts["receiving"].state == "paused")
        assert await gateway.appended() == []
        await resume(gateway.gateway.store, "sms", "in", "sari")
        await heeded(gateway, "in", False)
        assert (await write(gateway))[0] == 200
        await gateway.until(bool, cases)


async def test_a_process_that_stops_as_asked_left_and_is_not_missed(tmp_path: Path) -> None:
    configured = quick(tmp_path)
    async with running(configured, role="dispatch") as gateway:
        await gateway.until(bool, instances)
    async with running(configured, role="intake") as gateway:
        found = await until(gateway, lambda found: len(found.instances) == 2 and found.roles.get("intake") is not None)
        assert {(one.role, one.state) for one in found.instances} == {("intake", "running"), ("dispatch", "left")}
        assert found.roles["intake"].state == "healthy"
        assert found.channels[0].state in ("unknown", "healthy")
