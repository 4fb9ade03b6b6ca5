"""The source of direct messages: GET /2/dm_events (X's docs, "Get DM events"); X keeps them for 30 days."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from channels.http import HttpResponse
from channels.receiving import Item
from channels.twitter.client import Api
from channels.twitter.direct import direct_message, is_message
from channels.twitter.inbound import Account
from channels.twitter.mentions import MEDIA_FIELDS, PAGE, USER_FIELDS
from channels.twitter.quota import Quotas
from channels.twitter.settings import TwitterSettings
from channels.twitter.shapes import Includes, Json
from channels.twitter.timeline import Timeline

ENDPOINT = "GET /2/dm_events"
DM_FIELDS = ["attachments", "created_at", "dm_conversation_id", "entities", "event_type", "id", "text"]
EXPANSIONS = ["attachments.media_keys", "sender_id"]


class Messages(Timeline):
    """The direct messages of the account; its own are among them."""

    name = "messages"

    def __init__(self, settings: TwitterSettings, api: Api, quotas: Quotas) -> None:
        super().__init__(settings, quotas, ENDPOINT)
        self._api = api

    async def page(self, since: datetime | None, token: str) -> HttpResponse:
        """One page of at most 100 messages. This call knows no start: the walk ends at the first older message."""
        del since
        asked: dict[str, Any] = {
            "max_results": PAGE,
            "event_types": "MessageCreate",
            "dm_event_fields": DM_FIELDS,
            "expansions": EXPANSIONS,
            "user_fields": USER_FIELDS,
            "media_fields": MEDIA_FIELDS,
        }
        if token:
            asked["pagination_token"] = token
        return await self._api.ask(ENDPOINT, lambda x: x.get_direct_message_events(user_auth=False, **asked))

    def read(self, entry: Json, includes: Includes, account: Account) -> Item | None:
        """The message that an event is; ``None`` for someone's coming or going."""
        return direct_message(entry, includes, account) if is_message(entry) else None
