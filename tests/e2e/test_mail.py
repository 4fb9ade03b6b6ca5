"""Email through real mail servers: Postfix takes it, Dovecot keeps it, the gateway reads and answers it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from channels.email.standin import written
from gateway.store.tables import cases, deliveries, messages, outbox
from normalizer import tracking
from tests.channels.email.dovecot import free_ports
from tests.channels.email.town import CITIZEN, OURS, Town
from tests.e2e.conftest import PATIENCE, Site
from tests.services import require

MAILS = 40
KILLS = 3


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    require("dovecot")
    require("postfix")
    town = Town()
    try:
        yield town
    finally:
        await town.stop()


def read(site: Site, town: Town) -> None:
    """The gateway reads the mailbox."""
    site.channels = {
        "email": {
            "type": "email",
            "address": OURS,
            "imap_url": town.dovecot.url,
            "smtp_url": town.postfix.url,
        }
    }


async def delivered(town: Town, count: int) -> None:
    """Wait until the citizens' server took so many mails."""
    async with asyncio.timeout(PATIENCE):
        while len(town.citizens.delivered) < count:
            await asyncio.sleep(0.02)


async def test_a_mail_gets_one_answer_in_its_thread_and_its_reply_joins_the_case(site: Site, town: Town) -> None:
    await town.start()
    read(site, town)
    await site.start()
    await town.post(written(CITIZEN, OURS, "Jembatan Desa Sukamaju ambruk", "Jembatan ambruk"))
    await delivered(town, 1)
    answer = town.citizens.delivered[0]
    [message] = await site.rows(messages)
    number = re.search(r"\b\d{3} \d{3} \d{4}\b", answer.text)
    assert number
    digits = number[0].replace(" ", "")
    assert tracking.valid(digits)
    assert answer.to == [CITIZEN]
    assert answer.headers["In-Reply-To"] == message.provider_id
    assert number[0] in str(answer.headers["Subject"])
    assert answer.headers["Auto-Submitted"] == "auto-replied"

    reply = written(CITIZEN, OURS, "Sekarang sudah dipasang garis polisi", "Re: Jembatan ambruk")
    threaded = f"In-Reply-To: {answer.headers['Message-ID']}\r\n".encode() + reply
    await town.post(threaded)
    await delivered(town, 2)
    assert digits in town.citizens.delivered[1].text.replace(" ", "")
    assert [case.number for case in await site.rows(cases)] == [digits]
    assert {row.case_number for row in await site.rows(messages)} == {digits}


async def test_an_answer_that_bounces_is_a_failed_delivery(site: Site, town: Town) -> None:
    await town.start()
    town.citizens.answers["rcpt"] = "550 5.1.1 nobody of that name"
    read(site, town)
    await site.start()
    await town.post(written(CITIZEN, OURS, "Jalan rusak", "Jalan"))
    [row] = await site.until(outbox, lambda rows: bool(rows) and rows[0].state == "failed")
    steps = [step for step in await site.rows(deliveries) if step.outbox_id == row.id]
    assert [(step.step, step.outcome) for step in steps] == [("attempt", "sent"), ("receipt", "failed")]
    assert len(await site.rows(outbox)) == 1


@pytest.mark.parametrize("way", ["imap", "lmtp"])
async def test_killed_among_mails_none_is_lost_or_answered_as_two(site: Site, town: Town, way: str) -> None:
    """Postfix keeps what the gateway's listener did not take; Dovecot keeps what was read and not recorded."""
    listen = free_ports(1)[0] if way == "lmtp" else 0
    await town.start(listen=listen)
    read(site, town)
    if listen:
        del site.channels["email"]["imap_url"]
        site.channels["email"] |= {"listen": f"127.0.0.1:{listen}", "protocol": "lmtp"}
    await site.start()

    async def write() -> None:
        for n in range(MAILS):
            await town.post(written(f"warga{n}@example.org", OURS, f"Jalan nomor {n} rusak", f"Jalan {n}"))

    writing = asyncio.create_task(write())
    for kill in range(KILLS):
        await site.until(messages, lambda rows, n=kill: len(rows) > n * 8)
        reader = site.processes[site.roles[0]]
        await reader.kill()
        await reader.start()
    await writing
    await site.until(cases, lambda rows: len(rows) == MAILS)
    await site.until(outbox, lambda rows: all(row.state == "sent" for row in rows))
    # A copy of a mail that Postfix took just before a kill bears the Message-ID of the first, so that one answer is shown.
    answers: set[tuple[str, str]] = set()
    async with asyncio.timeout(PATIENCE):
        while len(answers) < MAILS:
            await asyncio.sleep(0.02)
            mails = town.citizens.delivered
            answers = {(address, str(mail.headers["Message-ID"])) for mail in mails for address in mail.to}
    assert len(await site.rows(messages)) == MAILS
    assert sorted(address for address, _ in answers) == sorted(f"warga{n}@example.org" for n in range(MAILS))
