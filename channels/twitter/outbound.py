"""Replies of the gateway: in public below the citizen's post, or as a direct message."""

from __future__ import annotations

import asyncio

from channels.base import OutboundMessage, Sent, Thread
from channels.errors import Misconfigured, Refused
from channels.twitter.answers import document_of, ids_of
from channels.twitter.client import Api
from channels.twitter.length import fitted, without_links
from channels.twitter.shapes import digits

POST = "POST /2/tweets"
MESSAGE = "POST /2/dm_conversations/with/:participant_id/messages"
MAX_MESSAGE = 10_000
"""Characters of a direct message."""


class Sending:
    """Hands replies to X."""

    def __init__(self, api: Api, max_length: int) -> None:
        self._api = api
        self._max_length = max_length

    async def send(self, message: OutboundMessage) -> Sent:
        """Send one reply: in public where its thread is, else as a direct message to the citizen.

        Raises as :meth:`channels.base.Channel.send` says. X refuses the same words twice: after an attempt without
        an answer that says that they are there.
        """
        try:
            return await (self._post(message) if message.thread.public else self._message(message))
        except Refused as error:
            if error.reason == "duplicate" and message.repeated:
                return Sent(())
            raise

    async def _post(self, message: OutboundMessage) -> Sent:
        answered = digits(message.thread.replies_to[0]) if message.thread.replies_to else ""
        if not answered:
            raise Refused("there is no post to reply to", reason="no_post")
        text = await asyncio.to_thread(without_links, message.text)
        text = fitted(text, self._max_length, message.number)
        if not text.strip():
            raise Refused("the text is empty", reason="empty_text")
        response = await self._api.ask(
            POST,
            lambda x: x.create_tweet(text=text, in_reply_to_tweet_id=answered, user_auth=False),
            writes=True,
            whole_channel=True,
        )
        return Sent(ids_of(document_of(response, "post"), "id"))

    async def _message(self, message: OutboundMessage) -> Sent:
        """By the citizen's id, never into a conversation: a group's others would read along."""
        citizen = digits(message.to)
        if not citizen:
            raise Refused("the recipient is no account of X", reason="not_a_user")
        text = message.text if len(message.text) <= MAX_MESSAGE else f"{message.text[: MAX_MESSAGE - 1]}…"
        if not text.strip():
            raise Refused("the text is empty", reason="empty_text")
        response = await self._api.ask(
            MESSAGE,
            lambda x: x.create_direct_message(participant_id=citizen, text=text, user_auth=False),
            writes=True,
        )
        try:
            document = document_of(response, "message")
        except Misconfigured as error:
            # The message comes beside a public reply, and the app may post but not write directly: its posts go on.
            if error.reason in ("permission", "app") and message.thread == Thread():
                raise Refused(str(error), reason=error.reason) from error
            raise
        ids = ids_of(document, "dm_event_id", "id")
        return Sent(tuple(f"dm:{id_}" for id_ in ids))
