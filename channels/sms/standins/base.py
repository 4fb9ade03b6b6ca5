"""What a provider is to the stand-in: it takes what we send, reports on it, and passes on what a citizen writes."""

from __future__ import annotations

import abc
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qsl

import msgspec

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.settings import DialectName, SmsSettings, secret

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
DIGITS = re.compile(r"[1-9][0-9]{6,14}")


class StandInMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message that the gateway sent. ``to`` is E.164 with its plus, whatever the provider writes.

    ``status_url`` is where the gateway wants its receipts, and ``id`` what the provider called the message.
    """

    dialect: DialectName
    id: str
    to: str
    sender: str
    text: str
    delivery: str
    status_url: str
    at: datetime


class CitizenText(msgspec.Struct, frozen=True, kw_only=True):
    """One message that a citizen writes; ``id`` is the provider's, ``""`` for none."""

    sender: str
    to: str
    text: str
    id: str
    at: datetime


class Received(msgspec.Struct, frozen=True):
    """One HTTP request at the stand-in. ``query`` and ``form`` keep the first of a repeated name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a urlencoded body."""
        pairs = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(reversed(pairs))


class Reply(msgspec.Struct, frozen=True):
    """What the stand-in answers."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Provider(abc.ABC):
    """One provider. ``accounts`` are the settings whose credentials it knows; with none, any will do."""

    dialect: ClassVar[DialectName]
    method: ClassVar[str] = "POST"
    path: ClassVar[str]
    """Where it takes messages, as an aiohttp route."""
    probe_path: ClassVar[str] = ""

    def __init__(self, accounts: Sequence[SmsSettings]) -> None:
        self.accounts = [account for account in accounts if account.dialect == self.dialect]

    def url(self, settings: SmsSettings) -> str:
        """The path that ``settings.send_url`` must lead to."""
        return self.path.format(account=settings.username)

    @abc.abstractmethod
    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """The message that a request sends, or the provider's refusal of it."""

    @abc.abstractmethod
    def yes(self, message: StandInMessage) -> Reply:
        """The provider's yes to a message it took."""

    def probed(self, received: Received) -> Reply:
        """The answer at ``probe_path``."""
        raise NotImplementedError

    @abc.abstractmethod
    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:
        """The webhook calls that bring a citizen's message to the gateway at ``url``."""

    @abc.abstractmethod
    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:
        """The webhook call that brings a receipt to ``message.status_url``."""

    def knows(self, username: str, password: str) -> bool:
        """Whether these are the credentials of an account."""
        if not self.accounts:
            return bool(username and password)
        return any((one.username, secret(one.password)) == (username, password) for one in self.accounts)


def with_token(settings: SmsSettings) -> dict[str, str]:
    """The query parameter that proves a webhook call."""
    token = secret(settings.webhook_token)
    return {"token": token} if token else {}
