"""A light steady traffic of citizens on one channel, which can fall silent."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable

import structlog

from channels.errors import ChannelError
from channels.standin import Draft
from gateway.sandbox.players import Player

log = structlog.get_logger(__name__)

FIRST = 100
"""The number of the first citizen of the crowd; those below are people of the page."""
PEOPLE = 100_000
TEXTS = (
    "Jalan di depan balai desa berlubang, sudah dua motor jatuh",
    "Air PDAM mati sejak kemarin sore di Gang Melati",
    "Sampah menumpuk di samping sekolah, sudah seminggu belum diangkut",
    "Lampu penyeberangan di perempatan rusak",
    "Antrean di puskesmas sampai tiga jam, loket hanya satu yang buka",
    "Pohon tumbang menutup separuh jalan arah terminal",
    "Bantuan beras RT kami belum turun bulan ini",
    "Got mampet, kalau hujan air masuk rumah",
)
PROBES = 5
"""Messages after which a provider in trouble has failed often enough to be called down."""


class Crowd:
    """The crowd of one channel. ``changed`` is called when something about it is another."""

    def __init__(self, player: Player, webhook_url: Callable[[str], str], changed: Callable[[], None]) -> None:
        self._player = player
        self._webhook_url = webhook_url
        self._changed = changed
        self._count = random.randrange(PEOPLE)  # noqa: S311 - no secret hangs on it
        self._task: asyncio.Task[None] | None = None
        self._probes: set[asyncio.Task[None]] = set()
        self.addresses: set[str] = set()
        self.written = 0

    @property
    def flowing(self) -> bool:
        """Whether citizens write."""
        return self._task is not None

    def switch(self, on: bool) -> None:
        """Have them write, or fall silent."""
        if on and self._task is None:
            self._task = asyncio.create_task(self._flow(), name=f"crowd {self._player.name}")
        elif not on and self._task is not None:
            self._task.cancel()
            self._task = None
        self._changed()

    def probe(self) -> None:
        """Have a few of them write now, so that a trouble has something to show itself on."""
        for _ in range(PROBES):
            task = asyncio.create_task(self._write(), name=f"crowd {self._player.name}")
            self._probes.add(task)
            task.add_done_callback(self._probes.discard)

    async def close(self) -> None:
        """End what is under way."""
        tasks = [*self._probes, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _flow(self) -> None:
        while True:
            await self._write()
            # Steady, not clockwork.
            await asyncio.sleep(self._player.crowd_seconds * random.uniform(0.7, 1.3))  # noqa: S311

    async def _write(self) -> None:
        self._count = (self._count + 1) % PEOPLE
        sender = self._player.person(FIRST + self._count)
        self.addresses.add(sender)
        draft = Draft(id=str(uuid.uuid4()), sender=sender, text=TEXTS[self._count % len(TEXTS)])
        try:
            await self._player.write(self._webhook_url(self._player.name), draft)
        except (ChannelError, OSError) as error:
            log.warning("sandbox.crowd_unheard", channel=self._player.name, reason=type(error).__name__)
            return
        self.written += 1
        self._changed()
