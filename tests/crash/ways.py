"""The ways in, each as its provider has it: a message is handed over, the very same again, until the gateway says yes.

That is what tells "once" from "twice" after a crash: a citizen's message has one id at its provider, however often
it is delivered. What the gateway reads by itself is simply there.
"""

from __future__ import annotations

import asyncio
import importlib
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from channels import registry
from channels.email.standin import written
from channels.errors import ChannelError
from channels.http import HttpClient
from channels.standin import StandInServer
from channels.telegram.standins import shapes
from tests.channels.kit import Kit, kits, plain
from tests.channels.telegram.kit import HEADER as TELEGRAM_HEADER
from tests.channels.telegram.kit import SECRET as TELEGRAM_SECRET
from tests.channels.twitter.kit import signed

HandOver = Callable[[str], Awaitable[int]]
"""Gives one message to the gateway at this webhook; returns the status of its answer. May raise what breaks."""

BROKEN = (ChannelError, OSError, smtplib.SMTPException)
KITS: Mapping[str, Kit] = {kit.type: kit for kit in kits()}


@dataclass(frozen=True)
class Way:
    """A way in: a channel's ``name`` on the site, its type, and what makes it differ from its kit's settings."""

    name: str
    type: str
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    without: tuple[str, ...] = ()
    called: bool = True
    """Whether the provider calls the gateway; else the gateway reads."""

    def __str__(self) -> str:
        return self.name

    @property
    def kit(self) -> Kit:
        """What its type's tests know of it."""
        return KITS[self.type]


SMS = Way("sms", "sms")
TELEGRAM_HOOK = Way("telegram", "telegram")
TELEGRAM_POLL = Way("telegram-polling", "telegram", {"mode": "polling"}, called=False)
TWITTER_HOOK = Way("twitter", "twitter", {"catch_up": 0})
TWITTER_POLL = Way("twitter-mentions", "twitter", {"mode": "mentions"}, called=False)
IMAP = Way("email", "email", called=False)
LMTP = Way(
    "email-lmtp", "email", {"protocol": "lmtp", "address": "pengaduan@lmtp.example.go.id"}, without=("imap_url",)
)
WAYS = (SMS, TELEGRAM_HOOK, TELEGRAM_POLL, TWITTER_HOOK, TWITTER_POLL, IMAP, LMTP)


class Played:
    """One way in with its provider's stand-in; ``table`` are the channel's settings that lead there."""

    def __init__(self, way: Way, standin: StandInServer[Any], table: dict[str, Any], http: HttpClient) -> None:
        self.way = way
        self.standin = standin
        self.table = table
        self._http = http

    def citizen(self, n: int) -> str:
        """The address of the ``n``-th citizen."""
        return self.way.kit.citizen(n)

    def letter(self, n: int, text: str, address: str = "") -> HandOver:
        """The ``n``-th message, written once, by the ``n``-th citizen unless another ``address`` is given."""
        writers: Mapping[str, Callable[[int, str, str], HandOver]] = {
            "sms": self._sms,
            "telegram": self._telegram,
            "twitter": self._twitter,
            "email": self._email,
        }
        return writers[self.way.type](n, text, address or self.citizen(n))

    def _sms(self, n: int, text: str, address: str) -> HandOver:
        standin: Any = self.standin

        async def hand_over(webhook: str) -> int:
            answer = await standin.text(webhook, address, text, id=f"m-{n}")
            return int(answer.status)

        return hand_over

    def _telegram(self, _n: int, text: str, address: str) -> HandOver:
        standin: Any = self.standin
        world = standin.world
        person = shapes.user(shapes.user_id(address))
        standin.spelled[person["id"]] = address
        message = world.message(shapes.private(person), person, **shapes.worded("text", text))
        update = world.queue.number("message", message)
        if not self.way.called:
            world.queue.put(update)
            return _taken

        async def hand_over(webhook: str) -> int:
            headers = {TELEGRAM_HEADER: TELEGRAM_SECRET}
            answer = await self._http.request("POST", webhook, json=update, headers=headers)
            return int(answer.status)

        return hand_over

    def _twitter(self, _n: int, text: str, address: str) -> HandOver:
        standin: Any = self.standin
        platform = standin.platform
        post = platform.post(platform.user(address), f"@{standin.account.handle} {text}")
        if not self.way.called:
            return _taken
        event = {"event_type": "post.mention.create", "event_uuid": platform.new_id(post.at)}
        request = signed({"data": event | {"payload": platform.shown(post), "includes": platform.includes([post])}})

        async def hand_over(webhook: str) -> int:
            headers = dict(request.headers) | {"Content-Type": request.content_type}
            answer = await self._http.request("POST", webhook, data=request.body, headers=headers)
            return int(answer.status)

        return hand_over

    def _email(self, n: int, text: str, address: str) -> HandOver:
        standin: Any = self.standin
        mail = written(address, self.table["address"], text, f"Laporan {n}")
        if not self.way.called:
            standin.imap.folders["INBOX"].add(mail, None)
            return _taken

        async def hand_over(webhook: str) -> int:
            posted = await standin.text(webhook, address, text, raw=mail)
            return int(posted.status)

        return hand_over


async def _taken(_webhook: str) -> int:
    """The provider keeps it until it is read."""
    return 200


async def insist(hand_over: HandOver, webhook: Callable[[], str]) -> int:
    """Hand a message over until the gateway says yes, each time at the webhook that is given; returns the times."""
    times = 0
    while True:
        times += 1
        try:
            if await hand_over(webhook()) < 300:
                return times
        except BROKEN:
            pass
        await asyncio.sleep(0.05)


@asynccontextmanager
async def played(way: Way, *, port: int = 0) -> AsyncIterator[Played]:
    """The way with its stand-in running; ``port`` is where a channel that listens by itself does so."""
    wanted = {name: value for name, value in {**way.kit.settings, **way.changes}.items() if name not in way.without}
    if way is LMTP:
        wanted["listen"] = f"127.0.0.1:{port}"
    model = registry.spec(way.type).settings.model_validate(wanted)
    module = importlib.import_module(f"channels.{way.type}.standin")
    async with HttpClient(timeout=10.0) as http, module.StandIn(model) as standin:
        table = {**wanted, **{name: plain(value) for name, value in standin.overrides(model).items()}}
        if "poll_seconds" in type(model).model_fields:
            table["poll_seconds"] = 1
        yield Played(way, standin, table, http)
