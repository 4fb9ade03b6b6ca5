"""Senders over both stores, against the SMS stand-in: what the provider got, and what the store says of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiolimiter import AsyncLimiter
from pydantic import SecretStr
from sqlalchemy import update

from channels.base import OutboundMessage, Sent
from channels.errors import RetryLater
from channels.sms.standin import Fault
from gateway.delivery.breaker import State
from gateway.delivery.queue import DUE_CHANNELS, Outcome, Settlement
from gateway.dispatcher.facts import CaseFacts
from gateway.dispatcher.outgoing import PRIVATELY
from gateway.health.others import Others
from gateway.store.engine import Store
from gateway.store.tables import cases, dead_letters, deliveries, outbox, publications
from tests.delivery.yard import PATIENCE, Yard, standing
from tests.dispatcher import make


@pytest.fixture
async def yard(store: Store) -> AsyncIterator[Yard]:
    async with standing(store) as yard:
        yield yard


async def test_replies_reach_the_provider_once_each(yard: Yard) -> None:
    ids = await yard.write(50)
    async with yard.running(yard.sender()):
        await yard.until("sent")
    assert sorted(m.delivery for m in yard.standin.sent) == sorted(ids)
    assert {m.to for m in yard.standin.sent} == {f"+62812{n:08}" for n in range(50)}
    assert yard.count("replies_sent_total") == 50
    assert yard.count("reply_latency_seconds_count") == 50
    assert [d.outcome for d in await yard.rows(deliveries)] == ["sent"] * 50
    told = [msgspec.json.decode(p.value) for p in await yard.rows(publications)]
    assert {(t["outcome"], t["number"]) for t in told} == {("sent", "4829137065")}


async def test_two_deliverers_never_send_the_same_row(yard: Yard) -> None:
    ids = await yard.write(200)
    async with yard.running(yard.sender("one"), yard.sender("two"), yard.sender("three")):
        await yard.until("sent")
    assert sorted(m.delivery for m in yard.standin.sent) == sorted(ids)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=500, times=3),
        Fault(kind="status", status=503, retry_after=0.1, times=2),
        Fault(kind="status", status=429, times=2),
        Fault(kind="reset", times=3),
    ],
    ids=lambda f: f"{f.kind} {f.status}",
)
async def test_a_provider_that_fails_for_a_while_is_tried_again(yard: Yard, fault: Fault) -> None:
    yard.standin.fault = msgspec.structs.replace(fault)  # it counts down
    await yard.write(3)
    async with yard.running(yard.sender()):
        await yard.until("sent")
    assert sorted(m.to for m in yard.standin.sent) == [f"+62812{n:08}" for n in range(3)]
    assert sum(d.outcome == "retry" for d in await yard.rows(deliveries)) >= 2


async def test_an_answer_that_never_came_is_tried_again_and_counted(yard: Yard) -> None:
    yard.standin.fault = Fault(kind="hang", taken=True, times=1)
    await yard.write(1)
    async with yard.running(yard.sender()):
        await yard.until("sent")
    assert len(yard.standin.sent) == 2
    assert yard.count("replies_maybe_doubled_total") == 1
    assert yard.count("replies_failed_total", reason="timeout") == 1


async def test_refused_credentials_take_the_channel_down_and_its_replies_wait(yard: Yard) -> None:
    await yard.write(3)
    sender = yard.sender(password=SecretStr("wrong"))
    async with yard.running(sender):
        async with asyncio.timeout(PATIENCE):
            while not sender.credentials_refused:
                await asyncio.sleep(0.01)
        assert sender.breaker.state is not State.CLOSED
    assert [(r.state, r.attempts) for r in await yard.rows()] == [("waiting", 0)] * 3
    assert yard.standin.sent == []
    yard.delivery = yard.delivery.model_copy(update={"breaker_probe": 0.1})
    async with yard.running(yard.sender()):
        await yard.until("sent")


async def test_only_a_refusal_of_this_recipient_is_permanent(yard: Yard) -> None:
    await yard.write(3)
    async with yard.store.write() as connection:
        await connection.execute(update(outbox).where(outbox.c.id == f"{1:032x}").values(address="TELKOMSEL"))
    async with yard.running(yard.sender()):
        await yard.until("sent", "failed")
    assert sorted(r.state for r in await yard.rows()) == ["failed", "sent", "sent"]
    (letter,) = await yard.rows(dead_letters)
    assert (letter.stage, letter.reason, letter.reference) == ("deliver", "refused", f"{1:032x}")


async def test_a_private_message_beside_a_public_reply_that_is_refused_needs_nobody(yard: Yard) -> None:
    """A bot that the citizen never started, direct messages that are closed: it is told downstream, and that is all."""
    await yard.write(1, address="TELKOMSEL", template=f"status{PRIVATELY}")
    async with yard.running(yard.sender()):
        await yard.until("failed")
    assert await yard.rows(dead_letters) == []
    assert not yard.metrics.registry.get_sample_value("lapor_gateway_dead_letters_total", {"stage": "deliver"})


async def test_a_used_up_quota_of_one_way_leaves_the_channel_open(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """X lets an account write 15 direct messages in a quarter of an hour: more of them must not stop its posts."""
    await yard.write(12)
    sender = yard.sender()
    honest = sender.channel.send

    async def used_up(message: OutboundMessage) -> Sent:
        if message.to < "+6281200000010":
            raise RetryLater("no more", reason="quota", retry_after=600.0)
        return await honest(message)

    monkeypatch.setattr(sender.channel, "send", used_up)
    async with yard.running(sender), asyncio.timeout(PATIENCE):
        while sum(row.state == "sent" for row in await yard.rows()) < 2:
            await asyncio.sleep(0.01)
        assert sender.breaker.state is State.CLOSED
    assert len(yard.standin.sent) == 2


async def test_downstream_hears_of_a_reply_that_will_not_come(yard: Yard) -> None:
    (reply,) = await yard.write(1)
    case = {name: getattr(make.case(), name) for name in CaseFacts.__struct_fields__}
    async with yard.store.write() as connection:
        await connection.execute(cases.insert(), [case | {"state": "answered"}])
        await connection.execute(update(outbox).values(address="TELKOMSEL"))
    async with yard.running(yard.sender()):
        await yard.until("failed")
    told = {p.topic: msgspec.json.decode(p.value) for p in await yard.rows(publications)}
    heard = told["lapor.cases.v1"]
    assert (heard["number"], heard["change"], heard["state"]) == ("4829137065", "reply_failed", "answered")
    assert heard["reason"] == told["lapor.deliveries.v1"]["reason"]
    assert told["lapor.deliveries.v1"]["delivery"] == reply


async def test_a_conversation_that_is_slowed_down_holds_up_no_other(yard: Yard) -> None:
    ids = await yard.write(6)
    sender = yard.sender()
    send = sender.channel.send

    async def slowed(message: OutboundMessage) -> Sent:
        if message.delivery in ids[:4]:
            raise RetryLater("not so fast in this chat", reason="throttled", retry_after=600)
        return await send(message)

    sender.channel.send = slowed  # type: ignore[method-assign]
    async with yard.running(sender):
        async with asyncio.timeout(PATIENCE):
            while len(yard.standin.sent) < 2 or not all(row.attempts for row in await yard.rows()):
                await asyncio.sleep(0.01)
        assert sender.breaker.state is State.CLOSED
    assert {m.delivery for m in yard.standin.sent} == set(ids[4:])


async def test_a_day_of_failures_ends_in_the_dead_letters(yard: Yard) -> None:
    yard.standin.fault = Fault(kind="status", status=500)
    await yard.write(1, created_at=time.time() - 86400)
    async with yard.running(yard.sender()):
        await yard.until("dead")
    (letter,) = await yard.rows(dead_letters)
    assert (letter.stage, letter.reason) == ("deliver", "gave_up")
    assert "http_500" in letter.detail


async def test_what_a_dead_process_had_leased_is_sent_when_its_lease_is_over_and_counted(yard: Yard) -> None:
    await yard.write(1, owner="a dead process", attempts=1)
    async with yard.running(yard.sender()):
        await yard.until("sent")
    assert yard.count("replies_maybe_doubled_total") == 1


@pytest.mark.parametrize("outcome", ["held", "retry"])
async def test_a_doubt_stays_until_the_reply_is_settled(yard: Yard, outcome: Outcome) -> None:
    """Whether the dead process's attempt got through is not told by a later one that failed, or was never made."""
    await yard.write(1, owner="a dead process", attempts=1)
    queue = yard.sender()._queue
    for _ in range(2):
        (leased,) = await queue.lease(1, 60.0)
        assert leased.doubtful
        await queue.settle([Settlement(leased, outcome, time.time())], [], [])


async def test_a_reply_written_by_a_clock_that_is_ahead_does_not_wait_for_ours(yard: Yard) -> None:
    await yard.write(1, due_at=time.time() + 600)
    async with yard.running(yard.sender()):
        await yard.until("sent")


async def test_another_process_s_lease_is_left_alone(yard: Yard) -> None:
    await yard.write(1, owner="another process", due_at=time.time() + 3600)
    sender = yard.sender()
    assert await sender._lease() == 0
    assert (await yard.rows())[0].owner == "another process"


async def test_a_lease_that_ran_out_before_the_send_is_given_back(yard: Yard) -> None:
    """A process paused for longer than its lease must not send when it wakes."""
    yard.delivery = yard.delivery.model_copy(update={"lease": 0.3, "timeout": 0.25})
    await yard.write(3)
    sender = yard.sender(max_per_second=5.0)
    honest = sender._queue.lease

    async def slow(limit: int, seconds: float) -> Any:
        rows = await honest(limit, seconds)
        time.sleep(0.1)  # noqa: ASYNC251 - the whole process stands still, as under SIGSTOP
        return rows

    sender._queue.lease = slow  # type: ignore[method-assign]
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(PATIENCE):
        while not any(r.attempts == 0 and r.owner is None and r.due_at > 0 for r in await yard.rows()):
            await asyncio.sleep(0.01)
    sender.stop()
    await task
    assert yard.standin.sent == []
    assert {r.state for r in await yard.rows()} == {"waiting"}


@pytest.mark.parametrize(
    ("whole", "deliverers", "rate"), [(30.0, 1, 30.0), (30.0, 3, 10.0), (1.0, 4, 0.25), (None, 2, None)]
)
def test_the_channel_s_rate_is_shared_by_the_processes_that_send(
    yard: Yard, whole: float | None, deliverers: int, rate: float | None
) -> None:
    assert yard.sender(max_per_second=whole, others=Others(deliverers)).rate == rate


async def test_a_sender_takes_another_share_when_processes_come_and_go(yard: Yard) -> None:
    others = Others()
    sender = yard.sender(max_per_second=8.0, others=others)
    rates = []
    for deliverers in (2, 4, 1):
        others.deliverers = deliverers
        await sender._lease()
        assert isinstance(sender._limiter, AsyncLimiter)
        rates.append((sender.rate, sender._limiter.max_rate / sender._limiter.time_period))
    assert rates == [(4.0, 4.0), (2.0, 2.0), (8.0, 8.0)]


async def test_a_rate_far_below_what_may_be_in_flight_wastes_no_turn(yard: Yard) -> None:
    """What waits for its turn longer than its lease gives the turn away; so nothing is leased before its turn."""
    yard.delivery = yard.delivery.model_copy(update={"lease": 1.1, "timeout": 1.0})
    await yard.write(40)
    async with yard.running(yard.sender(max_per_second=20.0, max_in_flight=40)), asyncio.timeout(PATIENCE):
        while {r.state for r in await yard.rows()} != {"sent"}:
            await asyncio.sleep(0.05)
    assert {r.attempts for r in await yard.rows()} == {1}


async def test_one_look_tells_which_channels_have_a_reply_that_is_due(yard: Yard) -> None:
    await yard.write(2)
    assert await _due(yard.store) == ["sms"]
    async with yard.store.write() as connection:
        await connection.execute(update(outbox).values(due_at=time.time() + 60))
    assert await _due(yard.store) == []


async def _due(store: Store) -> list[str]:
    async with store.read() as connection:
        return list((await connection.execute(DUE_CHANNELS, {"channels": ["other", "sms", "third"]})).scalars())


async def test_what_is_in_flight_is_bounded(yard: Yard) -> None:
    yard.standin.fault = Fault(kind="hang")
    await yard.write(20)
    sender = yard.sender(max_in_flight=4)
    async with yard.running(sender), asyncio.timeout(PATIENCE):
        while sum(r.owner is not None for r in await yard.rows()) == 0:
            await asyncio.sleep(0.01)
        assert sum(r.owner is not None for r in await yard.rows()) <= 4


async def test_stopping_finishes_what_is_in_flight(yard: Yard) -> None:
    yard.standin.fault = Fault(kind="slow", delay=0.2)
    await yard.write(4)
    sender = yard.sender()
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(PATIENCE):
        while sum(r.owner is not None for r in await yard.rows()) == 0:
            await asyncio.sleep(0.01)
    sender.stop()
    await task
    rows = await yard.rows()
    assert sum(r.state == "sent" for r in rows) == len(yard.standin.sent) > 0
    assert all(r.owner is None for r in rows)
