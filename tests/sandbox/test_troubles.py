"""Each trouble turns what it says it turns, on every channel, and once it is over what waited is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import channels.standin
import gateway.intake.puller
from channels.standin import TROUBLES, Fault
from gateway.sandbox.crowd import TEXTS
from tests.sandbox.browser import NUMBER, Browser

pytestmark = pytest.mark.asyncio(loop_scope="package")

CITIZENS = {"sms": "+62812345610{}", "twitter": "warga_t{}", "telegram": "50060{}", "email": "t{}@example.org"}

# The part of a channel's health that turns. What is read and says nothing is given up to half a minute, which no test
# waits for: of those only what happens afterwards is looked at.
TURNS: dict[str, dict[str, str]] = {
    "error": {"sms": "sending", "twitter": "receiving", "telegram": "receiving", "email": "receiving"},
    "silent": {"sms": "sending"},
    "credentials": dict.fromkeys(CITIZENS, "credentials"),
    "rate_limit": {"sms": "sending", "twitter": "receiving", "telegram": "receiving", "email": "receiving"},
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers and gateway wait less than they do in earnest."""
    monkeypatch.setattr(channels.standin, "LONGEST_PATIENCE", 0.1)
    monkeypatch.setattr(gateway.intake.puller, "MISCONFIGURED_REST", 0.2)
    monkeypatch.setitem(dict_of(TROUBLES), "rate_limit", Fault(kind="status", status=429, retry_after=1))


def dict_of(mapping: Any) -> dict[str, Fault]:
    assert isinstance(mapping, dict)
    return mapping


@pytest.mark.parametrize("trouble", TURNS)
async def test_a_trouble_shows_and_heals(browser: Browser, trouble: str) -> None:
    number = list(TURNS).index(trouble)

    async def on(channel: str) -> None:
        citizen = CITIZENS[channel].format(number)
        status = await browser.post("troubles", channel=channel, trouble=trouble)
        assert status["channels"][channel]["trouble"] == trouble
        if part := TURNS[trouble].get(channel):
            await browser.until_healthy(lambda told: told["channels"][channel][part] in ("degraded", "down"))
        said = await browser.write(channel, citizen, f"Sampah menumpuk, sudah {number + 2} minggu")
        assert not [line for line in browser.lines.values() if line["address"] == citizen and line["who"] == "gateway"]
        status = await browser.post("troubles", channel=channel, trouble="")
        assert status["channels"][channel]["trouble"] == ""
        assert NUMBER.search((await browser.reply(channel, citizen, said))["text"])
        # Credentials are asked for now and then: they may take a minute more.
        await browser.until_healthy(
            lambda told: {told["channels"][channel][one] for one in ("receiving", "sending")} == {"healthy"}
        )

    await asyncio.gather(*map(on, CITIZENS))


async def test_credentials_that_are_refused_are_down(browser: Browser) -> None:
    await browser.post("troubles", channel="sms", trouble="credentials")
    await browser.until_healthy(lambda told: told["channels"]["sms"]["credentials"] == "down")
    await browser.post("troubles", channel="sms", trouble="")
    await browser.until_healthy(lambda told: told["channels"]["sms"]["sending"] == "healthy")


async def test_without_the_log_nothing_is_taken_and_nothing_is_lost(browser: Browser) -> None:
    assert (await browser.health())[0] == 200
    assert (await browser.post("log", away=True))["log_away"]
    code, told = await browser.health()
    assert (code, told["dependencies"]["log"]) == (503, "the sandbox has taken the event log away")
    fields = {"token": "sandbox", "from": "+6281234561999", "text": "Lampu mati"}
    async with browser.http.post("/webhooks/sms", data=fields) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    ids = {
        channel: await browser.write(channel, CITIZENS[channel].format(9), "Air PDAM mati total")
        for channel in CITIZENS
    }
    waiting = await browser.until(lambda line: line["id"] == ids["sms"] and line["status"] == 503)
    assert waiting["state"] == "waiting"
    assert not (await browser.post("log", away=False))["log_away"]
    for channel, said in ids.items():
        assert NUMBER.search((await browser.reply(channel, CITIZENS[channel].format(9), said))["text"])
    assert browser.lines[ids["sms"]]["state"] == "taken"
    assert (await browser.health())[0] == 200


async def test_an_unknown_trouble_is_told(browser: Browser) -> None:
    assert (await browser.post("troubles", 400, channel="sms", trouble="fire"))["error"]["code"] == "unknown_trouble"
    assert (await browser.post("troubles", 404, channel="nobody", trouble="error"))["error"][
        "code"
    ] == "unknown_channel"


async def test_a_crowd_writes_until_it_falls_silent(browser: Browser) -> None:
    def written(now: dict[str, Any], channel: str) -> int:
        found: int = now["channels"][channel]["crowd_written"]
        return found

    async with browser.http.get("/sandbox/status") as answer:
        before = await answer.json()
    status = await browser.post("crowds", on=True)
    assert all(channel["crowd"] for channel in status["channels"].values())
    await browser.until_status(
        lambda now: all(written(now, channel) > written(before, channel) for channel in CITIZENS)
    )
    status = await browser.post("crowds", channel="sms", on=False)
    assert {name: channel["crowd"] for name, channel in status["channels"].items()} == {
        "sms": False,
        "twitter": True,
        "telegram": True,
        "email": True,
    }
    status = await browser.post("crowds", on=False)
    assert not any(channel["crowd"] for channel in status["channels"].values())
    # The crowd is no company for who reads the page.
    assert {line["text"] for line in browser.lines.values()}.isdisjoint(TEXTS)
