"""The settings of one Telegram channel: one bot."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from channels.base import ChannelSettings

SECRET_FIELDS = frozenset({"token", "webhook_secret"})

_TOKEN = re.compile(r"[A-Za-z0-9:_-]{1,256}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


class TelegramSettings(ChannelSettings):
    """One bot, and how its updates reach us."""

    type: Literal["telegram"] = Field(default="telegram", description="the channel's type")
    token: SecretStr = Field(description="the bot's token, as @BotFather gives it")
    mode: Literal["polling", "webhook"] = Field(
        default="polling",
        description='"polling": the gateway asks Telegram for messages, no public address is needed; "webhook": '
        "Telegram calls the gateway, at server.public_url",
    )
    username: str = Field(
        default="",
        pattern=r"^@?[A-Za-z0-9_]{0,64}$",
        description="the bot's name in groups (@lapor_bot); unset: Telegram is asked for it at the start",
    )
    api_url: str = Field(
        default="https://api.telegram.org",
        pattern=r"^https?://[^\s?#]+$",
        description="the Bot API server; another one than Telegram's own for a local server or a stand-in",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="what Telegram proves itself with in the webhook mode, 1 to 256 letters, digits, _ and -; a "
        "random one of your own",
    )

    @field_validator("token")
    @classmethod
    def _a_token(cls, token: SecretStr) -> SecretStr:
        # It becomes a part of every URL.
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("a token is digits, a colon, and letters, digits, _ and -, with nothing around them")
        return token

    @field_validator("webhook_secret")
    @classmethod
    def _a_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not _SECRET.fullmatch(secret.get_secret_value()):
            raise ValueError("Telegram takes 1 to 256 letters, digits, _ and - as the secret, nothing else")
        return secret

    @field_validator("username")
    @classmethod
    def _bare(cls, username: str) -> str:
        return username.removeprefix("@")

    @field_validator("api_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode == "webhook" and self.webhook_secret is None:
            # An error at the key, as pydantic's own are.
            needed = PydanticCustomError("needed", "the webhook mode needs it to verify what comes in")
            error = InitErrorDetails(type=needed, loc=("webhook_secret",), input=None)
            raise ValidationError.from_exception_data("TelegramSettings", [error], hide_input=True)
        return self

    @property
    def proof(self) -> str | None:
        """By what Telegram is known; ``None`` where it is asked and does not call."""
        if self.mode != "webhook":
            return None
        return "a secret token" if self.webhook_secret else ""

    @property
    def bot_id(self) -> int:
        """The bot's user id, which stands in front of the token's colon; 0 where it does not."""
        digits, colon, _ = self.token.get_secret_value().partition(":")
        return int(digits) if colon and digits.isascii() and digits.isdigit() and len(digits) < 20 else 0
