"""The source of public mentions: GET /2/users/:id/mentions (X's docs, "Get mentions")."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from channels.http import HttpResponse
from channels.receiving import Item
from channels.twitter.client import Api
from channels.twitter.inbound import Account, post_message
from channels.twitter.quota import Quotas
from channels.twitter.settings import TwitterSettings
from channels.twitter.shapes import Includes, Json
from channels.twitter.timeline import Timeline

ENDPOINT = "GET /2/users/:id/mentions"
PAGE = 100
POST_FIELDS = [
    "attachments",
    "conversation_id",
    "created_at",
    "entities",
    "geo",
    "id",
    "lang",
    "note_post",
    "text",
    "withheld",
]
"""``author_id``, ``referenced_posts`` and the like come with the expansions of the same names."""
EXPANSIONS = [
    "attachments.media_keys",
    "author_id",
    "edit_history_post_ids",
    "geo.place_id",
    "in_reply_to_user_id",
    "referenced_posts",
]
USER_FIELDS = ["id", "name", "username", "protected"]
MEDIA_FIELDS = ["alt_text", "media_key", "preview_image_url", "type", "url", "variants"]
PLACE_FIELDS = ["full_name", "geo", "id", "place_type"]


class Mentions(Timeline):
    """The posts that mention the account, replies to it and quotes of it among them."""

    name = "mentions"

    def __init__(self, settings: TwitterSettings, api: Api, quotas: Quotas) -> None:
        super().__init__(settings, quotas, ENDPOINT)
        self._api = api

    async def page(self, since: datetime | None, token: str) -> HttpResponse:
        """One page of at most 100 posts; X leaves out what is older than ``since`` by itself."""
        # tweet_fields is tweepy's word; the client sends it as post.fields.
        asked: dict[str, Any] = {
            "max_results": PAGE,
            "tweet_fields": POST_FIELDS,
            "expansions": EXPANSIONS,
            "user_fields": USER_FIELDS,
            "media_fields": MEDIA_FIELDS,
            "place_fields": PLACE_FIELDS,
        }
        if since is not None:
            asked["start_time"] = since
        if token:
            asked["pagination_token"] = token
        user_id = self._settings.user_id
        return await self._api.ask(ENDPOINT, lambda x: x.get_users_mentions(user_id, user_auth=False, **asked))

    def read(self, entry: Json, includes: Includes, account: Account) -> Item:
        """The message that a post is. Raises :class:`~channels.errors.Malformed`."""
        return post_message(entry, includes, account)
