"""What starting the gateway costs: nothing is imported for what is not configured."""

from __future__ import annotations

import subprocess
import sys

import pytest

STARTED = """
import sys
import gateway.__main__
gateway.__main__._import_structlog()
import gateway.cli, gateway.log, gateway.app, gateway.console.pages
from config.settings import Settings
from gateway.channelset import load_channels
sms = {"type": "sms", "dialect": "kannel", "sender": "1708", "webhook_token": "t", "username": "u", "password": "p",
       "send_url": "http://127.0.0.1:1/"}
load_channels(Settings(channels={"sms": sms}))
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The modules of a process that is about to start with SMS alone."""
    run = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("channel", ["email", "telegram", "twitter"])
def test_a_channel_that_is_not_configured_is_not_imported(imported: set[str], channel: str) -> None:
    assert "channels.sms.channel" in imported
    assert f"channels.{channel}" not in imported


@pytest.mark.parametrize(
    "library",
    [
        *(
            "aiokafka",
            "aiosmtpd",
            "aiosmtplib",
            "alembic",
            "imap_tools",
            "inscriptis",
            "phonenumbers",
            "telegram",
            "tweepy",
        ),
        *("asyncpg", "rich", "sqlalchemy.dialects.postgresql"),
    ],
)
def test_what_only_some_need_is_not_imported(imported: set[str], library: str) -> None:
    assert library not in imported
