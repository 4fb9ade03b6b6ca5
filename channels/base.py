"""What a channel is.

A channel is one configured way in and out of the gateway: an *instance* (``sms-telkomsel``) of a *type*
(``sms``). A type is one folder ``channels/<type>/`` whose ``__init__`` holds a :class:`ChannelSpec` named
``SPEC``. Whatever a channel needs from the running program is handed in as a :class:`Host`; a channel imports
nothing from ``gateway`` or ``normalizer``.

The shapes that pass through here are the channel's side of the way of a message: a :class:`Request` comes in and
becomes :class:`InboundMessage` values; an :class:`OutboundMessage` goes out and becomes a :class:`Sent`.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from channels.errors import Malformed, Refused
from channels.forms import parse_form
from channels.http import HttpClient
from config.values import Network

if TYPE_CHECKING:
    from channels.receiving import Kept, Listener, Source, Take

InboundKind = Literal["message", "edit", "deletion", "part", "receipt"]
SenderKind = Literal["phone", "short_code", "alphanumeric", "username", "user_id", "email", "unknown"]
ReceiptOutcome = Literal["accepted", "delivered", "failed"]


class Sender(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who wrote: ``address`` in the type's canonical form (E.164 for phones, lower case for mail)."""

    address: str
    kind: SenderKind
    display_name: str = ""


class Thread(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in a conversation a message stands.

    ``conversation`` is the provider's room (chat id, conversation id), ``replies_to`` the provider ids of the
    messages it answers, nearest first. ``public`` tells that others read along. ``topic`` is a forum topic.
    """

    conversation: str = ""
    replies_to: tuple[str, ...] = ()
    topic: str = ""
    public: bool = False


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of a long SMS or an album: ``index`` counts from 1; ``total`` is 0 where the provider does not tell."""

    ref: str
    index: int
    total: int = 0


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A delivery receipt (DLR). ``delivery`` is our own id where the provider carries it back, else ``""``.

    ``code`` is the provider's own status word, kept as evidence.
    """

    outcome: ReceiptOutcome
    delivery: str = ""
    provider_id: str = ""
    code: str = ""


class Location(msgspec.Struct, frozen=True, omit_defaults=True):
    """Degrees (WGS 84), with a name where the citizen picked a place."""

    latitude: float
    longitude: float
    name: str = ""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that came with a message: ``size`` in bytes, 0 where it is not told.

    ``stored`` is its place in the blob store, ``""`` until it is fetched.
    ``reference`` is what the channel needs to fetch it (a file id, a URL).
    """

    name: str
    media_type: str
    size: int = 0
    sha256: str = ""
    stored: str = ""
    reference: str = ""


class InboundMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as the provider gave it, parsed but not judged.

    ``provider_id`` is the provider's id of the message, ``None`` where it has none. ``sent_at`` is aware, by the
    provider's clock. ``automated`` is the reason why this is a robot's message, ``""`` for a person's.
    ``raw`` is the untouched payload and ``raw_type`` its media type; secrets (tokens, passwords) are already out.
    ``edited_at`` tells versions of one message apart. ``authentication`` is what our own mail server found out about
    the sender, result by method (``{"spf": "pass"}``).
    """

    kind: InboundKind = "message"
    sender: Sender
    recipient: str = ""
    provider_id: str | None = None
    sent_at: datetime | None = None
    edited_at: datetime | None = None
    subject: str = ""
    text: str = ""
    quoted: str = ""
    thread: Thread = Thread()
    part: Part | None = None
    receipt: Receipt | None = None
    location: Location | None = None
    attachments: tuple[Attachment, ...] = ()
    automated: str = ""
    authentication: Mapping[str, str] = {}
    raw: bytes = b""
    raw_type: str = "application/octet-stream"


class OutboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One reply on its way: ``delivery`` is our id of it, the same at every attempt.

    ``thread.replies_to`` begins with the message that is answered. ``subject`` is that message's own. ``number`` is the
    tracking number that the reply tells, plain digits, ``""`` where it tells none; ``purpose`` is its template's
    name (``acknowledgement``, ``status``, …). ``repeated`` tells that an earlier attempt may have reached the provider.
    """

    delivery: str
    to: str
    text: str
    subject: str = ""
    thread: Thread = Thread()
    number: str = ""
    purpose: str = ""
    repeated: bool = False


class Sent(msgspec.Struct, frozen=True):
    """The provider's yes: the ids it gave (one a segment or post; may be empty) and what it charged in parts."""

    provider_ids: tuple[str, ...] = ()


class Request:
    """One HTTP request as a channel sees it, free of the web framework.

    ``query`` and ``form()`` keep the first value of a repeated field. ``headers`` looks names up without case.
    ``target`` is the path with its query as sent, for signatures over the public URL. ``verified`` is set once the
    channel has found it proven.
    """

    __slots__ = ("_form", "body", "content_type", "headers", "method", "query", "remote", "target", "verified")

    def __init__(
        self,
        *,
        method: str,
        target: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes = b"",
        content_type: str = "",
        remote: str = "",
    ) -> None:
        self.method = method
        self.target = target
        self.query = query
        self.headers = headers
        self.body = body
        self.content_type = content_type
        self.remote = remote
        self.verified = False
        self._form: Mapping[str, str] | None = None

    def form(self) -> Mapping[str, str]:
        """The fields of a urlencoded body; empty for any other content type.

        Raises :class:`channels.errors.Malformed` for a body that is not a form.
        """
        if self._form is None:
            self._form = parse_form(self.body, self.content_type)
        return self._form


class Answer(msgspec.Struct, frozen=True):
    """What the provider hears once everything is durable."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""


class Quota(msgspec.Struct, frozen=True):
    """What a provider still allows at one endpoint: ``left`` of ``limit`` requests until ``resets_at`` (Unix time)."""

    endpoint: str
    left: int
    limit: int
    resets_at: float


class Capability(enum.StrEnum):
    """What a channel type can do beyond text in and text out."""

    WEBHOOK = "webhook"  # the provider calls us
    POLLING = "polling"  # we read from the provider, under a lease, from a cursor
    LISTENER = "listener"  # peers write to a port of the channel's own
    RECEIPTS = "receipts"
    EDITS = "edits"
    ATTACHMENTS = "attachments"
    THREADS = "threads"
    PUBLIC = "public"  # others read along
    PRIVATE_CONVERSATION = "private_conversation"  # rule 12 of the dispatcher holds


NOTHING_TO_ASK = "nothing to ask: this provider offers no check of credentials"


class Limits(msgspec.Struct, frozen=True):
    """Bounds of a type: ``max_body`` of one inbound request in bytes, ``max_per_second`` outbound (``None``: none)."""

    max_body: int = 256 * 1024
    max_per_second: float | None = None
    max_in_flight: int = 32


class ChannelSettings(BaseModel):
    """Settings common to every channel; a type's own model adds to them."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: str = Field(description="the channel's type, the name of its folder under channels/")
    max_per_second: float | None = Field(
        default=None, gt=0, description="outbound messages a second; unset: the type's own limit"
    )
    max_in_flight: int | None = Field(
        default=None, ge=1, le=1000, description="replies in flight at once; unset: the type's own limit"
    )
    max_body: int | None = Field(
        default=None, ge=1024, description="bytes of one inbound request; unset: the type's own limit"
    )
    allow_from: tuple[Network, ...] = Field(
        default=(),
        description="networks that may call this channel's webhook or write to its port, such as 192.0.2.0/24; any "
        "other address is refused, whatever it proves; none: all may. Behind a proxy this needs server.trusted_proxies",
    )
    greeting_id: str = Field(
        default="", max_length=140, description="a line added to this channel's acknowledgements in Indonesian"
    )
    greeting_en: str = Field(default="", max_length=140, description="the same in English")


SettingsModel = type[ChannelSettings]


class Host(Protocol):
    """What the running program hands to a channel."""

    @property
    def http(self) -> HttpClient:
        """The client that all channels share."""
        ...

    def status_url(self, channel: str) -> str:
        """The public URL that takes this channel's delivery receipts, without a token."""
        ...

    def webhook_url(self, channel: str) -> str:
        """The public URL that takes this channel's messages, without a token."""
        ...

    def kept(self, channel: str) -> Kept:
        """What this channel keeps in the store."""
        ...


RawReader = Callable[[], Awaitable[bytes]]
"""Reads the raw payload of the message that a file came with."""


class Channel(abc.ABC):
    """One instance of a type, made by its :class:`ChannelSpec`.

    Parsing is synchronous and pure; I/O is done by :meth:`send`, :meth:`probe`, :meth:`register`, :meth:`download` and
    by the sources and the listener. A channel without a webhook refuses in :meth:`verify` whatever comes.
    """

    spec: ChannelSpec

    def __init__(self, name: str, settings: Any, host: Host) -> None:
        self.name = name
        self.settings = settings
        self.host = host

    @abc.abstractmethod
    def verify(self, request: Request) -> None:
        """Raise :class:`~channels.errors.Unverified` unless the request proves that it comes from the provider."""

    @abc.abstractmethod
    def parse(self, request: Request) -> Sequence[InboundMessage]:
        """The messages of one webhook call, in order. Raises :class:`~channels.errors.Malformed`."""

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:
        """The receipts of one status call, in order. Raises :class:`~channels.errors.Malformed`."""
        raise NotImplementedError

    def answer(self) -> Answer:
        """What the provider hears once the messages are durable."""
        return Answer()

    def challenge(self, request: Request) -> Answer | None:
        """The answer to a GET by which the provider makes sure of us; ``None`` where this request is none.

        Called before :meth:`verify`. Raises :class:`~channels.errors.Unverified` or
        :class:`~channels.errors.Malformed`.
        """
        del request
        return None

    def sources(self) -> Sequence[Source]:
        """The places that this channel reads, fresh ones at each call; none for a channel that is written to."""
        return ()

    def listener(self, take: Take) -> Listener | None:
        """The port of its own that this channel opens, if any; what comes there is handed to ``take``."""
        del take
        return None

    async def register(self) -> None:
        """Tell the provider where our webhook is, where it has to be told; done once at the start of an intake.

        Raises :class:`~channels.errors.RetryLater` or :class:`~channels.errors.Misconfigured`.
        """
        return

    def reread(self, raw: bytes, raw_type: str) -> Sequence[InboundMessage]:
        """Read once more what a source or listener brought and nobody could read, for an operator who asks.

        Raises :class:`~channels.errors.Malformed`.
        """
        del raw, raw_type
        raise Malformed("this channel cannot read it again", reason="unreadable")

    def download(self, attachment: Attachment, raw: RawReader) -> AsyncIterator[bytes]:
        """The bytes of a file that came with a message, in pieces; ``raw`` reads that message's payload.

        Raises, at the first piece or later, :class:`~channels.errors.RetryLater`, :class:`~channels.errors.Refused`
        or :class:`~channels.errors.Misconfigured`.
        """
        del attachment, raw
        raise Refused("this channel brings no files", reason="no_files")

    def quotas(self) -> Sequence[Quota]:
        """What the provider still lets this process do, as far as its answers told."""
        return ()

    async def close(self) -> None:
        """Let go of what the channel holds open."""
        return

    @abc.abstractmethod
    async def send(self, message: OutboundMessage) -> Sent:
        """Hand one reply to the provider.

        Raises :class:`~channels.errors.RetryLater`, :class:`~channels.errors.Uncertain`,
        :class:`~channels.errors.Refused` or :class:`~channels.errors.Misconfigured`.
        """

    async def probe(self) -> str:
        """Ask the provider whether the credentials work; returns one line for the operator.

        Raises :class:`~channels.errors.Misconfigured` or :class:`~channels.errors.RetryLater`.
        """
        return NOTHING_TO_ASK


class ChannelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A channel type, as its folder declares it.

    ``settings`` is the pydantic model of an instance, ``channel`` makes one, ``secret_fields`` names the settings
    that are never shown. ``proof`` tells by what an instance knows that something comes from its provider, in words
    such as "a token": ``""`` where by nothing, ``None`` where nobody writes to it. An instance of ``""`` is a wrong
    setting unless its settings have a key ``verification``, and it is "none". ``probe_every`` is the least number of
    seconds between two calls of :meth:`Channel.probe` by the running program, for a provider that counts or charges
    them. ``standin`` names the class in the folder's ``standin.py``, imported only when asked for.
    """

    type: str
    title: str
    settings: SettingsModel
    channel: Callable[[str, Any, Host], Channel]
    proof: Callable[[Any], str | None]
    limits: Limits = Limits()
    capabilities: frozenset[Capability] = frozenset()
    secret_fields: frozenset[str] = frozenset()
    probe_every: float = 0.0

    def make(self, name: str, settings: Any, host: Host) -> Channel:
        """One instance of this type."""
        made = self.channel(name, settings, host)
        made.spec = self
        return made
