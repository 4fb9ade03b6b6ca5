"""Types of single settings whose form is checked: topics, broker lists, URLs, words."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr

CHANNEL_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_CLOCK: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"


def _hours(value: str) -> str:
    found = re.fullmatch(f"({_CLOCK})-({_CLOCK}|24:00)", value)
    if value and (found is None or found[1] >= found[2]):
        raise ValueError('must be two times of one day such as "08:00-16:00", the later one last, or empty')
    return value


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in (".", ".."):
        raise ValueError("must be a Kafka topic name: 1 to 249 letters, digits, dots, hyphens or underscores")
    return name


def _servers(value: str) -> str:
    for server in value.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            raise ValueError('must be host:port, or several with commas between, such as "kafka-1:9092,kafka-2:9092"')
    return value


def _store_url(url: SecretStr) -> SecretStr:
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme in ("sqlite+aiosqlite", "postgresql+asyncpg") and rest:
        return url
    if scheme.startswith("postgres"):
        raise ValueError("must begin with postgresql+asyncpg:// (write that for what stands up to ://)")
    if scheme.startswith("sqlite"):
        raise ValueError("must begin with sqlite+aiosqlite:/// and a path (write that for what stands up to the path)")
    raise ValueError("must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")


def _public_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise ValueError(
            "must be an http:// or https:// address without a query, such as https://gateway.example.go.id"
        )
    return url.rstrip("/")


def _web_address(url: SecretStr) -> SecretStr:
    if url.get_secret_value() and not re.fullmatch(r"https?://[^\s/?#@]+([/?][^\s#]*)?", url.get_secret_value()):
        raise ValueError("must be an http:// or https:// address, or empty")
    return url


def _smtp_url(url: SecretStr) -> SecretStr:
    form = "must be smtps://user:password@host or smtp://user:password@host, special characters written as %40"
    try:
        parts = urlsplit(url.get_secret_value())
        complete = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError(form) from None
    if url.get_secret_value() and (
        parts.scheme not in ("smtp", "smtps") or not complete or parts.path.strip("/") or parts.query or parts.fragment
    ):
        raise ValueError(form)
    return url


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}@[a-z\d]([a-z\d.-]{0,251}[a-z\d])?", value, re.ASCII | re.I):
        raise ValueError("must be a mail address such as operator@example.go.id")
    return value


def _whole(value: Any) -> Any:
    # To Python, and so to pydantic, true is 1.
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic takes only this for a wrong value
    return value


def _plain(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _words(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in value if word.strip()))


TopicName = Annotated[str, AfterValidator(_topic)]
"""A name that Kafka takes for a topic."""

Servers = Annotated[str, AfterValidator(_servers)]
"""``host:port``, or several with commas between."""

StoreUrl = Annotated[SecretStr, AfterValidator(_store_url)]
"""SQLAlchemy's URL of an asynchronous driver that the gateway ships; it may hold a password."""

PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""An http or https address without a slash at its end; ``""`` for none."""

WebAddress = Annotated[SecretStr, AfterValidator(_web_address)]
"""An http or https address that may hold a key of its own, in its path or query; ``""`` for none."""

SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp_url)]
"""A mail server with user and password; ``""`` for none."""

MailAddress = Annotated[str, AfterValidator(_mail_address)]
"""A mailbox in ASCII, without a name beside it."""

Network = Annotated[IPvAnyNetwork, AfterValidator(_plain)]
"""A network such as 192.0.2.0/24, or one address; one of IPv4-mapped addresses is the IPv4 network it stands for."""

Words = Annotated[tuple[str, ...], AfterValidator(_words)]
"""Words as they are spelled, each once, in their order."""

Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number; ``true`` is none."""

Count = Annotated[Whole, Field(ge=1)]
"""One or more."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
"""A day of the week, Monday first."""

OfficeHours = Annotated[str, AfterValidator(_hours)]
"""From when to when on a day, ``08:00-16:00``; ``""`` for none."""

Notice = Annotated[str, Field(max_length=140)]
"""A line for citizens that still fits into a short message of two segments, behind an acknowledgement."""
