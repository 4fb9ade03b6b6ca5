"""One Telegram channel: the contract of :class:`channels.base.Channel` over one bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from channels.base import Attachment, Channel, Host, InboundMessage, OutboundMessage, RawReader, Request, Sent
from channels.errors import Misconfigured, Refused, Unverified
from channels.receiving import Source
from channels.signing import same
from channels.telegram.inbound import ALLOWED, Bot, read
from channels.telegram.settings import TelegramSettings
from channels.telegram.shapes import number, obj, text

if TYPE_CHECKING:
    from channels.telegram.api import Api
    from channels.telegram.outbound import Moves, Speaker

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name


class TelegramChannel(Channel):
    """A bot that is asked for updates, or whose webhook we are; the same parsing for both.

    The library behind :attr:`api` is imported, and its connections are made, only when something is asked of Telegram.
    """

    settings: TelegramSettings

    def __init__(self, name: str, settings: TelegramSettings, host: Host) -> None:
        super().__init__(name, settings, host)
        self.bot = Bot(settings.bot_id, settings.username)
        """Who we are, as far as it is known: in groups only what speaks to this bot is read."""

    @cached_property
    def api(self) -> Api:
        """The way to Telegram."""
        from channels.telegram.api import Api

        return Api(self.settings.api_url, self.settings.token.get_secret_value())

    @cached_property
    def moves(self) -> Moves:
        """Which groups have another id by now."""
        from channels.telegram.outbound import Moves

        return Moves(self.host.kept(self.name))

    @cached_property
    def speaker(self) -> Speaker:
        """What sends replies."""
        from channels.telegram.outbound import Speaker

        return Speaker(self.api, self.moves, answers_presses=self.settings.mode == "webhook")

    def verify(self, request: Request) -> None:
        """Raise :class:`Unverified` unless the secret that we gave Telegram came back ("setWebhook")."""
        if self.settings.mode != "webhook" or self.settings.webhook_secret is None:
            raise Unverified("this channel takes no webhook calls", reason="no_webhook")
        if not same(request.headers.get(SECRET_HEADER.lower(), ""), self.settings.webhook_secret.get_secret_value()):
            raise Unverified("the secret token is missing or wrong")

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """The message of one update, if it is for us. Raises :class:`~channels.errors.Malformed`."""
        return read(request.body, self.bot)

    def reread(self, raw: bytes, raw_type: str) -> Sequence[InboundMessage]:
        """Read a kept update again, as :meth:`parse` does."""
        del raw_type
        return read(raw, self.bot)

    def sources(self) -> Sequence[Source]:
        """The bot's updates, where we ask for them."""
        if self.settings.mode != "polling":
            return ()
        from channels.telegram.polling import Updates

        return (Updates(self.api, self.moves, self.learn),)

    async def register(self) -> None:
        """Tell Telegram our webhook and its secret; it keeps what comes while we are away, for a day."""
        if self.settings.mode != "webhook" or self.settings.webhook_secret is None:
            return
        await self.learn()
        try:
            await self.api.call(
                "setWebhook",
                url=self.host.webhook_url(self.name),
                secret_token=self.settings.webhook_secret.get_secret_value(),
                allowed_updates=list(ALLOWED),
                drop_pending_updates=False,
            )
        except Refused as error:
            raise Misconfigured("Telegram does not take server.public_url for a webhook", reason="webhook") from error

    async def learn(self) -> Bot:
        """Who the bot is, asking Telegram the first time unless the settings say it. Raises as :meth:`probe` does."""
        if not (self.bot.id and self.bot.username):
            await self.probe()
        return self.bot

    async def probe(self) -> str:
        """Ask Telegram who the bot is ("getMe")."""
        me = obj(await self.api.ask("getMe"))
        username = text(me.get("username"))
        self.bot = Bot(number(me.get("id")) or self.bot.id, self.settings.username or username)
        return f"Telegram knows the bot as @{username}"

    async def send(self, message: OutboundMessage) -> Sent:
        """Send one reply into its chat, within the limits of that chat."""
        return await self.speaker.send(message)

    async def download(self, attachment: Attachment, raw: RawReader) -> AsyncIterator[bytes]:
        """The bytes of a file, in pieces; Telegram hands out files of at most 20 MB."""
        del raw
        from channels.telegram.api import MAX_FILE

        if attachment.size > MAX_FILE:
            raise Refused(f"Telegram hands out no file over {MAX_FILE} bytes", reason="too_big")
        async for piece in self.api.file(attachment.reference):
            yield piece

    async def close(self) -> None:
        """End the connections, if there are any."""
        if "api" in self.__dict__:
            await self.api.close()
