"""A text through a real Kannel (bearerbox, smsbox, fakesmsc) and back to the phone, on both backends."""

from __future__ import annotations

import re

from gateway.store.tables import cases, messages, outbox
from normalizer import tracking
from normalizer.event import decode
from tests.e2e.conftest import Site
from tests.inside import TOKEN
from tests.kannel.peer import Kannel
from tests.kannel.telco import Coding
from tests.services import require

LONG = "Jalan rusak parah di depan pasar, sudah tiga bulan tidak diperbaiki. " * 6
NUMBER = re.compile(r"\d{3} \d{3} \d{4}")


async def connected(site: Site) -> Kannel:
    require("kannel")
    kannel = Kannel(webhook=site.webhook, token=TOKEN)
    site.channel.update({"send_url": kannel.sendsms_url, "username": kannel.username, "password": kannel.password})
    # The telco of the tests takes its time.
    site.delivery |= {"timeout": 5.0, "lease": 10.0}
    return kannel


TEXTS: dict[str, tuple[str, Coding]] = {
    "+6281234567890": ("Lampu jalan mati di Jalan Merdeka", "gsm"),
    "+6281234567891": ("Jalan ꦢꦭꦤ꧀ rusak \U0001f6a7", "ucs2"),
    "+6281234567892": (LONG[:400], "gsm"),
}
"""By who texts it."""


async def test_a_text_gets_exactly_one_reply_with_a_valid_number(site: Site) -> None:
    kannel = await connected(site)
    async with kannel:
        await site.start()
        for phone, (text, coding) in TEXTS.items():
            if len(text) > 160:
                await kannel.long_text(phone, text)
            else:
                await kannel.text(phone, text, coding=coding)
        await kannel.received(len(TEXTS), timeout=30)
        # All is quiet: the store says sent, Kannel has nothing left to hand on either way.
        await site.until(
            outbox,
            lambda rows: len(rows) == len(TEXTS) and all(r.state in ("sent", "delivered") for r in rows),
        )
        await kannel.holds(0)
        replies = {reply.receiver: reply for reply in kannel.replies}
    assert len(kannel.replies) == len(TEXTS)
    assert set(replies) == set(TEXTS)
    opened = {case.sender_key: case.number for case in await site.rows(cases)}
    assert len(await site.rows(cases)) == len(opened) == len(TEXTS)
    whole = [row for row in await site.rows(messages) if row.kind == "message"]
    assert len(whole) == len(TEXTS)
    for message in whole:
        event = decode(message.document.encode())
        reply = replies[event.sender.address]
        assert event.text == TEXTS[event.sender.address][0].strip()
        found = NUMBER.search(reply.text)
        assert found is not None
        number = found[0].replace(" ", "")
        assert tracking.valid(number)
        assert (reply.sender, opened[message.sender_key]) == ("1708", number)
        assert reply.parts == 1  # it fits one short message


async def test_a_text_that_comes_while_the_gateway_is_down_is_heard_when_it_is_back(site: Site) -> None:
    kannel = await connected(site)
    async with kannel:
        await kannel.text("+6281234567890", "Banjir di Kampung Melayu")
        await site.start()
        (reply,) = await kannel.received(1, timeout=30)
    assert NUMBER.search(reply.text)
    assert len(await site.rows(cases)) == 1
