"""The servers that alerts go to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.alerts.servers import Ear, http_server, mail_server


@pytest.fixture
async def hook() -> AsyncIterator[Ear]:
    """Takes webhooks, the Bot API's calls, the heartbeat's."""
    async with http_server() as ear:
        yield ear


@pytest.fixture
async def mailbox() -> AsyncIterator[Ear]:
    """Takes mails: sender, recipients, mail."""
    async with mail_server() as ear:
        yield ear
