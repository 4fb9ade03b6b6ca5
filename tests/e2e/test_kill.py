"""Promises 1 to 3 under SIGKILL: 500 texts while the gateway is killed 20 times at random."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import aiohttp

from channels.sms.standin import StandIn
from gateway.store.tables import cases, messages, outbox
from tests.e2e.conftest import Site
from tests.inside import TOKEN

TEXTS = 500
KILLS = 20
SENDERS_AT_ONCE = 8
PATIENCE = 240.0


async def text_until_heard(http: aiohttp.ClientSession, site: Site, n: int) -> None:
    """What a telco does: the same message again until it hears yes."""
    fields = {"token": TOKEN, "from": f"+62812{n:08}", "to": "1708", "text": f"laporan nomor {n}", "id": f"m-{n}"}
    while True:
        try:
            async with http.post(site.webhook, data=fields) as answer:
                if answer.status == 200:
                    return
                assert answer.status == 503, await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        await asyncio.sleep(0.02)


async def test_500_texts_and_20_kills(site: Site, standin: StandIn) -> None:
    site.channel.update(standin.overrides(standin.accounts[0]))
    await site.start()
    chance = random.Random(1708)
    heard = 0
    progress = asyncio.Condition()
    queue = asyncio.Queue[int]()
    for n in range(TEXTS):
        queue.put_nowait(n)

    async def citizen(http: aiohttp.ClientSession) -> None:
        nonlocal heard
        while not queue.empty():
            await text_until_heard(http, site, queue.get_nowait())
            async with progress:
                heard += 1
                progress.notify_all()

    in_flight = 0
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        citizens = [asyncio.create_task(citizen(http)) for _ in range(SENDERS_AT_ONCE)]
        for kill in range(KILLS):
            threshold = (kill + 1) * TEXTS // (KILLS + 2) + chance.randrange(10)
            async with progress:
                await progress.wait_for(lambda at=threshold: heard >= at)  # type: ignore[misc]
            victim = site.processes[chance.choice(site.roles)]
            await victim.kill()
            in_flight += sum(r.owner is not None and r.state == "waiting" for r in await site.rows(outbox))
            await victim.start()
        await asyncio.gather(*citizens)
        sent = await standin.wait_for(lambda all_: len({m.to for m in all_}) == TEXTS, timeout=PATIENCE)
    await site.until(outbox, lambda rows: all(r.state == "sent" for r in rows))

    events = await site.events(TEXTS)
    assert len({event.id for event in events}) == TEXTS
    assert len([row for row in await site.rows(messages) if row.kind == "message"]) == TEXTS
    opened = await site.rows(cases)
    assert len(opened) == len({case.number for case in opened}) == TEXTS
    replies = Counter(message.to for message in sent)
    assert len(replies) == TEXTS
    assert len({message.delivery for message in sent}) == TEXTS
    doubled = sum(replies.values()) - TEXTS
    assert doubled <= in_flight, f"{doubled} replies doubled, {in_flight} were in flight at a kill"
