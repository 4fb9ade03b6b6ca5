"""The SMS channel, for the contract test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from channels.base import Channel, Request
from channels.http import HttpClient
from channels.receiving import Item
from tests.channels.goldens import Golden
from tests.channels.host import Provider, answer, request
from tests.channels.kit import Exchange, Kit, attempt
from tests.channels.sms.accounts import ACCOUNTS, SECRETS


class SmsKit(Kit):
    type: ClassVar[str] = "sms"
    settings: ClassVar[Mapping[str, Any]] = {"type": "sms", "dialect": "kannel", "sender": "1708"} | ACCOUNTS["kannel"]
    secrets: ClassVar[Sequence[str]] = SECRETS

    def read(self, channel: Channel, case: Mapping[str, Any]) -> Sequence[Item]:
        return channel.parse(request(**case["request"]))

    async def exchange(self, golden: Golden) -> Exchange:
        async with Provider() as provider, HttpClient() as http:
            provider.answers = [answer(**golden.case["answer"])]
            send_url = provider.url + urlsplit(golden.settings["send_url"]).path
            channel = self.channel(golden.settings | {"send_url": send_url}, http)
            received: list[dict[str, Any]] = []
            exchange = await attempt(channel, golden, received)
            received += [{name: getattr(one, name) for name in one.__struct_fields__} for one in provider.requests]
            return exchange

    def citizen(self, n: int) -> str:
        return f"+62812{n:08}"

    def unproven(self) -> Sequence[tuple[str, Request]]:
        return [
            ("no token", request(query={"from": "+6281234567890", "text": "Halo"})),
            ("wrong token", request(query={"token": "wrong", "from": "+6281234567890", "text": "Halo"})),
            ("a form without a token", request(form={"from": "+6281234567890", "text": "Halo"})),
            ("a form that cannot be read", request(method="POST", body=b"&" * 300, content_type="text/plain")),
        ]


KIT = SmsKit()
