"""What the contract test needs of each channel type: ``tests/channels/<type>/kit.py`` holds a :class:`Kit` named ``KIT``.

The golden fixtures are described in :mod:`tests.channels.goldens`.
"""

from __future__ import annotations

import abc
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from pydantic import SecretStr

from channels import registry
from channels.base import Channel, OutboundMessage, Request, Sent
from channels.errors import ChannelError
from channels.http import HttpClient
from channels.receiving import Item
from tests.channels.goldens import Golden
from tests.channels.host import FakeHost


class Exchange(msgspec.Struct):
    """What one sending came to: what the provider received, in parts by name, and what it meant for us."""

    received: list[dict[str, Any]]
    sent: Sent | None = None
    error: ChannelError | None = None


class Kit(abc.ABC):
    """One type's account and ways: ``settings`` are valid and hold every secret, ``secrets`` are those values."""

    type: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]]
    secrets: ClassVar[Sequence[str]]

    def channel(self, settings: Mapping[str, Any] | None = None, http: HttpClient | None = None) -> Channel:
        """A channel of this type; ``settings`` are the kit's unless given."""
        spec = registry.spec(self.type)
        return spec.make(self.type, spec.settings.model_validate(dict(settings or self.settings)), FakeHost(http))

    @abc.abstractmethod
    def read(self, channel: Channel, case: Mapping[str, Any]) -> Sequence[Item]:
        """What the channel makes of a golden's input. Raises :class:`~channels.errors.Malformed`."""

    @abc.abstractmethod
    async def exchange(self, golden: Golden) -> Exchange:
        """Send a golden's ``message`` to a real server that answers as its ``answer`` tells."""

    @abc.abstractmethod
    def citizen(self, n: int) -> str:
        """The address of the ``n``-th citizen (0 to 999), as the stand-in takes it."""

    @abc.abstractmethod
    def unproven(self) -> Sequence[tuple[str, Request]]:
        """Requests that a stranger may send, by name; each must be refused."""


async def attempt(channel: Channel, golden: Golden, received: list[dict[str, Any]]) -> Exchange:
    """Send a golden's message through a channel; ``received`` is filled by the server meanwhile."""
    message = msgspec.convert(golden.case["message"], OutboundMessage)
    try:
        return Exchange(received, sent=await channel.send(message))
    except ChannelError as error:
        return Exchange(received, error=error)
    finally:
        await channel.close()


def kits() -> list[Kit]:
    """The kit of every channel type there is; a type without one fails here."""
    return [importlib.import_module(f"tests.channels.{name}.kit").KIT for name in registry.types()]


def plain(value: Any) -> Any:
    """A setting as a settings file has it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return list(value) if isinstance(value, tuple | frozenset) else value
