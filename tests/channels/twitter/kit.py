"""The X channel, for the contract test.

An inbound golden holds a ``mentions`` or a ``messages`` page as X answers it (newest first), or the ``activity`` that
X posts to the webhook. An outbound one may hold several ``answers``, the first to the first request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from channels.base import Channel, Request
from channels.http import HttpClient
from channels.receiving import Item
from channels.signing import hmac_base64
from channels.twitter.channel import TwitterChannel
from channels.twitter.timeline import Timeline
from tests.channels.goldens import Golden
from tests.channels.host import Provider, answer, request
from tests.channels.kit import Exchange, Kit, attempt
from tests.channels.twitter.account import ACCOUNT, CONSUMER, SECRETS


class TwitterKit(Kit):
    type: ClassVar[str] = "twitter"
    settings: ClassVar[Mapping[str, Any]] = ACCOUNT | {"mode": "webhook"}
    secrets: ClassVar[Sequence[str]] = SECRETS

    def read(self, channel: Channel, case: Mapping[str, Any]) -> Sequence[Item]:
        assert isinstance(channel, TwitterChannel)
        for name in ("mentions", "messages"):
            if name in case:
                polled = self.channel(channel.settings.model_dump(exclude_unset=True) | {"mode": "mentions"})
                source = next(one for one in polled.sources() if one.name == name)
                assert isinstance(source, Timeline)
                return [entry.item for entry in source.entries(case[name])]
        return channel.parse(signed(case["activity"]))

    async def exchange(self, golden: Golden) -> Exchange:
        async with Provider() as provider, HttpClient() as http:
            answers = golden.case.get("answers") or [golden.case["answer"]]
            provider.answers = [answer(**one) for one in answers]
            channel = self.channel(golden.settings | {"api_url": provider.url}, http)
            received: list[dict[str, Any]] = []
            exchange = await attempt(channel, golden, received)
            received += [{name: getattr(one, name) for name in one.__struct_fields__} for one in provider.requests]
            return exchange

    def citizen(self, n: int) -> str:
        return str(900_000 + n)

    def unproven(self) -> Sequence[tuple[str, Request]]:
        event = {"data": {"event_type": "post.delete", "payload": {"id": "1", "author_id": "2"}}}
        proven = signed(event)
        return [
            ("no signature", request(channel="twitter", document=event)),
            ("another body's signature", _with(proven, body=proven.body + b" ")),
            ("another secret's signature", signed(event, secret="another")),
            ("a signature of another kind", _with(proven, signature="sha1=" + proven.headers[HEADER][7:])),
            ("an empty signature", _with(proven, signature="sha256=")),
            ("a signature of odd characters", _with(proven, signature="sha256=é\udc80")),
            ("a check as if it were an event", request(channel="twitter", query={"crc_token": "x"})),
            ("a GET with the signature of nothing", _signed_nothing()),
        ]


HEADER = "x-twitter-webhooks-signature"


def signed(document: Any, *, secret: str = CONSUMER) -> Request:
    """An event as X posts it."""
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
    return request(
        channel="twitter",
        method="POST",
        body=body,
        content_type="application/json",
        headers={HEADER: f"sha256={hmac_base64(secret, body)}"},
    )


def _with(proven: Request, *, body: bytes | None = None, signature: str | None = None) -> Request:
    return request(
        channel="twitter",
        method="POST",
        body=proven.body if body is None else body,
        content_type=proven.content_type,
        headers={HEADER: proven.headers[HEADER] if signature is None else signature},
    )


def _signed_nothing() -> Request:
    return request(channel="twitter", headers={HEADER: f"sha256={hmac_base64(CONSUMER, b'')}"})


KIT = TwitterKit()
