"""What a dialect is: how one provider signs, writes, is written to and reports."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import quote

from channels.base import Answer, Host, InboundMessage, Request, Sender
from channels.errors import Malformed, Unverified
from channels.http import HttpResponse
from channels.signing import as_bytes, same
from channels.sms.numbers import canonical
from channels.sms.outbound import Call, settle
from channels.sms.settings import SmsSettings, secret

TOKEN_HEADER = "x-webhook-token"  # noqa: S105 - the name of a header


class Dialect(abc.ABC):
    """One provider's API, for one channel. Everything is pure: requests and answers are values."""

    answer: ClassVar[Answer] = Answer()
    default_url: ClassVar[str] = ""
    international: ClassVar[bool] = False
    """Whether the provider writes international numbers without their plus."""

    def __init__(self, channel: str, settings: SmsSettings, host: Host) -> None:
        self.channel = channel
        self.settings = settings
        self.host = host
        self.send_url = settings.send_url or self.default_url
        self._token = as_bytes(secret(settings.webhook_token))
        self._open = settings.verification == "none"

    def verify(self, request: Request) -> None:
        """Raise :class:`Unverified` unless the request proves its sender, or the settings ask for no proof."""
        if not self._open:
            self.check(request)

    def check(self, request: Request) -> None:
        """The proof itself; here the token, in the query, the form or the header."""
        if same(request.query.get("token", ""), self._token):
            return
        if same(request.headers.get(TOKEN_HEADER, ""), self._token):
            return
        try:
            given = request.form().get("token", "")
        except Malformed as error:
            raise Unverified("the form cannot be read, so it proves nothing", reason="bad_token") from error
        if not same(given, self._token):
            raise Unverified("the token is missing or wrong", reason="bad_token")

    @abc.abstractmethod
    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """The messages of a verified call. Raises :class:`Malformed`."""

    @abc.abstractmethod
    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """The receipts of a verified call. Raises :class:`Malformed`."""

    @abc.abstractmethod
    def call(self, to: str, text: str, delivery: str) -> Call:
        """The request that sends ``text`` to ``to`` (E.164 with its plus)."""

    @abc.abstractmethod
    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """The provider's ids of a message it took. Raises the outbound errors of :mod:`channels.errors`."""

    def probe(self) -> Call | None:
        """A request that costs nothing and needs valid credentials; ``None`` where the provider has none."""
        return None

    def read_probe(self, response: HttpResponse) -> str:
        """One line for the operator. Raises like :meth:`read`."""
        settle(response)
        return "the provider knows our credentials"

    def sender(self, address: str) -> Sender:
        """Who a number of this provider is."""
        return canonical(address, self.settings.home_country, international=self.international)

    def status_url(self, **parameters: str) -> str:
        """Where this channel's receipts are taken, with our token where there is one and ``parameters``."""
        if self._token:
            parameters = {"token": secret(self.settings.webhook_token), **parameters}
        url = self.host.status_url(self.channel)
        query = "&".join([f"{name}={quote(value, safe='')}" for name, value in parameters.items()])
        return f"{url}?{query}" if query else url
