"""What operators do, in a browser, beside a sandbox in which citizens write and providers fail."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.site import NUMBER, WITHIN, Site, check_access_in_both_schemes, in_english, sign_in, until_there

pytestmark = pytest.mark.asyncio(loop_scope="package")

CHANNELS = ("sms", "twitter", "telegram", "email")
SMS = "SMS · 1708"
PROBES = 5
"""Citizens whom the sandbox has write when a provider fails."""


def card(page: Page, channel: str) -> Locator:
    """A channel's card on the overview."""
    return page.locator(f"#channel-{channel}")


def state(page: Page, channel: str) -> Locator:
    """The state of the whole channel on its card."""
    return card(page, channel).locator("> .head .badge")


def phone(page: Page, title: str = SMS) -> Locator:
    """A device of the sandbox."""
    return page.get_by_role("region", name=title)


async def be(page: Page, citizen: str) -> None:
    """Choose who writes."""
    await page.get_by_role("combobox", name="You are").select_option(label=citizen)


async def write(page: Page, text: str) -> Locator:
    """Text 1708; returns the line on the phone, once the telco has passed it on."""
    await phone(page).get_by_role("textbox", name="Message").fill(text)
    await phone(page).get_by_role("button", name="Send").click()
    line = phone(page).locator(".line.citizen", has_text=text)
    await expect(line.locator(".state")).to_have_text("sent")
    return line


def replies(page: Page) -> Locator:
    """What the chosen citizen's phone shows of the gateway's."""
    return phone(page).locator(".line.gateway")


async def test_an_operator_signs_in_and_out_and_a_wrong_password_is_told(site: Site) -> None:
    async with site.visit(signed_in=False) as visitor:
        page = await visitor.open("/ops/channels/sms")
        await expect(page).to_have_url(re.compile(r"/ops/sign-in\?next="))
        await in_english(page)
        await sign_in(page, "not-the-password")
        await expect(page.get_by_role("alert")).to_have_text("The account or the password is wrong.")
        assert [said for said in visitor.complaints if "403" not in said] == []
        visitor.complaints.clear()
        await check_access_in_both_schemes(page)

        await sign_in(page, site.password)
        await expect(page).to_have_url(f"{site.url}/ops/channels/sms")
        await page.get_by_text("sandbox operator").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_text("You are signed out.")).to_be_visible()
        await page.goto("/ops")
        await expect(page).to_have_url(re.compile("/ops/sign-in"))


async def test_an_outage_is_seen_told_and_repaired(site: Site) -> None:
    def told(status: str) -> bool:
        alerts = [one for call in site.alerts.heard if call.body["version"] == "4" for one in call.body["alerts"]]
        ours = {"channel": "sms", "severity": "critical"}
        return any(one["status"] == status and ours.items() <= one["labels"].items() for one in alerts)

    async with site.visit() as visitor:
        overview = await visitor.open("/ops")
        for channel in CHANNELS:
            await expect(state(overview, channel)).to_have_text("healthy")
        await expect(overview.locator(".card")).to_have_count(len(CHANNELS))
        await overview.evaluate("window.notLoadedAgain = true")

        sandbox = await visitor.sandbox()
        await phone(sandbox).get_by_text("Make trouble: SMS").click()
        trouble = phone(sandbox).get_by_role("button", name="Provider answers 500")
        await trouble.click()
        await expect(trouble).to_have_attribute("aria-pressed", "true")

        await expect(state(overview, "sms")).to_have_text("down", timeout=WITHIN)
        await expect(card(overview, "sms").locator(".why").first).to_contain_text("500")
        await expect(overview.locator("#changes tbody tr").first).to_contain_text("sms")
        await check_access_in_both_schemes(overview)
        await site.alerts.until(lambda _: told("firing"))
        assert not told("resolved")

        await be(sandbox, "Citizen 2")
        await write(sandbox, "Lampu jalan di depan puskesmas mati")
        letters = await visitor.open("/ops/letters")
        count = f'tr:has-text("gave_up") td.number:text-is("{PROBES + 1}")'
        await until_there(letters, "/ops/letters", count)
        assert await replies(sandbox).count() == 0

        await trouble.click()
        await expect(trouble).to_have_attribute("aria-pressed", "false")
        await letters.get_by_role("row", name="sms gave_up").first.get_by_role("link").click()
        await letters.get_by_role("button", name="Replay").click()
        await expect(letters.get_by_text("The letter is replayed.")).to_be_visible()
        await expect(letters.get_by_role("definition").filter(has_text="back in the outbox")).to_be_visible()
        await letters.goto("/ops/letters")
        letters.once("dialog", lambda dialog: dialog.accept())
        await letters.get_by_role("button", name="Replay all: delivery, gave_up").click()
        await expect(letters.get_by_text(f"{PROBES} letters are replayed.")).to_be_visible()

        await expect(replies(sandbox)).to_contain_text([NUMBER])
        await expect(state(overview, "sms")).to_have_text("healthy", timeout=WITHIN)
        await site.alerts.until(lambda _: told("resolved"))
        assert await overview.evaluate("window.notLoadedAgain")


async def test_a_text_is_followed_from_the_phone_to_its_timeline(site: Site) -> None:
    # Whatever else this citizen has written: these words in front ask for a case of its own.
    text = "LAPOR BARU Jembatan di Dusun Krajan berlubang besar"
    async with site.visit() as visitor:
        page = await visitor.sandbox()
        line = await write(page, text)
        link = line.get_by_role("link", name=re.compile(rf"Case {NUMBER.pattern}"))
        found = NUMBER.search(await link.inner_text())
        assert found
        number = found[0]
        await expect(replies(page).last).to_contain_text(number)

        await link.click()
        await expect(page).to_have_url(f"{site.url}/ops/cases/{number.replace(' ', '')}")
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Case {number}")
        for what in ("payload", "event", "decision", "opened", "reply", "attempt"):
            await expect(page.locator(f".timeline > .step-{what}")).to_have_count(1)
        await expect(page.locator(".step-decision")).to_contain_text("7, a new case was asked for")
        await expect(page.locator(".step-event blockquote")).to_contain_text("Jembatan di Dusun Krajan")
        await expect(page.locator(".step-reply blockquote")).to_contain_text(number)
        await expect(page.locator(".step-attempt")).to_contain_text("the provider took it")
        await page.get_by_text("Show the payload").click()
        payload = page.locator(".step-payload pre")
        await expect(payload).to_contain_text("Jembatan")
        # Neither the provider's token nor the citizen's whole number stands there.
        assert "token=sandbox" not in await payload.inner_text()
        assert "+6281234567890" not in await page.content()


async def test_a_letter_that_stays_unreadable_is_discarded_with_a_reason(site: Site) -> None:
    identifier = await site.unreadable_text()
    async with site.visit() as visitor:
        page = await visitor.open("/ops/letters")
        await until_there(page, "/ops/letters", f'a[href="/ops/letters/{identifier}"]')
        await page.locator(f'a[href="/ops/letters/{identifier}"]').click()
        await page.get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("alert")).to_contain_text("still cannot be read")
        assert [said for said in visitor.complaints if "409" not in said] == []
        visitor.complaints.clear()

        await page.get_by_label("Why nothing is to be done").fill("the telco's own test")
        await page.get_by_role("button", name="Discard").click()
        await expect(page.get_by_text("The letter is discarded.")).to_be_visible()
        await expect(page.get_by_role("button", name="Replay")).to_have_count(0)
        await page.goto("/ops/letters?settled=1")
        await expect(page.get_by_role("row", name=identifier[:12])).to_contain_text("Discarded: the telco's own test")
        await page.goto("/ops/audit?action=discard")
        await expect(page.get_by_role("row", name=identifier)).to_contain_text("sandbox")


async def test_a_paused_channel_keeps_replies_until_it_is_resumed(site: Site) -> None:
    async with site.visit() as visitor:
        channel = await visitor.open("/ops/channels/sms")
        await channel.get_by_role("region", name="Outgoing").get_by_label("Why").fill("the carrier works on its line")
        await channel.get_by_role("button", name="Pause outgoing").click()
        await expect(channel.get_by_text("Outgoing replies are paused.")).to_be_visible()
        overview = await visitor.open("/ops")
        await expect(state(overview, "sms")).to_have_text("paused", timeout=WITHIN)

        sandbox = await visitor.sandbox()
        await be(sandbox, "Citizen 3")
        await write(sandbox, "Got di Gang Melati tersumbat sampah")
        waiting = card(overview, "sms").locator("dt:text-is('Waiting') + dd")
        await expect(waiting).to_have_text("1")
        assert await replies(sandbox).count() == 0
        await channel.reload()
        await check_access_in_both_schemes(channel)

        await channel.get_by_role("button", name="Resume outgoing").click()
        await expect(channel.get_by_text("Outgoing replies are sent again.")).to_be_visible()
        await expect(replies(sandbox)).to_contain_text([NUMBER])
        await expect(waiting).to_have_text("0")
        await expect(state(overview, "sms")).to_have_text("healthy", timeout=WITHIN)
        await channel.goto("/ops/audit")
        await expect(channel.get_by_role("row", name="out: the carrier works on its line")).to_contain_text("pause")
