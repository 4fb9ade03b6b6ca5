"""An account at X, and channels that use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.http import HttpClient
from channels.twitter import TwitterChannel, TwitterSettings
from tests.channels.host import FakeHost

TOKEN = "u5er-t0ken"
CLIENT_SECRET = "cl1ent-secret"
REFRESH = "r3fresh-t0ken"
CONSUMER = "c0nsumer-secret"
SECRETS = (TOKEN, CLIENT_SECRET, REFRESH, CONSUMER)

USER_ID = "1700000000000001708"
HANDLE = "lapor1708"
ACCOUNT: dict[str, Any] = {
    "type": "twitter",
    "handle": HANDLE,
    "user_id": USER_ID,
    "bearer_token": TOKEN,
    "consumer_secret": CONSUMER,
}
RENEWED: dict[str, Any] = {
    "bearer_token": None,
    "client_id": "client-1",
    "client_secret": CLIENT_SECRET,
    "refresh_token": REFRESH,
}


def settings(**changes: Any) -> TwitterSettings:
    """The settings of the account."""
    return TwitterSettings.model_validate(ACCOUNT | changes)


def channel(*, host: FakeHost | None = None, http: HttpClient | None = None, **changes: Any) -> TwitterChannel:
    """A channel of that account."""
    return TwitterChannel("twitter", settings(**changes), host or FakeHost(http))


@asynccontextmanager
async def opened(url: str, *, host: FakeHost | None = None, **changes: Any) -> AsyncIterator[TwitterChannel]:
    """A channel of that account whose X is at ``url``; closed at the end."""
    async with HttpClient() as http:
        host = host or FakeHost(http)
        host.http = http
        made = TwitterChannel("twitter", settings(api_url=url, **changes), host)
        try:
            yield made
        finally:
            await made.close()
