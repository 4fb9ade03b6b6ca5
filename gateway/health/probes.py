"""Asking providers whether they take our credentials, where they have a call for that (getMe, NOOP, users/me, …).

Of several processes that could ask, one does. What the answer says of a quota says nothing of the credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import DBAPIError

from channels.base import NOTHING_TO_ASK, Channel
from channels.errors import ChannelError, Misconfigured, RetryLater
from gateway.health.journal import Journal
from gateway.health.parts import Part
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.leases import acquire, release

log = structlog.get_logger(__name__)

NO_NEWS = frozenset({"throttled", "quota", "store_away"})
"""Reasons of an answer that tells nothing of the credentials."""


class Probes:
    """The probes of one process, a supervised part. ``timeout`` is what one may take, ``every`` their distance."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        store: Store,
        owner: str,
        every: float,
        timeout: float,
        journal: Journal,
    ) -> None:
        self._channels = channels
        self._store = store
        self._owner = owner
        self._every = every
        self._timeout = timeout
        self._journal = journal
        self._stopping = asyncio.Event()
        self.found: dict[str, Part] = {}
        """What each provider said last."""
        self.at: dict[str, float] = {}
        """When (Unix seconds)."""

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopping.set()

    async def run(self) -> None:
        """Ask until :meth:`stop`."""
        async with asyncio.TaskGroup() as group:
            for channel in self._channels.values():
                group.create_task(self._ask(channel), name=f"probe {channel.name}")

    async def _ask(self, channel: Channel) -> None:
        every = max(self._every, channel.spec.probe_every)
        lease = f"probe:{channel.name}"
        try:
            while not self._stopping.is_set():
                try:
                    ours = await acquire(self._store, lease, self._owner, 1.5 * every)
                except (StoreUnavailable, DBAPIError):
                    ours = False
                if ours:
                    if not await self.probe(channel):
                        return
                else:
                    self.found.pop(channel.name, None)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), every)
        finally:
            with contextlib.suppress(StoreUnavailable, DBAPIError):
                await release(self._store, lease, self._owner)

    async def probe(self, channel: Channel) -> bool:
        """Ask one provider now; false where it cannot be asked at all."""
        began = time.monotonic()
        said, status = "", 0
        try:
            async with asyncio.timeout(self._timeout):
                said = await channel.probe()
        except Misconfigured as error:
            said = f"{error.reason}: {error}"
            part: Part | None = Part("down", said, refused=True)
        except RetryLater as error:
            said = f"{error.reason}: {error}"
            part = None if error.reason in NO_NEWS else Part("degraded", f"cannot be asked: {said}")
        except ChannelError as error:
            said = f"{error.reason}: {error}"
            part = Part("degraded", f"cannot be asked: {said}")
        except TimeoutError:
            said = "no answer within the time allowed"
            part = Part("degraded", f"cannot be asked: {said}")
        except Exception as error:
            # One channel's mistake must not end the asking of the others.
            log.exception("health.probe_failed", channel=channel.name)
            said, part = type(error).__name__, Part("degraded", "cannot be asked: the probe failed")
        else:
            if said == NOTHING_TO_ASK:
                return False
            part, status = Part("healthy"), 200
        self._journal.note(channel.name, "out", "probe", status, time.monotonic() - began, answer=said)
        self.at[channel.name] = time.time()
        if part is not None:
            self.found[channel.name] = part
        return True
