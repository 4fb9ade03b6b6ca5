"""A whole gateway with its sandbox as a process, a webhook for its alerts, and a browser that watches what it loads."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.alerts.servers import Ear, http_server
from tests.nursery import Nursery
from tests.process import GatewayProcess

CHROMIUM = "/usr/bin/chromium"
ACCOUNT = "sandbox"
WITHIN = 60_000.0
"""Milliseconds within which an operator has to see that a channel has gone wrong."""
PATIENCE = 30_000.0
"""Milliseconds for anything else."""
WIDE, NARROW = 1280, 360
HEIGHT = {WIDE: 900, NARROW: 740}
FASTER: dict[str, dict[str, Any]] = {
    "health": {"heartbeat": 1.0, "settle": 2.0},
    "delivery": {
        "timeout": 2.0,
        "lease": 5.0,
        "first_retry": 0.2,
        "longest_retry": 0.5,
        "breaker_probe": 0.3,
        "give_up_after": 3.0,
    },
}
"""Waits that are shorter than the shipped ones; what is done in between is the same."""

Scheme = Literal["light", "dark"]
NUMBER = re.compile(r"\d{3} \d{3} \d{4}")


@dataclass
class Site:
    """The running gateway and its ``folder``. ``signed_in`` is what a browser holds that is signed in."""

    folder: Path
    gateway: GatewayProcess
    password: str
    alerts: Ear
    browser: Browser
    signed_in: Any = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.gateway.url

    @asynccontextmanager
    async def visit(
        self, *, width: int = WIDE, scheme: Scheme = "light", signed_in: bool = True
    ) -> AsyncIterator[Visitor]:
        """A browser of its own; at the end, what it should not have done fails the test."""
        context = await self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": HEIGHT[width]},
            color_scheme=scheme,
            locale="en-GB",
            storage_state=self.signed_in if signed_in else None,
        )
        context.set_default_timeout(PATIENCE)
        visitor = Visitor(self, context)
        try:
            yield visitor
            assert not visitor.complaints, visitor.complaints
        finally:
            await context.close()

    async def unreadable_text(self) -> str:
        """Have the telco pass on what cannot be read; returns the id of the dead letter."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/webhooks/sms", data={"token": "sandbox", "text": "Tanpa nomor"}) as answer,
        ):
            return str((await answer.json())["error"]["dead_letter"])


@dataclass
class Visitor:
    """Somebody at a browser; ``complaints`` are requests to other machines, errors of scripts and on the console."""

    site: Site
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("request", lambda request: self._asked(request.url))
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.complaints.append(f"asked {url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    async def open(self, path: str) -> Page:
        """A new tab at a path of the gateway."""
        page = await self.context.new_page()
        await page.goto(path)
        return page

    async def sandbox(self) -> Page:
        """A new tab with the sandbox in English, once it hears from the gateway."""
        page = await self.open("/sandbox?lang=en")
        # Until the page knows its citizens, it shows nobody's address.
        await expect(page.get_by_role("region", name="SMS · 1708").locator(".mine")).not_to_be_empty()
        return page


async def sign_in(page: Page, password: str) -> None:
    """Fill in the sign-in's form, in English, and send it."""
    await page.get_by_label("Account", exact=True).fill(ACCOUNT)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def in_english(page: Page) -> None:
    """Choose English below the page."""
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def until_there(page: Page, path: str, locator: str) -> None:
    """Load a page again and again until it shows something: what another process writes is told to nobody."""
    for _ in range(round(PATIENCE / 250)):
        await page.goto(path)
        if await page.locator(locator).count():
            return
        await page.wait_for_timeout(250)
    raise AssertionError(f"{path} never showed {locator}:\n{await page.locator('main').inner_text()}")


async def check_access(page: Page) -> None:
    """No violation of axe-core's rules that is serious or worse."""
    await _check(page, {"resultTypes": ["violations"]})


async def check_access_in_both_schemes(page: Page) -> None:
    """The same, and the contrasts in the other colour scheme too."""
    await check_access(page)
    dark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    await page.emulate_media(color_scheme="light" if dark else "dark")
    await _check(page, {"resultTypes": ["violations"], "runOnly": ["color-contrast"]})
    await page.emulate_media(color_scheme="dark" if dark else "light")


async def _check(page: Page, options: dict[str, Any]) -> None:
    # What is still fading in is paler than it is going to be: its contrast is not that of the page.
    await page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished)).then(() => null)")
    found = await Axe().run(page, options=options)
    serious = [
        f"{one['id']} ({one['impact']}): {', '.join(str(node['target']) for node in one['nodes'][:5])}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious, f"{page.url}: {serious}"


async def check_width(page: Page) -> None:
    """Nothing of the page lies beside the window."""
    beyond = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert beyond == 0, f"{page.url} is {beyond} px too wide"


@asynccontextmanager
async def opened(folder: Path, nursery: Nursery) -> AsyncIterator[Site]:
    """A gateway as ``make run`` starts it, on a free port, and a browser."""
    embedded = tomllib.loads(resources.files("config").joinpath("embedded.toml").read_text(encoding="utf-8"))
    channels = {f"channels.{name}": table for name, table in embedded.pop("channels").items()}
    expect.set_options(timeout=PATIENCE)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with http_server() as alerts, async_playwright() as playwright:
        told = {"alerts": {"webhook_url": f"{alerts.url}/alerts", "gather": 1.0}}
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        async with GatewayProcess(
            folder, {**embedded, **FASTER, **told, **channels}, arguments=("--sandbox",), nursery=nursery
        ) as gateway:
            await gateway.said(r"password \S+\n")
            found = re.search(r"password (\S+)\n", gateway.log)
            assert found
            site = Site(folder, gateway, found[1], alerts, browser)
            async with site.visit(signed_in=False) as visitor:
                page = await visitor.open("/ops/sign-in")
                await in_english(page)
                await sign_in(page, site.password)
                await expect(page).to_have_url(f"{site.url}/ops")
                site.signed_in = await visitor.context.storage_state()
            yield site
            await browser.close()
