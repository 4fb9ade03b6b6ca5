"""Text 1708, get a tracking number: through real processes, on both backends."""

from __future__ import annotations

import re
import signal

import aiohttp
import pytest

from channels.sms.standin import StandIn
from gateway.store.tables import cases, outbox
from normalizer import tracking
from tests.e2e.conftest import Site
from tests.inside import TOKEN

NUMBER = re.compile(r"\d{3} \d{3} \d{4}")


async def test_a_text_gets_one_reply_with_a_valid_number_and_a_receipt_settles_it(
    new_site: Site, standin: StandIn
) -> None:
    site = new_site
    site.channel.update(standin.overrides(standin.accounts[0]))
    await site.start()
    answer = await standin.text(site.webhook, "+6281234567890", "Lampu jalan mati sejak Senin", id="m-1")
    assert (answer.status, answer.body) == (200, b"")
    (reply,) = await standin.wait_for(lambda sent: len(sent) == 1, timeout=30)
    assert reply.to == "+6281234567890"
    found = NUMBER.search(reply.text)
    assert found is not None
    number = found[0].replace(" ", "")
    assert tracking.valid(number)
    (case,) = await site.rows(cases)
    assert case.number == number

    await standin.report(reply, "delivered")
    await site.until(outbox, lambda rows: [r.state for r in rows] == ["delivered"])

    # The same message again, late: heard, and not answered twice.
    assert (await standin.text(site.webhook, "+6281234567890", "Lampu jalan mati sejak Senin", id="m-1")).status == 200
    # Its status, asked on the same phone.
    assert (await standin.text(site.webhook, "+6281234567890", f"status {number}", id="m-2")).status == 200
    sent = await standin.wait_for(lambda sent: len(sent) == 2, timeout=30)
    assert NUMBER.search(sent[1].text)
    assert "Diterima" in sent[1].text
    assert len(await site.rows(cases)) == 1


async def test_sigterm_finishes_what_was_taken_and_leaves(new_site: Site, standin: StandIn) -> None:
    site = new_site
    site.channel.update(standin.overrides(standin.accounts[0]))
    await site.start()
    for n in range(20):
        await standin.text(site.webhook, f"+62812000000{n:02}", f"laporan {n}")
    for process in site.processes.values():
        assert await process.terminate() == 0
    assert "Traceback" not in site.said()
    await site.start()
    await standin.wait_for(lambda sent: len({m.to for m in sent}) == 20, timeout=30)
    assert len(standin.sent) == 20


async def test_health_and_metrics(site: Site, standin: StandIn) -> None:
    site.channel.update(standin.overrides(standin.accounts[0]))
    await site.start()
    await standin.text(site.webhook, "+6281234567890", "jalan rusak")
    await standin.wait_for(lambda sent: len(sent) == 1, timeout=30)
    await site.until(outbox, lambda rows: [r.state for r in rows] == ["sent"])
    exposed = ""
    async with aiohttp.ClientSession() as http:
        for process in site.processes.values():
            async with http.get(f"{process.url}/healthz") as answer:
                assert answer.status == 200
            async with http.get(f"{process.url}/readyz") as answer:
                body = await answer.json()
                assert (answer.status, body["status"]) == (200, "ready")
                assert body["channels"]["sms"]["state"] == "healthy" or "unknown" in body["channels"]["sms"].values()
            async with http.get(f"{process.url}/metrics") as answer:
                exposed += await answer.text()
    for sample in (
        'lapor_gateway_messages_received_total{channel="sms"} 1.0',
        'lapor_gateway_events_total{channel="sms",intent="complaint"} 1.0',
        'lapor_gateway_cases_opened_total{channel="sms"} 1.0',
        'lapor_gateway_replies_sent_total{channel="sms"} 1.0',
        'lapor_gateway_reply_latency_seconds_count{channel="sms"} 1.0',
    ):
        assert sample in exposed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_no_phone_and_no_secret_in_any_log(site: Site, standin: StandIn, number: int) -> None:
    site.channel.update(standin.overrides(standin.accounts[0]))
    await site.start()
    async with aiohttp.ClientSession() as http:
        for query in (
            f"token=wrong-{TOKEN}&from=%2B6281234567890&text=x",
            f"token={TOKEN}&text=tanpa+pengirim+081234567890",
        ):
            async with http.get(f"{site.webhook}?{query}") as answer:
                assert answer.status in (400, 401)
    await standin.text(site.webhook, "+6281234567890", "rahasia negara di sini")
    await standin.wait_for(lambda sent: len(sent) == 1, timeout=30)
    for process in site.processes.values():
        process.send_signal(number)
        await process.terminate()
    said = site.said()
    for secret in (TOKEN, "p4ssword", "81234567890", "rahasia negara"):
        assert secret not in said
