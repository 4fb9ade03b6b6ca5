"""Operators' accounts, in the store. Passwords are kept as Argon2id hashes (RFC 9106)."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import time
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.console.page import Role
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.operations import operators, sessions

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
SANDBOX_OPERATOR: Final = "sandbox"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?")
# The library's defaults are RFC 9106's second recommendation: 64 MiB, three passes.
_HASHER = PasswordHasher()
# Each hash takes 64 MiB for some 50 ms: more at once would let a stranger fill the memory.
_AT_ONCE = 2


def hash_of_nobody(hasher: PasswordHasher) -> str:
    """A hash that no password has, in Argon2's notation: to compare it with one takes as long as with a real one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


_NOBODY = hash_of_nobody(_HASHER)


class AccountError(Exception):
    """The account cannot be made or changed; the message says why."""


class Account(msgspec.Struct, frozen=True):
    """One account. ``password`` is Argon2's notation, ``""`` for who signs in elsewhere; times are Unix seconds."""

    name: str
    role: Role
    password: str
    language: str
    active: bool
    created_at: float


class Passwords:
    """Hashes and verifies passwords in threads, a few at once."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """The password's hash, with a salt of its own."""
        async with self._turn:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def verify(self, account: Account | None, password: str) -> bool:
        """Whether the password is the account's. The same work for none, for a disabled one, and for one without."""
        usable = account is not None and account.active and account.password != ""
        known = account.password if account is not None and usable else _NOBODY
        async with self._turn:
            matches = await asyncio.to_thread(_matches, known, password)
        return matches and usable


def _matches(known: str, password: str) -> bool:
    try:
        return _HASHER.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False


def clean_name(name: str) -> str:
    """The account's name as it is kept: in small letters. Raises :class:`AccountError`."""
    cleaned = name.strip().lower()
    if not _NAME.fullmatch(cleaned):
        raise AccountError(
            "a name has 1 to 64 letters, digits and . _ @ + -, and begins and ends with one of the first"
        )
    return cleaned


def check_password(name: str, password: str) -> None:
    """Raises :class:`AccountError` for a password that is too easy to guess, or too long to be typed."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if password.strip().lower() == name or len(set(password)) < 4:
        raise AccountError("the password is too easy to guess")


async def find(store: Store, name: str) -> Account | None:
    """The account of this name, in any spelling. Raises :class:`StoreUnavailable`."""
    try:
        cleaned = clean_name(name)
    except AccountError:
        return None
    async with store.read() as connection:
        row = (await connection.execute(select(operators).where(operators.c.name == cleaned))).first()
    return Account(**row._mapping) if row else None


async def listed(store: Store) -> list[Account]:
    """Every account, by name. Raises :class:`StoreUnavailable`."""
    async with store.read() as connection:
        rows = (await connection.execute(select(operators).order_by(operators.c.name))).all()
    return [Account(**row._mapping) for row in rows]


async def add(store: Store, name: str, role: Role, password: str) -> Account:
    """Make an account with a password. Raises :class:`AccountError`, :class:`StoreUnavailable`."""
    cleaned = clean_name(name)
    check_password(cleaned, password)
    account = Account(cleaned, role, await Passwords().hash(password), "", active=True, created_at=time.time())
    async with store.write() as connection:
        if await _exists(connection, cleaned):
            raise AccountError(f"there is already an account {cleaned}")
        await connection.execute(insert(operators).values(**msgspec.structs.asdict(account)))
    return account


async def set_password(store: Store, name: str, password: str, *, keep_session: str = "") -> None:
    """Change a password and end the account's sign-ins, but for the session whose id is ``keep_session``.

    Raises :class:`AccountError`, :class:`StoreUnavailable`.
    """
    cleaned = clean_name(name)
    check_password(cleaned, password)
    hashed = await Passwords().hash(password)
    async with store.write() as connection:
        await _change(connection, cleaned, password=hashed)
        await connection.execute(delete(sessions).where(sessions.c.operator == cleaned, sessions.c.id != keep_session))


async def set_active(store: Store, name: str, active: bool) -> None:
    """Disable an account, which ends its sign-ins, or enable it. Raises as :func:`set_password`."""
    cleaned = clean_name(name)
    async with store.write() as connection:
        await _change(connection, cleaned, active=active)
        if not active:
            await connection.execute(delete(sessions).where(sessions.c.operator == cleaned))


async def set_language(store: Store, name: str, language: str) -> None:
    """Keep the language that an operator reads. Raises as :func:`set_password`."""
    async with store.write() as connection:
        await _change(connection, clean_name(name), language=language)


async def from_elsewhere(store: Store, name: str, role: Role) -> Account:
    """The account of somebody whom the identity provider vouches for, made or brought up to date.

    Raises :class:`AccountError` for a name that is an account with a password here, or a disabled one: whoever may
    choose a name at the provider must not become somebody else.
    """
    cleaned = clean_name(name)
    fresh = msgspec.structs.asdict(Account(cleaned, role, "", "", active=True, created_at=time.time()))
    made = store.insert(operators)
    async with store.write() as connection:
        await connection.execute(made.values(**fresh).on_conflict_do_nothing())
        row = (await connection.execute(select(operators).where(operators.c.name == cleaned))).one()
        if row.password or not row.active:
            raise AccountError("the name belongs to an account with a password, or to a disabled one")
        await _change(connection, cleaned, role=role)
    return msgspec.structs.replace(Account(**row._mapping), role=role)


async def ensure_sandbox_operator(store: Store) -> str:
    """Have an account :data:`SANDBOX_OPERATOR` that may act, with a new random password; returns the password.

    Migrates the store first. Raises :class:`StoreUnavailable`.
    """
    await migrate(store)
    password = secrets.token_urlsafe(12)
    hashed = await Passwords().hash(password)
    async with store.write() as connection:
        if await _exists(connection, SANDBOX_OPERATOR):
            await _change(connection, SANDBOX_OPERATOR, password=hashed, role="operator", active=True)
        else:
            account = Account(SANDBOX_OPERATOR, "operator", hashed, "", active=True, created_at=time.time())
            await connection.execute(insert(operators).values(**msgspec.structs.asdict(account)))
    return password


async def _exists(connection: AsyncConnection, name: str) -> bool:
    found = await connection.execute(select(operators.c.name).where(operators.c.name == name))
    return found.first() is not None


async def _change(connection: AsyncConnection, name: str, **values: object) -> None:
    changed = await connection.execute(update(operators).where(operators.c.name == name).values(**values))
    if changed.rowcount == 0:
        raise AccountError(f"there is no account {name}")
