"""Settings of a mailbox for the tests."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from channels.email.settings import EmailSettings
from tests.channels.email.kit import SETTINGS


def settings(**changes: Any) -> EmailSettings:
    """The kit's account, its servers on the loopback, with keys changed; ``None`` takes a key away."""
    loopback = {
        "imap_url": "imap://lapor:0ther-pa55@127.0.0.1:1",
        "smtp_url": "smtp://lapor:pa55-word@127.0.0.1:1",
    }
    merged = dict(SETTINGS) | loopback | changes
    return EmailSettings.model_validate({key: value for key, value in merged.items() if value is not None})


def plain(url: SecretStr) -> str:
    """The URL itself."""
    return url.get_secret_value()
