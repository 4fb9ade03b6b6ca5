"""The Telegram channel, for the contract test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from channels.base import Channel, Request
from channels.http import HttpClient
from channels.receiving import Item
from channels.telegram import TelegramChannel
from channels.telegram.polling import items_of
from tests.channels.goldens import Golden
from tests.channels.host import Provider, Recorded, answer, request
from tests.channels.kit import Exchange, Kit, attempt

TOKEN = "1708:AAF-s3cret-t0ken-of-the-bot_0123456"
SECRET = "s3cret_of-the-webhook"
OBJECTS = ("allowed_updates", "link_preview_options", "reply_markup", "reply_parameters")
HEADER = "X-Telegram-Bot-Api-Secret-Token"


class TelegramKit(Kit):
    type: ClassVar[str] = "telegram"
    settings: ClassVar[Mapping[str, Any]] = {
        "type": "telegram",
        "mode": "webhook",
        "token": TOKEN,
        "webhook_secret": SECRET,
        "username": "lapor1708_bot",
    }
    secrets: ClassVar[Sequence[str]] = (TOKEN, SECRET)

    def read(self, channel: Channel, case: Mapping[str, Any]) -> Sequence[Item]:
        """``update`` is one update as the webhook gets it, ``updates`` some as polling does (text: not JSON)."""
        if "update" in case:
            return channel.parse(request(channel="telegram", document=case["update"], headers={HEADER: SECRET}))
        raws = [one.encode() if isinstance(one, str) else json.dumps(one).encode() for one in case["updates"]]
        return items_of(raws, cast("TelegramChannel", channel).bot)

    async def exchange(self, golden: Golden) -> Exchange:
        """``answers`` in place of ``answer`` are several, for several calls."""
        async with Provider() as provider, HttpClient() as http:
            given = golden.case.get("answers") or [golden.case["answer"]]
            provider.answers = [answer(**one) for one in given]
            channel = self.channel(golden.settings | {"api_url": provider.url}, http)
            received: list[dict[str, Any]] = []
            exchange = await attempt(channel, golden, received)
            received += map(parts, provider.requests)
            return exchange

    def citizen(self, n: int) -> str:
        return str(500_000 + n)

    def unproven(self) -> Sequence[tuple[str, Request]]:
        update = {"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}}}
        return [
            ("no secret", request(channel="telegram", document=update)),
            ("wrong secret", request(channel="telegram", document=update, headers={HEADER: "wrong"})),
            ("an empty secret", request(channel="telegram", document=update, headers={HEADER: ""})),
            ("the secret as a query", request(channel="telegram", query={"secret_token": SECRET}, document=update)),
            ("not ASCII", request(channel="telegram", document=update, headers={HEADER: "é"})),
        ]


def parts(one: Recorded) -> dict[str, Any]:
    """A call as the fixtures write it: the method, and the parameters, those that are JSON decoded."""
    method = one.path.rpartition("/")[2]
    parameters = {name: json.loads(text) if name in OBJECTS else text for name, text in one.form.items()}
    return {"path": one.path, "method": method, "parameters": parameters}


KIT = TelegramKit()
