"""The sandbox: a text from the page goes the provider's way, and its reply comes back to the page."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.process import GatewayProcess

EMBEDDED = (Path(__file__).parents[2] / "config/embedded.toml").read_text(encoding="utf-8")
CITIZEN = "+6281234567890"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    async with GatewayProcess(tmp_path, EMBEDDED, arguments=("--sandbox",)) as process:
        yield process


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def lines(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    """The first lines of the conversation."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        async for raw in response.content:
            if raw.startswith(b"data: "):
                found.append(json.loads(raw[6:]))
                if len(found) == count:
                    break
    return found


async def test_a_text_from_the_page_is_answered_with_a_number(
    sandbox: GatewayProcess, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{sandbox.url}/") as page:
        assert page.status == 200
        html = await page.text()
    assert 'action="/sandbox/texts"' in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    async with http.get(f"{sandbox.url}/sandbox/lines") as stream:
        fields = {"channel": "sms", "from": CITIZEN, "text": "Lampu mati <b>gelap</b>"}
        async with http.post(f"{sandbox.url}/sandbox/texts", data=fields) as answer:
            assert (answer.status, await answer.json()) == (200, {"status": 200})
        said, reply = await lines(stream, 2)
    assert (said["who"], said["text"]) == ("citizen", "Lampu mati <b>gelap</b>")
    assert reply["who"] == "gateway"
    assert re.search(r"\d{3} \d{3} \d{4}", reply["text"])


async def test_who_comes_back_sees_what_was_said(sandbox: GatewayProcess, http: aiohttp.ClientSession) -> None:
    fields = {"channel": "sms", "from": CITIZEN, "text": "Jalan rusak"}
    async with http.post(f"{sandbox.url}/sandbox/texts", data=fields):
        pass
    async with http.get(f"{sandbox.url}/sandbox/lines") as stream:
        first, second = await lines(stream, 2)
    async with http.get(f"{sandbox.url}/sandbox/lines", headers={"Last-Event-ID": str(first["number"])}) as stream:
        assert await lines(stream, 1) == [second]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"channel": "nobody", "from": CITIZEN, "text": "x"}, 404),
        ({"channel": "sms", "from": "", "text": "x"}, 400),
        ({"channel": "sms", "from": CITIZEN, "text": "x" * 2001}, 413),
    ],
)
async def test_a_wrong_form_is_told(
    sandbox: GatewayProcess, http: aiohttp.ClientSession, fields: dict[str, str], status: int
) -> None:
    async with http.post(f"{sandbox.url}/sandbox/texts", data=fields) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["message"]


async def test_without_the_flag_there_is_no_sandbox(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with GatewayProcess(tmp_path, EMBEDDED) as process, http.get(f"{process.url}/sandbox") as answer:
        assert answer.status == 404
