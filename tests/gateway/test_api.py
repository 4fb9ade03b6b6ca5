"""The API: who may ask, what is answered, and that its document tells the truth."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from sqlalchemy import select

from channels.sms import SmsSettings
from channels.sms.standin import StandIn
from gateway.store.engine import StoreUnavailable
from gateway.store.tables import cases, outbox, updates
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


def body(**more: Any) -> dict[str, Any]:
    return {"id": "dinas-pu/17", "at": "2026-11-22T10:00:00+07:00", "text": "Sudah diperbaiki.", **more}


async def test_an_update_is_taken_once_and_told_in_the_story(
    site: tuple[Inside, str], http: aiohttp.ClientSession
) -> None:
    inside, number = site
    url = f"{inside.url}/api/v1/cases/{number}"
    async with http.get(f"{inside.url}/api/openapi.json") as answer:
        document = await answer.json()
    operation = document["paths"]["/api/v1/cases/{number}/updates"]["post"]
    given = body(status="closed", agency="Dinas PU", number=tracking.shown(number))
    shape = operation["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(given, {**shape, "components": document["components"]})
    answers = []
    for path in (number, tracking.shown(number)):
        async with http.post(f"{inside.url}/api/v1/cases/{path}/updates", json=given, headers=BEARER) as answer:
            assert answer.status == 200
            answers.append(await answer.json())
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answers[0], {**shape, "components": document["components"]})
    assert answers[0] == answers[1]
    assert (answers[0]["state_changed"], answers[0]["citizen"]) == (True, "told")

    await inside.until(lambda rows: [r.state for r in rows] == ["sent", "sent"], outbox)
    async with http.get(url, headers=BEARER) as answer:
        told = await answer.json()
    assert told["state"] == "closed"
    (step,) = [step for step in told["steps"] if step["what"] == "updated"]
    assert (step["detail"], step["text"]) == ("closed, told, Dinas PU", "Sudah diperbaiki.")


@pytest.mark.parametrize(
    ("number", "given", "headers", "status", "code"),
    [
        (None, body(), {}, 401, "unauthorized"),
        (None, body(), {"Authorization": "Bearer wrong"}, 401, "unauthorized"),
        ("12", body(), BEARER, 400, "bad_number"),
        (FREE, body(), BEARER, 404, "not_found"),
        (None, b"{", BEARER, 400, "malformed"),
        (None, b"[" * 100_000, BEARER, 400, "malformed"),
        (None, b"\xff", BEARER, 400, "malformed"),
        (None, body(id=""), BEARER, 400, "malformed"),
        (None, body(id="a\x00b"), BEARER, 400, "malformed"),
        (None, body(at="2026-11-22T10:00:00"), BEARER, 400, "malformed"),
        (None, body(status="lost"), BEARER, 400, "malformed"),
        (None, body(text="x" * 20_001), BEARER, 400, "malformed"),
        (None, body(text=""), BEARER, 400, "malformed"),
        (None, {"id": "1", "text": "x"}, BEARER, 400, "malformed"),
        (None, body(number=FREE), BEARER, 400, "number_mismatch"),
        (None, b" " * 1_100_000, BEARER, 413, "too_large"),
    ],
    ids=[
        "no token",
        "a wrong token",
        "no number",
        "a number of no case",
        "no JSON",
        "too deep",
        "no UTF-8",
        "an empty id",
        "an id with a NUL",
        "a time without its zone",
        "a state there is not",
        "too long",
        "nothing to say",
        "no time",
        "another number than the path's",
        "a large body",
    ],
)
async def test_updates_that_are_refused(
    site: tuple[Inside, str],
    http: aiohttp.ClientSession,
    number: str | None,
    given: dict[str, Any] | bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    inside, own = site
    data = io.BytesIO(given if isinstance(given, bytes) else json.dumps(given).encode())
    url = f"{inside.url}/api/v1/cases/{number or own}/updates"
    async with http.post(url, data=data, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)
    assert await inside.rows(updates) == []


async def test_an_id_of_another_case_is_refused(site: tuple[Inside, str], http: aiohttp.ClientSession) -> None:
    inside, number = site
    async with inside.gateway.store.write() as connection:
        (row,) = (await connection.execute(select(cases))).mappings().all()
        await connection.execute(cases.insert(), {**row, "number": FREE})
    statuses = []
    for path in (number, FREE):
        async with http.post(f"{inside.url}/api/v1/cases/{path}/updates", json=body(), headers=BEARER) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 409]


async def test_while_the_store_is_away_no_update_is_taken(
    site: tuple[Inside, str], http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, number = site

    def away() -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(inside.gateway.store, "write", away)
    async with http.post(f"{inside.url}/api/v1/cases/{number}/updates", json=body(), headers=BEARER) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0


async def test_without_a_token_in_the_settings_nobody_may_ask(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with running(settings(tmp_path)) as inside:
        for headers in ({}, {"Authorization": "Bearer "}, BEARER):
            async with http.get(f"{inside.url}/api/v1/cases/{FREE}", headers=headers) as answer:
                assert answer.status == 401
