"""Every page on a wide screen and on a phone's, in both languages and colour schemes: for everyone to use."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from gateway.console.words import word
from tests.browser.site import (
    NARROW,
    WIDE,
    Scheme,
    Site,
    Visitor,
    check_access,
    check_width,
    until_there,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")

NAVIGATION = ("overview", "cases", "letters", "audit")
"""The links at the top."""


async def speak(page: Page, language: str) -> None:
    """Choose a language below the page."""
    await page.locator(f'.languages button[value="{language}"]').click()
    await expect(page.locator("html")).to_have_attribute("lang", language)


async def case_of(visitor: Visitor, language: str) -> str:
    """Write on Telegram in the sandbox, on a page that is looked at too; returns the path of the case."""
    page = await visitor.open(f"/sandbox?lang={language}")
    chat = page.locator('[data-channel="telegram"]')
    await expect(chat.locator(".mine")).not_to_be_empty()
    await chat.locator("form button").click()
    link = chat.locator('.line.gateway a[href^="/ops/cases/"]').last
    await expect(link).to_be_visible()
    await chat.locator("summary").click()
    await check_width(page)
    await check_access(page)
    path = await link.get_attribute("href")
    assert path
    await page.close()
    return path


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        pytest.param(WIDE, "light", "id", id="wide-light-Indonesian"),
        pytest.param(NARROW, "dark", "en", id="narrow-dark-English"),
    ],
)
async def test_every_page_fits_and_can_be_used_by_everyone(
    site: Site, width: int, scheme: Scheme, language: str
) -> None:
    letter = await site.unreadable_text()
    async with site.visit(width=width, scheme=scheme) as visitor:
        case = await case_of(visitor, language)
        page = await visitor.open("/ops")
        await speak(page, language)
        await until_there(page, "/ops/letters", f'a[href="/ops/letters/{letter}"]')
        for path in (
            "/ops",
            case,
            "/ops/cases",
            "/ops/letters",
            f"/ops/letters/{letter}",
            "/ops/channels/sms",
            "/ops/audit",
            "/ops/account",
        ):
            await page.goto(path)
            await expect(page.locator("html")).to_have_attribute("lang", language)
            await expect(page.get_by_role("heading", level=1)).to_have_count(1)
            await check_width(page)
            await check_access(page)
        await speak(page, "en")


async def test_the_navigation_is_in_sight_on_a_phone_and_leads_everywhere(site: Site) -> None:
    async with site.visit(width=NARROW) as visitor:
        page = await visitor.open("/ops/account")
        for language in ("id", "en"):
            await speak(page, language)
            for name in NAVIGATION:
                link = page.locator("nav.main").get_by_role("link", name=word(language, f"nav.{name}"), exact=True)
                await expect(link).to_be_in_viewport(ratio=1)
                await link.click()
                await expect(link).to_have_attribute("aria-current", "page")


async def test_the_keyboard_goes_past_the_navigation_to_the_content(site: Site) -> None:
    async with site.visit() as visitor:
        page = await visitor.open("/ops")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.getElementById('content').contains(document.activeElement)")
