"""The channel between a real Postfix and a real Dovecot: there and back, put off and taken later, bounced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from channels.base import InboundMessage, OutboundMessage, Thread
from channels.email import EmailChannel
from channels.email.standin import written
from channels.errors import Misconfigured, RetryLater
from channels.receiving import Item
from tests.channels.email.accounts import settings
from tests.channels.email.dovecot import free_ports
from tests.channels.email.town import CITIZEN, OURS, Town
from tests.channels.host import FakeHost
from tests.services import require


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    require("dovecot")
    require("postfix")
    town = Town()
    try:
        yield town
    finally:
        await town.stop()


def channel_of(town: Town, **changes: object) -> EmailChannel:
    account = settings(**{"imap_url": town.dovecot.url, "smtp_url": town.postfix.url} | changes)
    return EmailChannel("email", account, FakeHost())


async def next_message(channel: EmailChannel, cursor: str = "") -> tuple[InboundMessage, str]:
    """The next mail of the mailbox, and the cursor behind it."""
    (source,) = channel.sources()
    try:
        async with asyncio.timeout(60):
            while not (fetched := await source.fetch(cursor)).items:
                cursor = fetched.cursor
    finally:
        await source.close()
    (message,) = fetched.items
    assert isinstance(message, InboundMessage)
    return message, fetched.cursor


def answer(message: InboundMessage) -> OutboundMessage:
    return OutboundMessage(
        delivery="d-1",
        to=message.sender.address,
        text="Nomor laporan Anda: 482 913 7065",
        subject=message.subject,
        number="4829137065",
        thread=Thread(replies_to=(message.provider_id or "",)),
    )


async def test_a_mail_is_read_and_its_answer_reaches_the_citizen(town: Town) -> None:
    await town.start()
    channel = channel_of(town)
    await town.post(written(CITIZEN, OURS, "Jalan rusak — 🚧", "Jalan rusak"))
    message, _ = await next_message(channel)
    assert (message.sender.address, message.text, message.automated) == (CITIZEN, "Jalan rusak — 🚧", "")
    await channel.send(answer(message))
    await town.citizens.arrived.wait()
    (heard,) = town.citizens.delivered
    assert (heard.sender, heard.to, heard.text) == (OURS, [CITIZEN], "Nomor laporan Anda: 482 913 7065\n")
    assert heard.headers["Subject"] == "Re: Jalan rusak [482 913 7065]"
    assert heard.headers["In-Reply-To"] == message.provider_id
    assert heard.headers["Message-ID"] == "<lapor.d-1@example.go.id>"
    assert await channel.probe() == "IMAP and SMTP serve us"
    await channel.close()


async def test_an_answer_that_bounces_comes_back_as_a_receipt(town: Town) -> None:
    await town.start()
    town.citizens.answers["rcpt"] = "550 5.1.1 nobody of that name"
    channel = channel_of(town)
    await town.post(written(CITIZEN, OURS, "Jalan rusak"))
    message, cursor = await next_message(channel)
    await channel.send(answer(message))
    bounce, _ = await next_message(channel, cursor)
    assert bounce.kind == "receipt"
    assert bounce.receipt is not None
    assert (bounce.receipt.outcome, bounce.receipt.delivery, bounce.receipt.code) == ("failed", "d-1", "5.1.1")
    await channel.close()


async def test_what_the_listener_could_not_keep_is_handed_over_again(town: Town) -> None:
    port = free_ports(1)[0]
    await town.start(listen=port)
    taken: list[Item] = []
    refusals = 2

    async def take(items: Sequence[Item]) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise RetryLater("the log is away", reason="log_away")
        taken.extend(items)
        done.set()

    done = asyncio.Event()
    channel = channel_of(town, imap_url=None, listen=f"127.0.0.1:{port}", protocol="lmtp")
    listener = channel.listener(take)
    assert listener is not None
    mail = written(CITIZEN, OURS, "Jalan rusak", "Jalan rusak")
    await town.post(mail)  # nobody listens yet: Postfix keeps it
    await listener.start()
    async with asyncio.timeout(60):
        await done.wait()
    await listener.stop()
    (message,) = taken
    assert isinstance(message, InboundMessage)
    assert (message.sender.address, message.text, refusals) == (CITIZEN, "Jalan rusak", 0)
    assert message.raw.endswith(mail)  # behind what Postfix wrote in front
    await channel.close()


async def test_a_wrong_password_is_refused(town: Town) -> None:
    await town.start()
    channel = channel_of(town, smtp_url=town.postfix.url.replace("0ther-pa55", "salah"))
    with pytest.raises(Misconfigured) as caught:
        await channel.send(OutboundMessage(delivery="d-1", to=CITIZEN, text="Halo"))
    assert caught.value.reason == "credentials"
    await channel.close()
