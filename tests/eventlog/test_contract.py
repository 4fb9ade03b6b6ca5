"""The contract of gateway/eventlog/base.py, over every log there is."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.eventlog.base import EventLog, LogUnavailable, Record
from tests.eventlog.backends import Backend, by_key, child, fetch, first_times, read, record, values

LARGE = 900 * 1024


async def test_what_is_appended_comes_back_whole(log: EventLog, backend: Backend) -> None:
    sent = Record(backend.topic, b"k\x00\xff", b'{"text":"jalan rusak"}', (("ce_id", b"1"), ("content-type", b"a/b")))
    before = time.time()
    await log.append([sent])
    (taken,) = await fetch(log.consumer("g-whole", [backend.topic]), 1)
    assert taken.record == sent
    assert taken.offset == 0
    assert abs(taken.appended_at - before) < 60


async def test_records_of_one_append_keep_their_order(log: EventLog, backend: Backend) -> None:
    await log.append([record(backend.topic, "k", n) for n in range(300)])
    taken = await fetch(log.consumer("g-one", [backend.topic]), 300)
    assert values(taken) == [str(n) for n in range(300)]
    assert [one.offset for one in taken] == sorted(one.offset for one in taken)


async def test_appends_awaited_together_keep_the_order_of_each_key(log: EventLog, backend: Backend) -> None:
    sent = [(f"k{n % 7}", n) for n in range(700)]
    await asyncio.gather(*(log.append([record(backend.topic, key, n)]) for key, n in sent))
    found = by_key(await fetch(log.consumer("g-keys", [backend.topic]), 700))
    assert found == {f"k{k}": [str(n) for n in range(k, 700, 7)] for k in range(7)}


async def test_an_append_of_nothing_returns(log: EventLog) -> None:
    await log.append([])


async def test_one_append_may_reach_several_topics(log: EventLog, backend: Backend) -> None:
    first, second = backend.topics
    await log.append([record(first, "k", "a"), record(second, "k", "b"), record(first, "k", "c")])
    taken = await fetch(log.consumer("g-topics", [first, second]), 3)
    assert {
        t: [v for one, v in zip(taken, values(taken), strict=True) if one.record.topic == t] for t in (first, second)
    } == {
        first: ["a", "c"],
        second: ["b"],
    }


async def test_a_topic_that_is_not_asked_for_is_not_given(log: EventLog, backend: Backend) -> None:
    first, second = backend.topics
    await log.append([record(second, "k", "not this"), record(first, "k", "this")])
    consumer = log.consumer("g-first", [first])
    assert values(await fetch(consumer, 1)) == ["this"]
    assert not await consumer.fetch(limit=10, timeout=0.2)


async def test_a_large_record_passes(log: EventLog, backend: Backend) -> None:
    sent = Record(backend.topic, b"k", b"x" * LARGE)
    await asyncio.gather(*(log.append([sent]) for _ in range(3)))
    taken = await fetch(log.consumer("g-large", [backend.topic]), 3)
    assert [one.record == sent for one in taken] == [True] * 3


async def test_a_fetch_gives_no_more_than_asked_for(log: EventLog, backend: Backend) -> None:
    await log.append([record(backend.topic, n, n) for n in range(50)])
    consumer = log.consumer("g-limit", [backend.topic])
    sizes: list[int] = []
    while sum(sizes) < 50:
        sizes.append(len(await consumer.fetch(limit=7, timeout=5.0)))
    assert max(sizes) <= 7
    assert sum(sizes) == 50


async def test_a_fetch_wakes_when_something_is_appended(log: EventLog, backend: Backend) -> None:
    consumer = log.consumer("g-wake", [backend.topic])
    assert not await consumer.fetch(limit=1, timeout=0.4)
    waiting = asyncio.create_task(fetch(consumer, 1))
    await asyncio.sleep(0)
    await log.append([record(backend.topic, "k", "here")])
    assert values(await waiting) == ["here"]


async def test_what_another_process_appends_is_found(log: EventLog, backend: Backend) -> None:
    consumer = log.consumer("g-other", [backend.topic])
    waiting = asyncio.create_task(fetch(consumer, 1))
    async with backend.open() as other:
        await other.append([record(backend.topic, "k", "from there")])
        assert values(await waiting) == ["from there"]


async def test_every_group_gets_everything(log: EventLog, backend: Backend) -> None:
    await log.append([record(backend.topic, "k", n) for n in range(5)])
    for group in ("g-a", "g-b"):
        consumer = log.consumer(group, [backend.topic])
        assert values(await fetch(consumer, 5)) == ["0", "1", "2", "3", "4"]
        await consumer.close()


async def test_what_is_not_committed_comes_again(log: EventLog, backend: Backend) -> None:
    await log.append([record(backend.topic, "k", n) for n in range(10)])
    first = log.consumer("g-again", [backend.topic])
    assert values(await fetch(first, 4, limit=4)) == ["0", "1", "2", "3"]
    assert values(await fetch(first, 4, limit=4, commit=False)) == ["4", "5", "6", "7"]
    await first.close()
    second = log.consumer("g-again", [backend.topic])
    assert values(await fetch(second, 6)) == ["4", "5", "6", "7", "8", "9"]


async def test_a_commit_covers_all_that_was_fetched_and_can_be_repeated(log: EventLog, backend: Backend) -> None:
    await log.append([record(backend.topic, "k", n) for n in range(6)])
    first = log.consumer("g-commit", [backend.topic])
    await first.commit()
    await fetch(first, 2, limit=2, commit=False)
    await fetch(first, 2, limit=2, commit=False)
    await first.commit()
    await first.commit()
    await first.close()
    second = log.consumer("g-commit", [backend.topic])
    assert values(await fetch(second, 2)) == ["4", "5"]


async def test_lag_is_what_is_not_committed(log: EventLog, backend: Backend) -> None:
    await log.append([record(backend.topic, "k", n) for n in range(10)])
    consumer = log.consumer("g-lag", [backend.topic])
    await fetch(consumer, 4, limit=4, commit=False)
    assert await consumer.lag() == 10
    await consumer.commit()
    assert await consumer.lag() == 6
    await fetch(consumer, 6)
    assert await consumer.lag() == 0


async def test_a_log_says_whether_it_is_ready(backend: Backend) -> None:
    log = backend.make()
    await log.start()
    assert log.ready() == (True, "")
    await log.close()
    assert log.ready()[0] is False


async def test_a_closed_log_takes_nothing(backend: Backend) -> None:
    log = backend.make()
    await log.start()
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.append([record(backend.topic, "k", "late")])


async def test_closing_finishes_the_appends_under_way(backend: Backend) -> None:
    log = backend.make()
    await log.start()
    appends = [asyncio.create_task(log.append([record(backend.topic, n % 5, n)])) for n in range(100)]
    await asyncio.sleep(0)
    await log.close()
    await asyncio.gather(*appends)
    async with backend.open() as again:
        assert len(await read(again, [backend.topic], count=100)) == 100


async def test_kill_9_right_after_an_append_loses_nothing(backend: Backend) -> None:
    async with child("append", backend, "a") as other:
        await other.until(200)
        acknowledged = await other.kill()
    async with backend.open() as log:
        found = by_key(await read(log, [backend.topic], until=set(acknowledged)))
    for said in found.values():
        assert first_times(said) == [f"{said[0].rpartition('-')[0]}-{n}" for n in range(len(first_times(said)))]


async def test_kill_9_of_a_consumer_gives_its_records_to_the_next(grouped: Backend) -> None:
    async with grouped.open() as log:
        await log.append([record(grouped.topic, n % 5, n) for n in range(50)])
        async with child("consume", grouped, "g-killed") as other:
            fetched = set(await other.until(20))
            await other.kill()
        taken = await fetch(log.consumer("g-killed", [grouped.topic]), 50)
    assert sorted(values(taken), key=int) == [str(n) for n in range(50)]
    assert fetched <= set(values(taken))


async def test_a_member_takes_over_when_another_leaves(grouped: Backend) -> None:
    async with grouped.open() as log, grouped.open() as other:
        first = log.consumer("g-over", [grouped.topic])
        second = other.consumer("g-over", [grouped.topic])
        await log.append([record(grouped.topic, n % 5, n) for n in range(30)])
        seen = values(await fetch(first, 1, limit=5))
        await first.close()
        while len(seen) < 30:
            seen += values(await fetch(second, 1))
        assert sorted(seen, key=int) == [str(n) for n in range(30)]


async def test_two_members_share_the_work_and_lose_nothing(grouped: Backend) -> None:
    """Members come and go while records come in; each record is committed by somebody, in the order of its key."""
    total = 400
    taken: list[str] = []
    done = asyncio.Event()

    async def member(log: EventLog, rounds: int) -> None:
        consumer = log.consumer("g-shared", [grouped.topic])
        while rounds and not done.is_set():
            batch = await consumer.fetch(limit=10, timeout=0.2)
            taken.extend(values(batch))
            if len(set(taken)) == total:
                done.set()
            await consumer.commit()
            rounds -= 1
        await consumer.close()

    async def appender(log: EventLog) -> None:
        for start in range(0, total, 20):
            await log.append([record(grouped.topic, n % 10, n) for n in range(start, start + 20)])
            await asyncio.sleep(0.02)

    async with grouped.open() as log, grouped.open() as other, asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(appender(log))
        tasks.create_task(member(log, -1))
        for _ in range(2):
            await member(other, 5)
    assert set(taken) == {str(n) for n in range(total)}
    for key in range(10):
        said = first_times([value for value in taken if int(value) % 10 == key])
        assert said == [str(n) for n in range(key, total, 10)]
