"""One account at X: the contract of :class:`channels.base.Channel`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from channels.base import (
    Answer,
    Attachment,
    Channel,
    Host,
    InboundMessage,
    OutboundMessage,
    Quota,
    RawReader,
    Request,
    Sent,
)
from channels.errors import Misconfigured, Unverified
from channels.receiving import Source
from channels.twitter import media, webhook
from channels.twitter.answers import document_of
from channels.twitter.client import Api
from channels.twitter.inbound import Account
from channels.twitter.mentions import USER_FIELDS, Mentions
from channels.twitter.messages import Messages
from channels.twitter.outbound import Sending
from channels.twitter.quota import Quotas
from channels.twitter.settings import TwitterSettings, secret
from channels.twitter.shapes import obj, text
from channels.twitter.tokens import tokens_of

ME = "GET /2/users/me"


class TwitterChannel(Channel):
    """Mentions and direct messages of one account, read (mode "mentions") or sent to us (mode "webhook")."""

    settings: TwitterSettings

    def __init__(self, name: str, settings: TwitterSettings, host: Host) -> None:
        super().__init__(name, settings, host)
        self._quotas = Quotas()
        self._tokens = tokens_of(name, settings, host)
        self._api = Api(settings.api_url, self._tokens, self._quotas)
        self._sending = Sending(self._api, settings.max_length)
        self._consumer_secret = secret(settings.consumer_secret) if settings.mode == "webhook" else ""

    def challenge(self, request: Request) -> Answer | None:
        """X's check of us, in the webhook mode. Raises :class:`~channels.errors.Malformed`."""
        return webhook.challenge(request, self._consumer_secret) if self._consumer_secret else None

    def verify(self, request: Request) -> None:
        """Raise :class:`~channels.errors.Unverified` unless X signed this body; always, where X is to send nothing."""
        if not self._consumer_secret:
            raise Unverified("this channel takes no webhooks")
        webhook.verify(request, self._consumer_secret)

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """The messages of one call. Raises :class:`~channels.errors.Malformed`."""
        return webhook.parse(request.body, Account.of(self.settings))

    def sources(self) -> Sequence[Source]:
        """The mentions and, unless the settings say no, the direct messages.

        In the webhook mode they are read seldom, for what X could not hand over: the event is the same either way.
        """
        if self.settings.mode == "webhook" and not self.settings.catch_up:
            return ()
        mentions = Mentions(self.settings, self._api, self._quotas)
        if not self.settings.direct_messages:
            return (mentions,)
        return (mentions, Messages(self.settings, self._api, self._quotas))

    async def send(self, message: OutboundMessage) -> Sent:
        """Reply in the thread, or by direct message; see :class:`channels.twitter.outbound.Sending`."""
        return await self._sending.send(message)

    def quotas(self) -> Sequence[Quota]:
        """The tightest budget of each call that X told of."""
        return self._quotas.list()

    async def probe(self) -> str:
        """Ask X whose token this is. Raises :class:`Misconfigured` (revoked, suspended, another account, …)."""
        response = await self._api.ask(ME, lambda x: x.get_me(user_auth=False, user_fields=USER_FIELDS))
        user = obj(document_of(response, "user").get("data"))
        if text(user.get("id")) != self.settings.user_id:
            raise Misconfigured("the token is another account's than user_id says", reason="wrong_account")
        if text(user.get("username")).casefold() != self.settings.handle.casefold():
            raise Misconfigured(
                "the account of user_id has another handle than the settings say", reason="wrong_handle"
            )
        return f"X takes the token of @{self.settings.handle}"

    async def download(self, attachment: Attachment, raw: RawReader) -> AsyncIterator[bytes]:
        """A photo or video, in pieces; from X's media hosts and its API alone."""
        del raw
        place = media.place_of(attachment.reference, self.settings)
        token = await self._tokens.current() if place.login else ""
        async for piece in media.fetch(place, token):
            yield piece

    async def close(self) -> None:
        """Close the connections to X."""
        await self._api.close()
