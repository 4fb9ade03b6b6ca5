"""Every channel type, whole gateways, the provider's stand-in: one complaint, one reply; killed while reading, none lost."""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels import registry
from channels.errors import ChannelError
from channels.standin import StandInServer
from gateway.store.tables import cases, messages, outbox
from normalizer import tracking
from tests.channels.kit import Kit, plain
from tests.e2e.conftest import PATIENCE, Site
from tests.e2e.ways import PULLED, WAYS, Way

CITIZENS = 24
KILLS = 3
COMPLAINT = "Jembatan Desa Sukamaju ambruk, mohon segera diperbaiki"
_NUMBER = re.compile(r"\b\d{3} \d{3} \d{4}\b")


class Played:
    """One channel of a site, its provider played by the stand-in."""

    def __init__(self, site: Site, kit: Kit, standin: StandInServer[Any]) -> None:
        self.site = site
        self.kit = kit
        self.standin = standin

    async def say(self, citizen: int, text: str) -> None:
        """Write as a citizen; where the gateway has to be called, until it says yes, as a provider does."""
        url = f"http://127.0.0.1:{self.site.port}/webhooks/{self.kit.type}"
        sent = False
        while not sent:
            try:
                sent = (await self.standin.text(url, self.kit.citizen(citizen), text)).status < 300
            except ChannelError:
                await asyncio.sleep(0.05)


@pytest.fixture(params=WAYS, ids=str)
async def played(request: pytest.FixtureRequest, site: Site) -> AsyncIterator[Played]:
    way: Way = request.param
    kit, wanted = way.kit, {**way.kit.settings, **way.changes}
    settings = registry.spec(kit.type).settings.model_validate(wanted)
    module = importlib.import_module(f"channels.{kit.type}.standin")
    async with module.StandIn(settings) as standin:
        table = {**wanted, **{name: plain(value) for name, value in standin.overrides(settings).items()}}
        if "poll_seconds" in type(settings).model_fields:
            table["poll_seconds"] = 1
        site.channels = {kit.type: table}
        yield Played(site, kit, standin)
        await site.stop()


async def test_one_complaint_gets_one_reply_with_its_number(played: Played) -> None:
    site = played.site
    await site.start()
    await played.say(1, COMPLAINT)
    [reply] = await played.standin.wait_for(lambda sent: len(sent) >= 1, timeout=PATIENCE)
    number = _NUMBER.search(reply.text)
    assert number, reply.text
    digits = number[0].replace(" ", "")
    assert tracking.valid(digits)
    assert reply.to == played.kit.citizen(1)
    [row] = await site.until(outbox, lambda rows: bool(rows) and all(r.state == "sent" for r in rows))
    assert (row.case_number, row.template) == (digits, "acknowledgement")
    [heard] = await site.rows(messages)
    assert json.loads(row.thread)["replies_to"][0] == heard.provider_id
    assert [case.number for case in await site.rows(cases)] == [digits]
    assert len(played.standin.sent) == 1


@pytest.mark.parametrize("played", PULLED, ids=str, indirect=True)
async def test_killed_while_messages_come_none_is_lost_or_doubled(played: Played) -> None:
    """What is called, and more of it, is killed in the test of SMS."""
    site = played.site
    await site.start()
    chance = random.Random(1708)
    waiting = list(range(CITIZENS))

    async def citizens() -> None:
        while waiting:
            await played.say(n := waiting.pop(), f"{COMPLAINT}, laporan warga ke {n}")

    async with asyncio.timeout(PATIENCE * 2):
        speaking = [asyncio.create_task(citizens()) for _ in range(3)]
        for _ in range(KILLS):
            seen = len(played.standin.sent)
            await asyncio.wait(
                [asyncio.create_task(played.standin.wait_for(lambda sent, n=seen: len(sent) > n, timeout=2.0))]  # type: ignore[misc]
            )
            victim = site.processes[chance.choice(site.roles)]
            await victim.kill()
            await victim.start()
        await asyncio.gather(*speaking)
        everyone = {played.kit.citizen(n) for n in range(CITIZENS)}
        await played.standin.wait_for(lambda sent: {m.to for m in sent} == everyone, timeout=PATIENCE)
    await site.until(outbox, lambda rows: all(r.state == "sent" for r in rows))
    assert len(await site.rows(cases)) == CITIZENS
    assert len(await site.rows(messages)) == CITIZENS
    replies = Counter(message.to for message in played.standin.sent)
    assert sum(replies.values()) - CITIZENS <= KILLS * site_slots(played)


def site_slots(played: Played) -> int:
    """Replies in flight at a kill, at most."""
    return registry.spec(played.kit.type).limits.max_in_flight
