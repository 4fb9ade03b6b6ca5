"""What the running program hands to its channels."""

from __future__ import annotations

from channels.http import HttpClient
from gateway.store.cursors import StoreKept
from gateway.store.engine import Store


class Hub:
    """What channels are handed (:class:`channels.base.Host`)."""

    def __init__(self, base_url: str, store: Store, owner: str, http: HttpClient | None = None) -> None:
        self.base_url = base_url
        self._store = store
        self._owner = owner
        self._http = http
        self._kept: dict[str, StoreKept] = {}

    @property
    def http(self) -> HttpClient:
        """The client that the channels of this process share."""
        if self._http is None:
            raise RuntimeError("the HTTP client is not open")
        return self._http

    def open(self, http: HttpClient) -> None:
        """The program runs: channels may call their providers from now on."""
        self._http = http

    def webhook_url(self, channel: str) -> str:
        """Where this channel's messages come in."""
        return f"{self.base_url}/webhooks/{channel}"

    def kept(self, channel: str) -> StoreKept:
        """What this channel keeps in the store."""
        found = self._kept.get(channel)
        if found is None:
            found = self._kept[channel] = StoreKept(self._store, channel, self._owner)
        return found

    def status_url(self, channel: str) -> str:
        """Where this channel's receipts come in."""
        return f"{self.base_url}/webhooks/{channel}/status"
