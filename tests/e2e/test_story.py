"""One complaint from the first text to its closing, by SMS, with the agency's words over both ways in."""

from __future__ import annotations

from datetime import UTC, datetime

import aiohttp

from channels.sms.standin import StandIn
from config.settings import Settings
from gateway.eventlog.base import Record
from gateway.eventlog.factory import make_log
from gateway.store.tables import cases, outbox, updates
from normalizer import tracking
from normalizer.messages import CaseUpdate, encode
from tests.e2e.conftest import Site

CITIZEN = "+6281234567890"
API_TOKEN = "the-agencies-token"


async def test_a_complaint_from_the_first_text_to_its_closing(site: Site, standin: StandIn) -> None:
    site.channel.update(standin.overrides(standin.accounts[0]))
    site.api["tokens"] = [API_TOKEN]
    await site.start()

    async def text(words: str, answers: int) -> str:
        """The citizen writes; the newest of so many answers in all."""
        assert (await standin.text(site.webhook, CITIZEN, words)).status == 200
        return (await standin.wait_for(lambda sent: len(sent) == answers, timeout=60))[-1].text

    # A complaint, and its number.
    said = await text("TANGKAB Lampu jalan di depan pasar mati sejak Senin", 1)
    (case,) = await site.rows(cases)
    shown = tracking.shown(case.number)
    assert shown in said

    # A follow-up joins it, and STATUS tells where it stands.
    assert shown in await text("tiangnya juga miring", 2)
    assert "Diterima" in await text(f"STATUS {shown}", 3)

    # The agency has something to say: by the API, twice because it did not hear the first yes.
    update = {"id": "pu-1", "status": "in_progress", "text": "Petugas datang besok.", "agency": "Dinas PU"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {API_TOKEN}"}) as http:
        url = f"http://127.0.0.1:{site.port}/api/v1/cases/{case.number}"
        for _ in range(2):
            async with http.post(f"{url}/updates", json=update | {"at": "2026-01-02T08:00:00+07:00"}) as answer:
                assert answer.status == 200
        news = (await standin.wait_for(lambda sent: len(sent) == 4, timeout=60))[-1]
        assert news.to == CITIZEN
        assert news.text == f"Kabar laporan {shown} (Dinas PU): Petugas datang besok."
        assert "Diproses" in await text("cek", 5)

        # And by the topic, where the last word closes the case.
        closing = CaseUpdate(
            id="pu-2",
            number=case.number,
            status="closed",
            text="Lampu sudah menyala.",
            agency="Dinas PU",
            at=datetime(2026, 1, 3, 1, tzinfo=UTC),
        )
        log = make_log(Settings.model_validate({"log": site.log_settings, "topics": site.topics}))
        await log.start()
        try:
            record = Record(site.topics["case_updates"], case.number.encode(), encode(closing))
            await log.append([record, record])
        finally:
            await log.close()
        news = (await standin.wait_for(lambda sent: len(sent) == 6, timeout=60))[-1]
        assert news.text == f"Kabar laporan {shown} (Dinas PU): Lampu sudah menyala."
        assert "Selesai" in await text(f"status no {case.number}?", 7)

        async with http.get(url) as answer:
            story = await answer.json()
    assert story["state"] == "closed"
    assert [step["what"] for step in story["steps"] if step["what"] in ("received", "updated")] == [
        "received",
        "received",
        "updated",
        "updated",
    ]
    assert [row.outcome for row in await site.rows(updates)] == ["told", "told"]
    assert len(await site.rows(cases)) == 1
    await site.until(outbox, lambda rows: {row.state for row in rows} == {"sent"})
    assert len(standin.sent) == 7
