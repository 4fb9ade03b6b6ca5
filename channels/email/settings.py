"""The settings of one mailbox: where mail is read or taken, where replies are handed over, and as whom."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, Literal, Self
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from channels.base import ChannelSettings
from channels.email.addresses import canonical
from config.durations import DAY, MIB, Bytes, Seconds

SECRET_FIELDS = frozenset({"imap_url", "smtp_url"})

LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN: Final = rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*"
ADDRESS: Final = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{DOMAIN}")
"""A mailbox as this gateway writes to it: RFC 5321's dot-string, some liberty with the dots, at a domain in ASCII."""

PORTS: Final = {"imaps": 993, "imap": 143, "smtps": 465, "smtp": 587}
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")

Network = IPv4Network | IPv6Network


class Server(msgspec.Struct, frozen=True):
    """A mail server as a URL names it. ``tls`` is from the first byte; ``username`` is ``""`` where none is given."""

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = ""

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted from its first byte."""
        return self.scheme in ("imaps", "smtps")

    @property
    def local(self) -> bool:
        """Whether it is on this machine, so that nothing of it is seen on a network."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def __repr__(self) -> str:
        return f"Server({self.scheme}://{self.host}:{self.port})"


def server(url: str, *schemes: str) -> Server:
    """The server that a URL names. Raises :class:`ValueError`, whose text holds nothing of the URL."""
    form = f"must be {' or '.join(f'{scheme}://user:password@host' for scheme in schemes)}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(form) from None
    if parts.scheme not in schemes or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{form}; special characters of the password are written as %40")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if re.search(r"[\0\r\n]", username + password):
        raise ValueError("user and password hold no line ends")
    return Server(parts.scheme, parts.hostname, port or PORTS[parts.scheme], username, password)


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise ValueError("must be a mail address such as lapor@example.go.id")
    return value.lower()


def _network(value: str) -> str:
    return str(ip_network(value, strict=False))


def _readable(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    found = server(value.get_secret_value(), "imaps", "imap")
    if not found.username or not found.password:
        raise ValueError("must name a user and a password: imaps://user:password@host")
    if not found.tls and not found.local:
        raise ValueError("imap:// shows the password to the network: use imaps:// unless the host is this machine")
    return value


def _writable(value: SecretStr) -> SecretStr:
    server(value.get_secret_value(), "smtps", "smtp")
    return value


Address = Annotated[str, AfterValidator(_address)]
NetworkText = Annotated[str, AfterValidator(_network)]


class EmailSettings(ChannelSettings):
    """One mailbox: read by IMAP, written to by our own MTA over SMTP or LMTP, or both."""

    type: Literal["email"] = Field(default="email", description="the channel's type")
    address: Address = Field(description="the address that citizens write to and replies come from")
    aliases: tuple[Address, ...] = Field(
        default=(), description="further addresses of this mailbox; mail to them is taken, mail from them is our own"
    )
    from_name: str = Field(default="LAPOR!", max_length=100, description="the name beside the address in replies")
    imap_url: Annotated[SecretStr, AfterValidator(_readable)] | None = Field(
        default=None,
        description="the mailbox to read: imaps://user:password@host; imap:// only on this machine",
    )
    folders: tuple[str, ...] = Field(
        default=("INBOX",),
        min_length=1,
        max_length=20,
        description="folders to read, the spam folder too",
    )
    backfill: Seconds = Field(
        default=DAY,
        description="at the very first start: mail older than this is recorded, not answered",
    )
    poll_seconds: Seconds = Field(
        default=30.0, description="how often to look where the IMAP server does not tell of new mail (IDLE)"
    )
    listen: str | None = Field(
        default=None, description="host:port to take mail at, such as 127.0.0.1:8025; unset: none is taken"
    )
    protocol: Literal["smtp", "lmtp"] = Field(default="smtp", description="what is spoken at listen")
    allowed_peers: tuple[NetworkText, ...] = Field(
        default=LOOPBACK,
        description="addresses or networks that may write to listen: our own MTA; loopback unless set",
    )
    verification: Literal["required", "none"] = Field(
        default="required",
        description='"none" lets everyone who reaches listen write in any citizen\'s name; only where a firewall '
        "lets nobody else through",
    )
    trusted_authserv: str = Field(
        default="",
        description="the name our own MTA puts into Authentication-Results; unset: none of them is believed",
    )
    smtp_url: Annotated[SecretStr, AfterValidator(_writable)] = Field(
        description="where replies are handed over: smtps://user:password@host, or smtp:// with STARTTLS",
    )
    message_id_domain: str | None = Field(
        default=None,
        pattern=rf"^(?:{LABEL}\.)*{LABEL}$",
        description="the domain in our replies' Message-ID; unset: that of address",
    )
    max_size: Bytes = Field(
        default=50 * MIB, ge=64 * 1024, le=1024 * MIB, description="bytes of one mail; a larger one is not read"
    )

    @field_validator("folders")
    @classmethod
    def _folders(cls, folders: tuple[str, ...]) -> tuple[str, ...]:
        if any(not folder.strip() or re.search(r"[\0\r\n]", folder) for folder in folders):
            raise ValueError("a folder has a name without line ends")
        return tuple(dict.fromkeys(folders))

    @field_validator("listen")
    @classmethod
    def _listen(cls, listen: str | None) -> str | None:
        if listen is not None:
            endpoint(listen)
        return listen

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.imap_url is None and self.listen is None:
            # At the key, as pydantic's own errors are.
            needed = PydanticCustomError("needed", "this or listen is needed, or no mail comes in")
            raise ValidationError.from_exception_data(
                "EmailSettings", [InitErrorDetails(type=needed, loc=("imap_url",), input=None)], hide_input=True
            )
        return self

    @property
    def own_addresses(self) -> frozenset[str]:
        """Every address that is ours, in lower case."""
        return frozenset(map(canonical, (self.address, *self.aliases)))

    @property
    def domain(self) -> str:
        """The domain of our Message-IDs."""
        return self.message_id_domain or self.address.rpartition("@")[2]

    @property
    def imap(self) -> Server | None:
        """The server that is read."""
        return server(self.imap_url.get_secret_value(), "imaps", "imap") if self.imap_url is not None else None

    @property
    def smtp(self) -> Server:
        """The server that takes our replies."""
        return server(self.smtp_url.get_secret_value(), "smtps", "smtp")

    @property
    def proof(self) -> str | None:
        """By what those who write to ``listen`` are known; ``""``: by nothing, ``None``: nothing listens."""
        if self.listen is None:
            return None
        return "" if self.verification == "none" else "its address"

    @property
    def peers(self) -> tuple[Network, ...] | None:
        """Who may write to ``listen``; ``None`` for everyone."""
        return None if self.verification == "none" else tuple(ip_network(peer) for peer in self.allowed_peers)


def endpoint(text: str) -> tuple[str, int]:
    """``127.0.0.1:8025`` or ``[::1]:8025`` as host and port. Raises :class:`ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError("must be host:port, such as 127.0.0.1:8025")
    return host.removeprefix("[").removesuffix("]"), int(port)
