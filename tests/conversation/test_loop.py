"""Two gateways that mail each other stop after one answer each."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from channels.base import OutboundMessage, Thread
from channels.email.identities import our_message_id
from channels.email.mail import Reading, read_mail
from channels.email.outbound import compose
from gateway.store.tables import messages, outbox
from normalizer.event import ComplaintEvent
from tests.conversation.stage import NOON, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS, THEIRS = "lapor@satu.example.go.id", "lapor@dua.example.go.id"


async def answer(stage: Stage, mail: bytes, own: str, minute: int) -> bytes | None:
    """What the gateway of an address answers to a mail, as it goes out; ``None`` where it keeps quiet."""
    now = NOON + timedelta(minutes=minute)
    message = read_mail(mail, Reading(own_addresses=frozenset({own}), received_at=now))
    event: ComplaintEvent = stage.normalizer("email", f"email of {own}").event(message, now)
    await stage.take([event])
    assert await stage.rows(messages, messages.c.event_id, event.id)
    replies = await stage.rows(outbox, outbox.c.event_id, event.id)
    if not replies:
        return None
    (reply,) = replies
    out = OutboundMessage(
        delivery=reply.id,
        to=reply.address,
        text=reply.text,
        subject=reply.subject,
        thread=msgspec.json.decode(reply.thread, type=Thread),
        number=reply.case_number or "",
        purpose=reply.template,
    )
    domain = own.partition("@")[2]
    return compose(out, address=own, from_name="LAPOR", message_id=our_message_id(reply.id, domain), at=now)


async def test_each_answers_once_at_most(stage: Stage) -> None:
    """It begins with a mail that somebody wrote to one of them in the other's name."""
    forged = f"From: {THEIRS}\r\nTo: {OURS}\r\nSubject: Jalan rusak\r\nMessage-ID: <x@y>\r\n\r\nJalan Merdeka rusak\r\n"
    sent = [forged.encode()]
    for minute, own in enumerate((OURS, THEIRS, OURS, THEIRS)):
        mail = await answer(stage, sent[-1], own, minute)
        if mail is None:
            break
        sent.append(mail)
    assert len(sent) == 2, "the forged mail and the one answer to it"
