"""Slowing down who guesses passwords: each account and each address has a few tries, then waits that grow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Literal

from aiohttp import web
from sqlalchemy import delete, select, update

from channels.peers import Networks, source
from gateway.store.engine import Store
from gateway.store.operations import sign_in_failures

FREE: Final = {"account": 5, "address": 20}
"""Tries without a wait. An office behind one address has many operators who mistype."""
LONGEST_WAIT: Final = 900.0
FORGET_AFTER: Final = 3600.0

Kind = Literal["account", "address"]


def wait_after(kind: Kind, failures: int) -> float:
    """Seconds until the next try after so many failures: none for the first ones, then doubled from 2 to 900."""
    over = failures - FREE[kind]
    return 0.0 if over < 0 else min(LONGEST_WAIT, float(1 << min(over + 1, 10)))


class Throttle:
    """Counts tries in the store, so that it holds over all processes and restarts."""

    def __init__(self, store: Store, *, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def take(self, account: str, address: str) -> float:
        """Take a try; returns 0, or the seconds to wait where there is none.

        A try counts as failed before it is made: a hundred at once are a hundred. Raises :class:`StoreUnavailable`.
        """
        now = self._now()
        keys: dict[str, Kind] = {_key("account", account): "account", _key("address", address): "address"}
        ordered = sorted(keys)
        table = sign_in_failures
        insert = self._store.insert(table)
        async with self._store.write() as connection:
            # Made first, so that two processes cannot both find it missing; in one order, so that neither waits for
            # the other in a circle.
            made = insert.values(
                [{"key": key, "failures": 0, "first_at": now, "blocked_until": 0.0} for key in ordered]
            )
            await connection.execute(made.on_conflict_do_nothing())
            wanted = select(table).where(table.c.key.in_(ordered)).order_by(table.c.key).with_for_update()
            rows = (await connection.execute(wanted)).all()
            wait = max(float(row.blocked_until) - now for row in rows)
            if wait > 0:
                return wait
            for row in rows:
                failures = 1 + (0 if row.blocked_until < now - FORGET_AFTER else row.failures)
                changed = update(table).where(table.c.key == row.key)
                blocked = now + wait_after(keys[row.key], failures)
                await connection.execute(changed.values(failures=failures, blocked_until=blocked))
        return 0.0

    async def succeeded(self, account: str, address: str) -> None:
        """The try was no failure: the account starts anew, the address has its try back.

        Not more than that one: else somebody with an account of their own could guess at the others' for ever.
        """
        table = sign_in_failures
        async with self._store.write() as connection:
            await connection.execute(delete(table).where(table.c.key == _key("account", account)))
            back = update(table).where(table.c.key == _key("address", address), table.c.failures > 0)
            await connection.execute(back.values(failures=table.c.failures - 1, blocked_until=self._now()))
        async with self._store.write() as connection:
            await connection.execute(delete(table).where(table.c.blocked_until < self._now() - FORGET_AFTER))


def address_of(request: web.Request, proxies: Networks) -> str:
    """Which address a try counts for."""
    return source(request.remote or "", request.headers.getall("X-Forwarded-For", []), proxies)


def _key(kind: Kind, value: str) -> str:
    # Hashed, so that a password typed into the wrong field is not kept.
    return hashlib.sha256(f"{kind}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()
