"""The story of one complaint, played over HTTP as the page and ``gateway demo`` play it."""

from __future__ import annotations

import pytest

import gateway.sandbox.stage
from gateway.sandbox.story import Step, StoryFailed, play
from gateway.sandbox.visitor import Visitor
from normalizer import tracking
from tests.sandbox.browser import API_TOKEN, Browser

pytestmark = pytest.mark.asyncio(loop_scope="package")

STEPS = ["complaint", "follow_up", "status", "stranger", "news", "closing", "closed"]


async def test_every_step_comes_as_told(browser: Browser) -> None:
    steps: list[Step] = []
    async with Visitor(browser.url, api_token=API_TOKEN) as visitor:
        await play(visitor, steps.append)
    assert [step.name for step in steps] == STEPS
    number = tracking.shown(tracking.find(steps[0].heard).numbers[0])
    assert [step.name for step in steps if number in step.heard] == [name for name in STEPS if name != "stranger"]
    assert "Petugas kami datang besok pagi." in steps[4].heard
    assert "Selesai" in steps[6].heard
    assert steps[3].to != steps[0].to


async def test_the_page_plays_it(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.sandbox.stage, "STORY_PAUSE", 0.0)
    assert (await browser.post("story"))["story"]["state"] == "playing"
    assert (await browser.post("story", 409))["error"]["code"] == "playing"
    story = (await browser.until_status(lambda now: now["story"]["state"] in ("done", "failed")))["story"]
    assert (story["state"], story["reason"]) == ("done", "")
    assert [step["name"] for step in story["steps"]] == STEPS
    # What was said stands on the phone of a citizen whom the page offers from then on.
    phone = story["steps"][0]["to"]
    assert {"sms": phone} in [one["addresses"] for one in browser.status["citizens"]]
    assert [line["who"] for line in browser.lines.values() if line["address"] == phone][:2] == ["citizen", "gateway"]


@pytest.mark.parametrize(
    ("token", "failed"), [("wrong", "news: the gateway refuses the API token: give one of its [api] tokens")]
)
async def test_a_step_that_fails_is_named(browser: Browser, token: str, failed: str) -> None:
    steps: list[Step] = []
    async with Visitor(browser.url, api_token=token) as visitor:
        with pytest.raises(StoryFailed) as told:
            await play(visitor, steps.append)
    assert str(told.value) == failed
    assert [step.name for step in steps] == STEPS[:4]
