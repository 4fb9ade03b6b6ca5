"""A real Kannel before a recording stand-in of the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.kannel.peer import Kannel
from tests.kannel.recorder import Recorder
from tests.services import require

CITIZEN = "+628123456789"
TOKEN = "a-token-that-no-log-may-hold"


def kannel_for(gateway: Recorder, **changes: str) -> Kannel:
    """A Kannel that asks ``gateway``, with settings changed: ``http_timeout="1"``."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return Kannel(webhook=f"{gateway.url}/webhooks/sms", token=TOKEN, changes=named)


@pytest.fixture
async def gateway() -> AsyncIterator[Recorder]:
    require("kannel")
    async with Recorder() as recorder:
        yield recorder


@pytest.fixture
async def kannel(gateway: Recorder) -> AsyncIterator[Kannel]:
    async with kannel_for(gateway) as kannel:
        yield kannel


async def sendsms(kannel: Kannel, text: str, *, source: str = "127.0.0.1", **more: str) -> tuple[int, str]:
    """Call sendsms as the gateway does; returns the status and what Kannel says."""
    query = {
        "username": kannel.username,
        "password": kannel.password,
        "from": "1708",
        "to": CITIZEN,
        "text": text,
        "charset": "UTF-8",
        **more,
    }
    return await get(kannel.sendsms_url, query, source=source)


async def get(url: str, query: dict[str, str], *, source: str = "127.0.0.1") -> tuple[int, str]:
    """GET from one of this machine's loopback addresses."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url, params=query) as response,
    ):
        return response.status, await response.text()
