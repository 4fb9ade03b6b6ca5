"""A citizen is forgotten: of her nothing is left in any byte that is kept, of her neighbour everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.blobs.base import BlobsUnavailable
from gateway.privacy import erase, forget
from gateway.store.casebook import story
from gateway.store.migrate import migrate
from gateway.store.operations import audit, forgotten
from gateway.store.tables import attachments, cases, messages, outbox, senders
from normalizer.event import decode
from tests import inside
from tests.privacy.site import (
    BUDI,
    BUDI_MAIL,
    HERS,
    HIS,
    SITI,
    SITI_MAIL,
    Site,
    answered,
    letter,
    settled,
    site,
)

HER_MAIL = letter(
    f"Siti Rahmawati <{SITI_MAIL}>",
    "Jembatan",
    "Halo, jembatan gantung di desa kami putus.",
    file=("bukti-siti.pdf", "kwitansi"),
    id_="surat-1@example.org",
)
HIS_MAIL = letter(
    f"Budi Santoso <{BUDI_MAIL}>",
    "Banjir",
    "Ada banjir bandang di kampung kami.",
    file=("peta-budi.pdf", "denah"),
    id_="surat-2@example.net",
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """The site of each store in turn."""
    more = {}
    if request.param == "postgresql":
        more["store"] = {"url": request.getfixturevalue("postgres").create()}
    async with site(tmp_path / "site", **more) as made:
        async with made.store() as store:
            await migrate(store)
        yield made


async def complaints(town: Site, at: inside.Inside) -> None:
    """Two citizens complain, each by SMS and by mail, and are answered."""
    await town.texts(at, SITI, "Lubang menganga di Jalan Merdeka", id="sms-1")
    await town.texts(at, BUDI, "Lampu jalan padam sejak kemarin", id="sms-2")
    await town.posts(HER_MAIL)
    await town.posts(HIS_MAIL)
    await answered(at, replies=4, files=2)
    await town.sms.report(town.sms.sent[0])
    await town.sms.report(town.sms.sent[1])
    await at.until(lambda rows: sum(row.state == "delivered" for row in rows) == 2, outbox)


async def test_nothing_of_her_is_left_and_all_of_her_neighbour(town: Site) -> None:
    async with inside.running(town.settings) as at:
        await complaints(town, at)
        assert await town.found(HERS) == set(HERS)
        assert await town.found(HIS) == set(HIS)
        before = {row.number: row for row in await at.rows(cases)}

        by_sms, by_mail = await town.forget(SITI, SITI_MAIL)

        # While the gateway runs, with its files open; and after its end.
        assert await town.found(HERS) == set()
        assert by_sms.counts.cases == by_mail.counts.cases == 1
        assert by_mail.counts.files == 1
        assert by_mail.counts.blobs == 2
        after = {row.number: row for row in await at.rows(cases)}
        assert {n: (r.state, r.opened_at, r.channel) for n, r in after.items()} == {
            n: (r.state, r.opened_at, r.channel) for n, r in before.items()
        }
        assert len(await at.rows(senders)) == 2
        assert {row.address for row in await at.rows(senders)} == {BUDI, BUDI_MAIL}
        for number in after:
            assert await story(at.gateway.store, number) is not None
        assert {row.by for row in await at.rows(forgotten)} == {"an operator"}
        assert [(row.operator, row.action) for row in await at.rows(audit)] == [("an operator", "forget")] * 2
    assert await town.found(HERS) == set()
    assert await town.found(HIS) == set(HIS)


async def test_what_comes_again_leaves_nothing_and_who_writes_again_starts_afresh(town: Site) -> None:
    async with inside.running(town.settings) as at:
        await complaints(town, at)
        hers = town.who(SITI).key
        (old,) = [row.number for row in await at.rows(cases) if row.sender_key == hers]
        await town.forget(SITI, SITI_MAIL)
        replies = len(await at.rows(outbox))

        await town.texts(at, SITI, "Lubang menganga di Jalan Merdeka", id="sms-1")
        await town.posts(HER_MAIL)
        for sent in town.sms.sent:
            await town.sms.report(sent)
        await settled(at)
        await town.sweep()

        assert await town.found(HERS) == set()
        assert len(await at.rows(cases)) == 4
        assert len(await at.rows(outbox)) == replies

        await town.texts(at, SITI, f"STATUS {old}", id="sms-3")
        await at.until(lambda rows: any(row.template == "not_found" for row in rows), outbox)
        await town.texts(at, SITI, "Lubang menganga di Jalan Merdeka", id="sms-4")
        rows = await at.until(lambda rows: len(rows) == 5, cases)
        await settled(at)
        await town.sweep()

        assert [row.address for row in await at.rows(senders) if row.key == hers] == [SITI]
        (new,) = [row.number for row in rows if row.sender_key == hers]
        kept = [decode(row.document.encode()).text for row in await at.rows(messages) if row.case_number == new]
        assert kept == ["Lubang menganga di Jalan Merdeka"]


async def test_what_waits_on_the_log_is_blank_there_and_opens_no_case(tmp_path: Path) -> None:
    async with site(tmp_path / "site") as town:
        async with inside.running(town.settings, role="intake") as at:
            await town.texts(at, SITI, "Lubang menganga di Jalan Merdeka", id="sms-1")
            await town.texts(at, BUDI, "Lampu jalan padam", id="sms-2")
            await town.posts(HER_MAIL)
            by_sms, by_mail = await town.forget(SITI, SITI_MAIL)
            assert (by_sms.waiting, by_mail.waiting) == (1, 1)
            assert await town.found(HERS) == set()
        async with inside.running(town.settings, role="dispatch") as at:
            rows = await at.until(lambda rows: len(rows) == 3, messages)
            assert sorted(row.disposition for row in rows) == ["complaint", "forgotten", "forgotten"]
            assert len(await at.rows(cases)) == len(await at.rows(outbox)) == 1
        assert await town.found(["padam"]) == {"padam"}


async def test_a_reply_that_waits_is_dropped(tmp_path: Path) -> None:
    async with site(tmp_path / "site") as town, inside.running(town.settings, role="intake") as at:
        await town.texts(at, SITI, "Lubang menganga di Jalan Merdeka", id="sms-1")
        async with inside.running(town.settings, role="dispatch") as dispatching:
            await dispatching.until(lambda rows: len(rows) == 1, outbox)
            (done,) = await town.forget(SITI)
            assert done.counts.dropped == 1
            (reply,) = await dispatching.rows(outbox)
            assert (reply.state, reply.address, reply.text) == ("forgotten", "", "")
        async with inside.running(town.settings, role="deliver"):
            await town.texts(at, BUDI, "Lampu jalan padam", id="sms-2")
        assert town.sms.sent == []


async def test_cut_off_it_goes_on_at_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(*_: object, **__: object) -> None:
        raise BlobsUnavailable("cut off")

    steps = ((erase.Eraser, "_blank_messages"), (forget, "blank_copies"), (erase.Eraser, "cases"), (forget, "wipe"))
    async with site(tmp_path / "site") as town, inside.running(town.settings) as at:
        await complaints(town, at)
        for where, step in steps:
            with monkeypatch.context() as patch:
                patch.setattr(where, step, cut)
                with pytest.raises(BlobsUnavailable):
                    await town.forget(SITI_MAIL)
        await town.forget(SITI_MAIL, SITI)

        assert await town.found(HERS) == set()
        assert await town.found(HIS) == set(HIS)
        assert len(await at.rows(attachments)) == 2
