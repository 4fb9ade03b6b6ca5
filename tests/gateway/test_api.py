"""The API: who may ask, what is answered, and that its document tells the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import jsonschema
import pytest

from channels.sms import SmsSettings
from channels.sms.standin import StandIn
from gateway.store.tables import cases, outbox
from normalizer import tracking
from tests.inside import KANNEL, Inside, running, settings

TOKEN = "an-api-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FREE = "100000000" + tracking.check_digit("100000000")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Inside, str]]:
    """A gateway with one case, and its number."""
    configured = settings(tmp_path, api={"tokens": ["another", TOKEN]})
    async with (
        StandIn(SmsSettings.model_validate(KANNEL)) as standin,
        running(configured, standin=standin) as inside,
    ):
        await standin.text(inside.webhook(), "+6281234567890", "Jalan rusak")
        await inside.until(lambda rows: [r.state for r in rows] == ["sent"], outbox)
        (case,) = await inside.rows(cases)
        yield inside, case.number


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_case_is_told_as_its_document_says(site: tuple[Inside, str], http: aiohttp.ClientSession) -> None:
    inside, number = site
    async with http.get(f"{inside.url}/api/v1/cases/{tracking.shown(number)}", headers=BEARER) as answer:
        assert answer.status == 200
        told = await answer.json()
    assert (told["number"], told["state"]) == (number, "received")
    assert [step["what"] for step in told["steps"]] == ["received", "replied", "attempt"]
    assert "+6281234567890" not in str(told)
    async with http.get(f"{inside.url}/api/openapi.json") as answer:
        document = await answer.json()
    shape = document["paths"]["/api/v1/cases/{number}"]["get"]["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(told, {**shape["schema"], "components": document["components"]})


@pytest.mark.parametrize(
    ("number", "headers", "status"),
    [
        (FREE, {}, 401),
        (FREE, {"Authorization": "Bearer wrong"}, 401),
        (FREE, {"Authorization": f"Basic {TOKEN}"}, 401),
        (FREE, {"Authorization": "Bearer şé"}, 401),
        (FREE, {"Authorization": f"bearer {TOKEN}"}, 404),
        (FREE, BEARER, 404),
        ("12", BEARER, 400),
        (FREE[:-1] + str((int(FREE[-1]) + 1) % 10), BEARER, 400),
    ],
)
async def test_refusals(
    site: tuple[Inside, str], http: aiohttp.ClientSession, number: str, headers: dict[str, str], status: int
) -> None:
    async with http.get(f"{site[0].url}/api/v1/cases/{number}", headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"]


async def test_without_a_token_in_the_settings_nobody_may_ask(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with running(settings(tmp_path)) as inside:
        for headers in ({}, {"Authorization": "Bearer "}, BEARER):
            async with http.get(f"{inside.url}/api/v1/cases/{FREE}", headers=headers) as answer:
                assert answer.status == 401
