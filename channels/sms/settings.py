"""The settings of one SMS channel, and which of them each dialect needs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from channels.base import ChannelSettings
from channels.sms.regions import REGIONS
from config.durations import MINUTE, Seconds

DialectName = Literal["kannel", "twilio", "vonage", "infobip", "zenziva", "generic"]

SECRET_FIELDS = frozenset({"webhook_token", "password", "api_key", "signature_secret", "status_page"})

NEEDED: dict[str, tuple[str, ...]] = {
    "kannel": ("send_url", "username", "password"),
    "twilio": ("username", "password"),
    "vonage": ("username", "password"),
    "infobip": ("api_key",),
    "zenziva": ("username", "password"),
    "generic": ("send_url", "signature_secret"),
}
"""What each dialect cannot send without."""

PROVES: dict[str, tuple[str, ...]] = {
    "kannel": ("webhook_token",),
    "twilio": (),
    "vonage": ("webhook_token", "signature_secret"),
    "infobip": ("webhook_token",),
    "zenziva": (),
    "generic": (),
}
"""Of these one must be set, so that an inbound request can be verified. Twilio signs with ``password``, generic
with ``signature_secret``, both needed anyway; Zenziva sends nothing in."""


class SmsSettings(ChannelSettings):
    """One SMS channel: a dialect, the number it speaks as, and what the provider needs to know us by."""

    type: Literal["sms"] = Field(default="sms", description="the channel's type")
    dialect: DialectName = Field(description="whose API this channel speaks")
    sender: str = Field(
        min_length=1,
        max_length=40,
        description="the number or name that replies come from, such as 1708; at Twilio also a messaging service (MG…)",
    )
    send_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="where messages are sent; unset: the provider's own address (kannel and generic have none)",
    )
    username: str | None = Field(
        default=None,
        min_length=1,
        description="Kannel: username; Twilio: Account SID; Vonage: API key; Zenziva: userkey",
    )
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Kannel: password; Twilio: Auth Token (it also signs what comes in); Vonage: API secret; "
        "Zenziva: passkey",
    )
    api_key: SecretStr | None = Field(default=None, min_length=1, description="Infobip: API key")
    status_page: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Kannel: bearerbox's status page with its password, such as "
        "http://127.0.0.1:13000/status.txt?password=…; unset: it is not asked how it is",
    )
    signature_secret: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="generic: the key of the HMAC-SHA256 signatures, in and out; Vonage: the signature secret of "
        "signed webhooks",
    )
    webhook_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="what the provider proves itself with where it does not sign: ?token=, the form field token or "
        "the header X-Webhook-Token",
    )
    verification: Literal["required", "none"] = Field(
        default="required",
        description='"none" takes every request unproven: anyone who finds the address can write in any citizen\'s '
        "name; only for a listener that nobody else can reach",
    )
    timestamp_window: Seconds = Field(
        default=5 * MINUTE,
        description="by how much the timestamp of a signed request (generic) may differ from our clock",
    )
    home_country: str = Field(
        default="ID", pattern=r"^[A-Z]{2}$", description="ISO 3166 country of numbers without a country code"
    )
    regions: tuple[str, ...] = Field(
        default=REGIONS, description="region keywords that may stand in front of a text: TANGKAB jalan rusak"
    )

    @field_validator("regions")
    @classmethod
    def _upper(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(word.strip().upper() for word in regions))
        if any(not word or len(word.split()) > 1 for word in words):
            raise ValueError("a region keyword is one word")
        return words

    @property
    def proof(self) -> str | None:
        """By what the provider is known; ``""``: by nothing, ``None``: it sends nothing in."""
        if self.dialect == "zenziva":
            return None
        if self.verification == "none":
            return ""
        signed = self.dialect in ("twilio", "generic") or (self.dialect == "vonage" and self.signature_secret)
        return "a signature" if signed else "a token" if self.webhook_token else ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        said = {key: "the dialect {dialect} needs it" for key in NEEDED[self.dialect] if getattr(self, key) is None}
        proofs = PROVES[self.dialect]
        if self.verification == "required" and proofs and all(getattr(self, key) is None for key in proofs):
            also = "".join(f" (or {key})" for key in proofs[1:])
            said[proofs[0]] = f"the dialect {{dialect}} needs it{also} to verify what comes in"
        if said:
            # An error for each key, at the key, as pydantic's own are.
            errors = [
                InitErrorDetails(
                    type=PydanticCustomError("needed", text, {"dialect": self.dialect}), loc=(key,), input=None
                )
                for key, text in said.items()
            ]
            raise ValidationError.from_exception_data("SmsSettings", errors, hide_input=True)
        return self


def secret(value: SecretStr | None) -> str:
    """The secret itself; ``""`` where it is not set."""
    return value.get_secret_value() if value is not None else ""
