"""One SMS channel: the contract of :class:`channels.base.Channel` over one provider's dialect."""

from __future__ import annotations

from collections.abc import Sequence

from channels.base import Answer, Channel, Host, InboundMessage, OutboundMessage, Request, Sent
from channels.errors import RetryLater, Uncertain
from channels.sms.dialects import load
from channels.sms.outbound import pieces, recipient
from channels.sms.settings import SmsSettings


class SmsChannel(Channel):
    """A channel whose provider speaks ``settings.dialect``; only that dialect's module is imported."""

    settings: SmsSettings

    def __init__(self, name: str, settings: SmsSettings, host: Host) -> None:
        super().__init__(name, settings, host)
        self.dialect = load(settings.dialect)(name, settings, host)

    def verify(self, request: Request) -> None:
        """Raise :class:`~channels.errors.Unverified` unless signature or token proves the provider."""
        self.dialect.verify(request)

    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """The messages of one call. Raises :class:`~channels.errors.Malformed`."""
        return self.dialect.parse(request)

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """The receipts of one call. Raises :class:`~channels.errors.Malformed`."""
        return self.dialect.parse_status(request)

    def answer(self) -> Answer:
        """The provider's own way to hear yes."""
        return self.dialect.answer

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand over one reply; a text of more than ten segments goes out as several messages.

        Where one of several fails after another was taken, the whole is sent again: that is
        :class:`~channels.errors.Uncertain`, so that the doubling is counted.
        """
        to = recipient(message.to)
        ids: list[str] = []
        for count, text in enumerate(pieces(message.text)):
            call = self.dialect.call(to, text, message.delivery)
            try:
                response = await self.host.http.request(call.method, call.url, **call.options())
                ids += self.dialect.read(response)
            except RetryLater as error:
                if count == 0 or isinstance(error, Uncertain):
                    raise
                raise Uncertain(
                    f"{count} messages of this reply were taken, the next was not: {error}",
                    retry_after=error.retry_after,
                    whole_channel=error.whole_channel,
                ) from error
        return Sent(tuple(ids))

    async def probe(self) -> str:
        """Ask for the account's balance or state where the provider has such a call."""
        call = self.dialect.probe()
        if call is None:
            return await super().probe()
        response = await self.host.http.request(call.method, call.url, **call.options())
        return self.dialect.read_probe(response)
