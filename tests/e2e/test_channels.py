"""Every channel type, whole gateways, the provider's stand-in: one complaint, one reply; killed while reading, none lost.

One site has all ways in at once, as a gateway in the field has; what is expected holds for each of them by itself.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from channels import registry
from channels.errors import ChannelError
from channels.standin import StandInServer
from gateway.store.tables import cases, messages, outbox
from normalizer import tracking
from tests.channels.kit import plain
from tests.e2e.conftest import PATIENCE, Site
from tests.e2e.ways import PULLED, WAYS, Way

CITIZENS = 24
KILLS = 3
COMPLAINT = "Jembatan Desa Sukamaju ambruk, mohon segera diperbaiki"
_NUMBER = re.compile(r"\b\d{3} \d{3} \d{4}\b")


class Played:
    """One way in of a site, its provider played by the stand-in; ``table`` are the channel's settings."""

    def __init__(self, site: Site, way: Way, standin: StandInServer[Any], table: dict[str, Any], first: int) -> None:
        self.site = site
        self.name = str(way)
        self.type = way.kit.type
        self.standin = standin
        self.table = table
        self._kit = way.kit
        self._first = first

    def citizen(self, n: int) -> str:
        """The address of the ``n``-th citizen, who writes nowhere else."""
        return self._kit.citizen(self._first + n)

    async def say(self, citizen: int, text: str) -> None:
        """Write as a citizen; where the gateway has to be called, until it says yes, as a provider does."""
        url = f"http://127.0.0.1:{self.site.port}/webhooks/{self.name}"
        sent = False
        while not sent:
            try:
                sent = (await self.standin.text(url, self.citizen(citizen), text)).status < 300
            except ChannelError:
                await asyncio.sleep(0.05)

    async def answered_again(self) -> None:
        """Wait for a reply more, or for a while without."""
        before = len(self.standin.sent)
        with suppress(TimeoutError):
            await self.standin.wait_for(lambda sent: len(sent) > before, timeout=2.0)

    async def rows(self, table: Any) -> list[Any]:
        """The rows of a table that are this channel's."""
        return [row for row in await self.site.rows(table) if row.channel == self.name]


@asynccontextmanager
async def played(site: Site, ways: Sequence[Way]) -> AsyncIterator[list[Played]]:
    """The site, started, with these ways in."""
    async with AsyncExitStack() as stack:
        playing = []
        for at, way in enumerate(ways):
            wanted = {**way.kit.settings, **way.changes}
            settings = registry.spec(way.kit.type).settings.model_validate(wanted)
            module = importlib.import_module(f"channels.{way.kit.type}.standin")
            standin = await stack.enter_async_context(module.StandIn(settings))
            table = {**wanted, **{name: plain(value) for name, value in standin.overrides(settings).items()}}
            if "poll_seconds" in type(settings).model_fields:
                table["poll_seconds"] = 1
            playing.append(Played(site, way, standin, table, at * CITIZENS))
        site.channels = {one.name: one.table for one in playing}
        stack.push_async_callback(site.stop)
        await site.start()
        yield playing


async def test_one_complaint_gets_one_reply_with_its_number(site: Site) -> None:
    async with played(site, WAYS) as playing:
        await asyncio.gather(*(one.say(1, COMPLAINT) for one in playing))
        for one in playing:
            await one.standin.wait_for(lambda sent: len(sent) >= 1, timeout=PATIENCE)
        await site.until(outbox, lambda rows: len(rows) >= len(WAYS) and all(r.state == "sent" for r in rows))
        for one in playing:
            [reply] = one.standin.sent
            number = _NUMBER.search(reply.text)
            assert number, (one.name, reply.text)
            digits = number[0].replace(" ", "")
            assert tracking.valid(digits)
            assert reply.to == one.citizen(1)
            [row] = await one.rows(outbox)
            assert (row.case_number, row.template) == (digits, "acknowledgement")
            [heard] = await one.rows(messages)
            assert json.loads(row.thread)["replies_to"][0] == heard.provider_id
            assert [case.number for case in await one.rows(cases)] == [digits]


async def test_killed_while_messages_come_none_is_lost_or_doubled(site: Site) -> None:
    """What is called, and more of it, is killed in the test of SMS."""
    async with played(site, PULLED) as playing:
        chance = random.Random(1708)

        async def citizens(one: Played, waiting: list[int]) -> None:
            while waiting:
                await one.say(n := waiting.pop(), f"{COMPLAINT}, laporan warga ke {n}")

        async with asyncio.timeout(PATIENCE * 2):
            queues = [(one, list(range(CITIZENS))) for one in playing]
            speaking = [asyncio.create_task(citizens(one, queue)) for one, queue in queues for _ in range(3)]
            for _ in range(KILLS):
                await asyncio.gather(*(one.answered_again() for one in playing))
                victim = site.processes[chance.choice(site.roles)]
                await victim.kill()
                await victim.start()
            await asyncio.gather(*speaking)
            for one in playing:
                everyone = {one.citizen(n) for n in range(CITIZENS)}
                await one.standin.wait_for(lambda sent, all_=everyone: {m.to for m in sent} == all_, timeout=PATIENCE)  # type: ignore[misc]
        await site.until(outbox, lambda rows: all(r.state == "sent" for r in rows))
        for one in playing:
            assert len(await one.rows(cases)) == CITIZENS, one.name
            assert len(await one.rows(messages)) == CITIZENS, one.name
            replies = Counter(message.to for message in one.standin.sent)
            # Replies in flight at a kill, at most.
            assert sum(replies.values()) - CITIZENS <= KILLS * registry.spec(one.type).limits.max_in_flight, one.name
