"""The part of a process that tells the alert sinks of changes of health, and its making from the settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from channels.http import HttpClient
from config.settings import Settings
from gateway.alerts.ledger import LEASE
from gateway.alerts.sinks import Sink
from gateway.alerts.telegram import Telegram
from gateway.alerts.teller import Teller
from gateway.alerts.webhook import Webhook
from gateway.metrics import Metrics
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import release


class Alerts:
    """Tells every one of ``sinks``, one process at a time. ``owner`` names the process in the lease.

    The sinks are closed when it ends.
    """

    def __init__(
        self, sinks: Sequence[Sink], *, settings: Settings, store: Store, metrics: Metrics, owner: str
    ) -> None:
        self._sinks = tuple(sinks)
        self._store = store
        self._owner = owner
        names = [sink.name for sink in sinks]
        self._tellers = [
            Teller(sink, settings=settings.alerts, store=store, metrics=metrics, owner=owner, sinks=names)
            for sink in sinks
        ]

    def stop(self) -> None:
        """Tell nothing more."""
        for teller in self._tellers:
            teller.stop()

    async def run(self) -> None:
        """Tell until :meth:`stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                for teller in self._tellers:
                    group.create_task(teller.run())
        finally:
            for sink in self._sinks:
                await sink.close()
            with contextlib.suppress(StoreUnavailable, DBAPIError):
                await release(self._store, LEASE, self._owner)


def make_sinks(settings: Settings, http: HttpClient, base_url: Callable[[], str]) -> list[Sink]:
    """The sinks that the settings name. ``base_url`` is the gateway's own address, as people reach it."""
    chosen = settings.alerts
    sinks: list[Sink] = []
    if url := chosen.webhook_url.get_secret_value():
        sinks.append(Webhook(http, url, chosen.webhook_token.get_secret_value(), base_url))
    if chosen.email_to:
        # Its mail library is for those who use it.
        from gateway.alerts.mail import Mail

        smtp_url = chosen.smtp_url.get_secret_value()
        sinks += [Mail(smtp_url, chosen.email_from, to, settings.zone, base_url) for to in chosen.email_to]
    if token := chosen.telegram_token.get_secret_value():
        sinks.append(Telegram(http, chosen.telegram_api_url, token, chosen.telegram_chat, settings.zone, base_url))
    return sinks
