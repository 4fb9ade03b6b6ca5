"""The settings of one X account."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from channels.base import ChannelSettings
from config.durations import DAY, MINUTE, Seconds, Window

SECRET_FIELDS = frozenset({"bearer_token", "client_secret", "refresh_token", "consumer_secret"})

MEDIA_HOSTS = ("pbs.twimg.com", "video.twimg.com")
"""Where X serves the photos and videos of posts."""


class TwitterSettings(ChannelSettings):
    """One account at X: its handle and id, how we prove to be it, and how its mentions reach us."""

    type: Literal["twitter"] = Field(default="twitter", description="the channel's type")
    mode: Literal["mentions", "webhook"] = Field(
        default="mentions",
        description='"mentions" reads the mentions and direct messages every poll_seconds; with "webhook" X sends them '
        "(X Activity API) to /webhooks/<channel>",
    )
    api_url: str = Field(default="https://api.x.com", pattern=r"^https?://[^\s/]+/?$", description="where X's API is")
    handle: str = Field(pattern=r"^@?[A-Za-z0-9_]{1,15}$", description="the account's handle, such as lapor1708")
    user_id: str = Field(pattern=r"^[0-9]{1,19}$", description="the account's numeric id")
    bearer_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="an OAuth 2 user token of the account; X lets it live two hours, so this is for trials. "
        "An app-only token cannot post",
    )
    client_id: str | None = Field(default=None, min_length=1, description="the app's OAuth 2 client id")
    client_secret: SecretStr | None = Field(
        default=None, min_length=1, description="the app's OAuth 2 client secret; a public client has none"
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="the first refresh token (scope offline.access); X gives a new one at each use, and that is kept "
        "in the store. A changed value here begins anew",
    )
    consumer_secret: SecretStr | None = Field(
        default=None, min_length=1, description="the app's API secret: it signs what X sends in the webhook mode"
    )
    poll_seconds: float = Field(default=15.0, ge=1.0, le=3600.0, description="seconds between two readings of mentions")
    catch_up: Window = Field(
        default=10 * MINUTE,
        description="in the webhook mode, how often mentions and messages are read all the same, for what X could not "
        "hand over; 0: never",
    )
    backfill: Window = Field(
        default=DAY, description="at the very first start, how old a message may be and still be answered"
    )
    overlap: Seconds = Field(
        default=10 * MINUTE,
        ge=MINUTE,
        description="how far each reading goes back over what was read: X shows some mentions late",
    )
    direct_messages: bool = Field(default=True, description="whether direct messages are read too")
    hashtag: str = Field(
        default="",
        pattern=r"^#?\w{0,100}$",
        description="a hashtag that a public post must bear to be a complaint, such as lapor; replies to the account "
        "need none; unset: every mention is taken",
    )
    max_length: int = Field(
        default=280, ge=100, le=25_000, description="weighted length of a public reply; more only for paid accounts"
    )
    media_hosts: tuple[str, ...] = Field(
        default=MEDIA_HOSTS, description="the hosts that photos and videos are fetched from, by HTTPS alone"
    )

    @field_validator("handle")
    @classmethod
    def _bare_handle(cls, handle: str) -> str:
        return handle.removeprefix("@")

    @field_validator("hashtag")
    @classmethod
    def _bare_hashtag(cls, hashtag: str) -> str:
        return hashtag.removeprefix("#").casefold()

    @field_validator("api_url")
    @classmethod
    def _origin(cls, url: str) -> str:
        return url.removesuffix("/")

    @field_validator("media_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if any(not host or set(host) & set("/:@*? ") for host in hosts):
            raise ValueError("a host is a bare name, such as pbs.twimg.com")
        return tuple(host.lower() for host in hosts)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        said: dict[str, str] = {}
        if self.bearer_token is not None:
            for key in ("client_id", "client_secret", "refresh_token"):
                if getattr(self, key) is not None:
                    said[key] = "give either bearer_token, or client_id and refresh_token, not both"
        elif self.client_id is None and self.refresh_token is None:
            said["bearer_token"] = "needed to read and reply, unless client_id and refresh_token are set"  # noqa: S105
        else:
            for key, other in (("client_id", "refresh_token"), ("refresh_token", "client_id")):
                if getattr(self, key) is None:
                    said[key] = f"{other} needs it, to renew the token"
        if self.mode == "webhook" and self.consumer_secret is None:
            said["consumer_secret"] = "the webhook mode needs it, to verify what comes in"  # noqa: S105
        if said:
            # An error for each key, at the key, as pydantic's own are.
            errors = [
                InitErrorDetails(type=PydanticCustomError("needed", "{text}", {"text": text}), loc=(key,), input=None)
                for key, text in said.items()
            ]
            raise ValidationError.from_exception_data("TwitterSettings", errors, hide_input=True)
        return self

    @property
    def proof(self) -> str | None:
        """By what X is known; ``None`` where it is asked and does not call."""
        if self.mode != "webhook":
            return None
        return "a signature" if self.consumer_secret else ""


def secret(value: SecretStr | None) -> str:
    """The secret itself; ``""`` where it is not set."""
    return value.get_secret_value() if value is not None else ""
