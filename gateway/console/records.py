"""What the console lists: the calls and changes of a channel, its test messages, and the audit, a page at a time.

A page goes on where the last one ended, by id: what is written meanwhile moves nothing.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pydantic import SecretStr
from sqlalchemy import Table, select

from channels.base import ChannelSettings, Thread
from channels.redaction import scrub
from config.fields import is_secret
from gateway.channelset import ChannelConfig
from gateway.privacy.find import TYPES, NotAnAddressError, candidates
from gateway.store.audit import record
from gateway.store.engine import Store
from gateway.store.operations import audit, health_changes, interactions, pauses
from gateway.store.sql import among
from gateway.store.tables import deliveries, outbox
from normalizer.identity import sender_key

PAGE: Final = 50
TEST: Final = "test"
"""The template of a test message."""
TESTS: Final = 5
"""Test messages of a channel that its page shows."""


class Setting(msgspec.Struct, frozen=True):
    """One key of a channel's settings: ``value`` as it may be shown, of a secret only whether there is one."""

    key: str
    value: str
    description: str
    secret: bool
    given: bool


async def interactions_of(store: Store, channel: str, before: int | None = None) -> tuple[Sequence[Any], int | None]:
    """A page of the calls between a channel and its provider, the newest first, and where the next begins."""
    return await _page(store, interactions, before, channel=channel)


async def changes_of(store: Store, channel: str, before: int | None = None) -> tuple[Sequence[Any], int | None]:
    """A page of the changes of a channel's health, the newest first, and where the next begins."""
    return await _page(store, health_changes, before, channel=channel)


async def audit_page(
    store: Store, *, operator: str = "", action: str = "", before: int | None = None
) -> tuple[Sequence[Any], int | None]:
    """A page of what operators did, the newest first, and where the next begins."""
    return await _page(store, audit, before, operator=operator, action=action)


async def pauses_of(store: Store, channel: str) -> dict[str, Any]:
    """The channel's pauses by direction: by whom, why, since when."""
    async with store.read() as connection:
        rows = await connection.execute(select(pauses).where(pauses.c.channel == channel))
        return {row.direction: row for row in rows}


async def tests_of(store: Store, channel: str) -> list[tuple[Any, str]]:
    """The latest test messages of a channel, each with what the provider answered last."""
    query = select(outbox).where(outbox.c.event_id == _mark(channel)).order_by(outbox.c.created_at.desc()).limit(TESTS)
    async with store.read() as connection:
        rows = (await connection.execute(query)).all()
        said = select(deliveries).where(among(deliveries.c.outbox_id, [row.id for row in rows]))
        answers = {row.outbox_id: row for row in await connection.execute(said.order_by(deliveries.c.id))}
    return [(row, scrub(answers[row.id].detail) if row.id in answers else "") for row in rows]


async def write_test(
    store: Store, config: ChannelConfig, *, by: str, key: str, to: str, text: str, secret: bytes, now: float
) -> None:
    """Put a test message into the outbox, and into the audit, once for each ``key`` (the form's).

    Raises :class:`ValueError` where ``to`` cannot be an address.
    """
    address, whose = recipient(config, to, secret)
    row = {
        "id": key,
        "channel_type": config.spec.type,
        "channel": config.name,
        "sender_key": whose,
        "address": address,
        "text": text,
        "thread": msgspec.json.encode(Thread()).decode(),
        "template": TEST,
        # No event: what finds a channel's test messages again.
        "event_id": _mark(config.name),
        "received_at": now,
        "created_at": now,
        "state": "waiting",
        "due_at": now,
    }
    async with store.write() as connection:
        known = await connection.execute(select(outbox.c.id).where(outbox.c.id == key))
        if known.first() is None:
            await connection.execute(outbox.insert(), [row])
            await record(connection, by, "test", config.name, key)


def fresh_key() -> str:
    """An id for what a form will write, so that the form sent twice writes it once."""
    return random.token_hex(16)


def recipient(config: ChannelConfig, term: str, secret: bytes) -> tuple[str, str]:
    """The address on this channel that an operator typed, in its one form, and the key of who has it.

    Raises :class:`ValueError` where it is none that can be written to.
    """
    kind = config.spec.type
    if kind not in TYPES:
        return term, sender_key(secret, kind, term)
    found = [
        (who.address, who.key)
        for who in candidates(term, kind, secret, {config.name: config})
        if who.kind in ("phone", "email", "user_id")
    ]
    if not found:
        raise NotAnAddressError("nobody can be written to there")
    return found[0]


def settings_of(config: ChannelConfig) -> list[Setting]:
    """A channel's settings in force, the given ones first; secrets are told only as set or not."""
    model: type[ChannelSettings] = type(config.settings)
    found = []
    for name, field in model.model_fields.items():
        value = getattr(config.settings, name)
        secret = is_secret(field.annotation) or name in config.spec.secret_fields
        shown = ("•••••" if _is_set(value) else "") if secret else scrub(_plain(value))
        given = name in config.settings.model_fields_set
        found.append(Setting(name, shown, field.description or "", secret, given))
    return sorted(found, key=lambda setting: not setting.given)


async def _page(store: Store, table: Table, before: int | None, **wanted: str) -> tuple[Sequence[Any], int | None]:
    query = select(table).where(*(table.c[name] == value for name, value in wanted.items() if value))
    if before is not None:
        query = query.where(table.c.id < before)
    async with store.read() as connection:
        rows = (await connection.execute(query.order_by(table.c.id.desc()).limit(PAGE + 1))).all()
    return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None


def _mark(channel: str) -> str:
    return f"test:{channel}"[:64]


def _is_set(value: Any) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list | frozenset | set) else str(value)
