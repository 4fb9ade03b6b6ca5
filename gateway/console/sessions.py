"""Sign-ins that hold. The browser has 256 random bits; the store has their hash, so that its copy opens nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.console.page import Role
from gateway.store.engine import Store
from gateway.store.operations import operators, sessions

SEEN_EVERY = 60.0
"""Seconds between two notes that a session is in use: a write for each page would be too many."""


class Session(msgspec.Struct, frozen=True):
    """A session and its account. ``id`` is the hash of the browser's token; ``local``: the account has a password."""

    id: str
    operator: str
    role: Role
    language: str
    csrf: str
    local: bool


class Sessions:
    """The sessions in one store: they end ``idle`` seconds after the last page, and ``lifetime`` after the sign-in."""

    def __init__(self, store: Store, *, idle: float, lifetime: float, now: Callable[[], float]) -> None:
        self._store = store
        self._idle = idle
        self._lifetime = lifetime
        self._now = now

    async def open(self, connection: AsyncConnection, operator: str, *, instead_of: str = "") -> str:
        """Begin a session in a transaction; returns the token for the browser, always a new one.

        The session of the token ``instead_of`` ends: one browser, one session. Sessions that are over are cleared.
        """
        now = self._now()
        token = secrets.token_urlsafe(32)
        gone = (sessions.c.until <= now) | (sessions.c.seen_at <= now - self._idle)
        await connection.execute(delete(sessions).where(gone | (sessions.c.id == identifier(instead_of))))
        await connection.execute(
            insert(sessions).values(
                id=identifier(token),
                operator=operator,
                csrf=secrets.token_urlsafe(32),
                created_at=now,
                seen_at=now,
                until=now + self._lifetime,
            )
        )
        return token

    async def find(self, token: str, *, seen: bool = True) -> Session | None:
        """The session of a token while it and its account hold. ``seen``: a page was asked for, by a person.

        Raises :class:`StoreUnavailable`.
        """
        now = self._now()
        wanted = (
            select(sessions, operators.c.role, operators.c.language, operators.c.password)
            .join(operators, operators.c.name == sessions.c.operator)
            .where(sessions.c.id == identifier(token), operators.c.active)
        )
        async with self._store.read() as connection:
            row = (await connection.execute(wanted)).first()
        if row is None or row.until <= now or row.seen_at <= now - self._idle:
            return None
        if seen and row.seen_at <= now - SEEN_EVERY:
            async with self._store.write() as connection:
                await connection.execute(update(sessions).where(sessions.c.id == row.id).values(seen_at=now))
        return Session(row.id, row.operator, row.role, row.language, row.csrf, local=row.password != "")

    async def count(self, operator: str) -> int:
        """How many sessions of an operator hold. Raises :class:`StoreUnavailable`."""
        now = self._now()
        holding = (sessions.c.until > now) & (sessions.c.seen_at > now - self._idle)
        wanted = select(func.count()).select_from(sessions).where(sessions.c.operator == operator, holding)
        async with self._store.read() as connection:
            return int((await connection.execute(wanted)).scalar_one())

    async def close(self, connection: AsyncConnection, token: str) -> None:
        """End the session of a token, in a transaction."""
        await connection.execute(delete(sessions).where(sessions.c.id == identifier(token)))


def identifier(token: str) -> str:
    """The id of a token's session: its SHA-256. No salt is needed, the token is random."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
