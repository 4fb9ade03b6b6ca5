"""The access token: the one of the settings, or one that is renewed with a refresh token that changes at each use.

X's OAuth 2.0 (RFC 6749 section 6; X's docs, "OAuth 2.0 Authorization Code Flow with PKCE"): an access token lives two
hours, and each refresh token works once. So the newest pair is kept in the store, and renewing is done under a lease:
two processes that used the same refresh token would lock each other out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from typing import Any, Protocol

import msgspec

from channels.base import Host
from channels.errors import Misconfigured, RetryLater
from channels.http import HttpResponse, retry_after
from channels.twitter.settings import TwitterSettings, secret

NAME = "oauth2"
"""By this name the pair is kept, and leased."""
EARLY = 120.0
"""Seconds before its end at which a token is renewed."""
LIFE = 7200.0
"""Seconds that a token lives where X does not say."""


class Tokens(Protocol):
    """Where the access token comes from."""

    async def current(self, refused: str = "") -> str:
        """A token to try; never ``refused`` again, which X has just turned away.

        Raises :class:`Misconfigured` where no other can be had, :class:`RetryLater` where none can be had now.
        """
        ...


def tokens_of(channel: str, settings: TwitterSettings, host: Host) -> Tokens:
    """The tokens of one channel, as its settings have them."""
    if settings.bearer_token is not None:
        return FixedToken(secret(settings.bearer_token))
    return RenewedToken(channel, settings, host)


class FixedToken:
    """A token that we cannot renew."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def current(self, refused: str = "") -> str:
        """The token. Raises :class:`Misconfigured` where X refused it."""
        if refused == self._token:
            raise Misconfigured("X refuses bearer_token: it is revoked or has ended", reason="revoked")
        return self._token


class _Pair(msgspec.Struct, frozen=True):
    """A kept pair. ``seed`` tells which refresh token of the settings it descends from."""

    seed: str
    access: str
    refresh: str
    ends_at: float

    def good(self, refused: str, now: float) -> bool:
        return bool(self.access) and self.access != refused and now < self.ends_at - EARLY


class RenewedToken:
    """A token that is renewed before its end, or when X refuses it. All processes share one pair."""

    def __init__(self, channel: str, settings: TwitterSettings, host: Host) -> None:
        self._channel = channel
        self._settings = settings
        self._host = host
        self._seed = hashlib.sha256(secret(settings.refresh_token).encode()).hexdigest()
        self._pair: _Pair | None = None
        self._lock = asyncio.Lock()

    async def current(self, refused: str = "") -> str:
        """The token that all processes use; a new one where that has ended or is ``refused``."""
        if self._pair is not None and self._pair.good(refused, time.time()):
            return self._pair.access
        async with self._lock:
            if self._pair is None or not self._pair.good(refused, time.time()):
                self._pair = await self._shared(refused)
            return self._pair.access

    async def _shared(self, refused: str) -> _Pair:
        kept = self._host.kept(self._channel)
        pair = self._read(await kept.get(NAME))
        if pair.good(refused, time.time()):
            return pair
        async with kept.lease(NAME):
            # Another process may have been first.
            pair = self._read(await kept.get(NAME))
            if not pair.good(refused, time.time()):
                pair = await self._renewed(pair.refresh)
                await kept.put(NAME, msgspec.json.encode(pair).decode())
        return pair

    def _read(self, kept: str) -> _Pair:
        """What is kept, unless the operator has given another refresh token since."""
        try:
            pair = msgspec.json.decode(kept, type=_Pair)
        except msgspec.DecodeError:
            pair = None
        if pair is not None and pair.seed == self._seed:
            return pair
        return _Pair(self._seed, "", secret(self._settings.refresh_token), 0.0)

    async def _renewed(self, refresh: str) -> _Pair:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        client_id, client_secret = self._settings.client_id or "", secret(self._settings.client_secret)
        headers: dict[str, str] = {}
        if client_secret:
            pair = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        else:
            form["client_id"] = client_id
        url = f"{self._settings.api_url}/2/oauth2/token"
        try:
            response = await self._host.http.request("POST", url, data=form, headers=headers)
        except RetryLater as error:
            # Nothing of a message went out: never uncertain to the caller.
            raise RetryLater("X's token service does not answer", reason="connection") from error
        said = _renewal(response)
        life = said.get("expires_in")
        life = float(life) if isinstance(life, int | float) and 0 < life < 1e9 else LIFE
        return _Pair(self._seed, said["access_token"], said.get("refresh_token") or refresh, time.time() + life)


def _renewal(response: HttpResponse) -> dict[str, Any]:
    """The answer of X's token endpoint (RFC 6749 sections 5.1 and 5.2)."""
    said = response.json()
    said = said if isinstance(said, dict) else {}
    if response.status == 200 and isinstance(said.get("access_token"), str) and said["access_token"]:
        if not isinstance(said.get("refresh_token"), str | None):
            said.pop("refresh_token")
        return said
    if response.status == 401 or said.get("error") in ("invalid_client", "unauthorized_client"):
        raise Misconfigured("X refuses client_id and client_secret", reason="client_credentials")
    if response.status in (400, 403):
        raise Misconfigured("X refuses the refresh token: the account must authorise the app anew", reason="revoked")
    raise RetryLater(
        f"X's token service answered {response.status}",
        reason=f"http_{response.status}",
        retry_after=retry_after(response.headers),
    )
