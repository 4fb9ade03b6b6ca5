"""One account at each provider, and channels that use them."""

from __future__ import annotations

from typing import Any

from channels.http import HttpClient
from channels.sms import SmsChannel, SmsSettings
from tests.channels.host import FakeHost

TOKEN = "s3cret-token"
PASSWORD = "pa55-word"
KEY = "k3y-of-the-api"
SIGNATURE = "s1gnature-secret"
SECRETS = (TOKEN, PASSWORD, KEY, SIGNATURE)

ACCOUNTS: dict[str, dict[str, Any]] = {
    "kannel": {
        "username": "lapor",
        "password": PASSWORD,
        "webhook_token": TOKEN,
        "send_url": "http://127.0.0.1:13013/cgi-bin/sendsms",
    },
    "twilio": {"username": "AC0123456789", "password": PASSWORD},
    "vonage": {"username": "abcd1234", "password": PASSWORD, "webhook_token": TOKEN},
    "infobip": {"api_key": KEY, "webhook_token": TOKEN},
    "zenziva": {"username": "userkey1", "password": PASSWORD},
    "generic": {"signature_secret": SIGNATURE, "send_url": "http://127.0.0.1:9000/generic"},
}
DIALECTS = tuple(ACCOUNTS)
INBOUND = tuple(name for name in ACCOUNTS if name != "zenziva")


def settings(dialect: str, **changes: Any) -> SmsSettings:
    """The settings of the account at ``dialect``."""
    return SmsSettings.model_validate(
        {"type": "sms", "dialect": dialect, "sender": "1708"} | ACCOUNTS[dialect] | changes
    )


def channel(dialect: str, *, http: HttpClient | None = None, name: str = "sms", **changes: Any) -> SmsChannel:
    """A channel with that account."""
    return SmsChannel(name, settings(dialect, **changes), FakeHost(http))
