"""A store with very many cases in it, filled by statements of its own, the same rows on SQLite and PostgreSQL.

Of each case there is a message, an answer that was sent, and a step of its way; of every two a sender and an agency's
word, of every four a message that came in parts, of every eight a photo. Three in four came by SMS, one in four by
Telegram. What is random in life (numbers, ids, keys) is scattered here, so that the next row asked
for lies on another page of the table and of its index. Of many a number one may have been drawn by a case that the
gateway itself opened in a smaller store: that case keeps it.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.store.engine import Store
from normalizer.event import ComplaintEvent, EventChannel, EventSender, Raw, encode

FILL_SECONDS = 900.0
APART = 10.0
"""Seconds between two cases; the newest is an hour old."""

_FACTOR, _NUMBERS = 2_654_435_761, 8_999_999_999
_WHEN = f":now - 3600 - (:ahead - n) * {APART}"
_CHANNEL = "CASE WHEN n % 4 = 0 THEN 'telegram' ELSE 'sms' END"
_NUMBER = f"CAST(1000000000 + (CAST(n AS BIGINT) * {_FACTOR}) % {_NUMBERS} AS TEXT)"
_STATEMENTS = (
    f"""INSERT INTO senders (key, type, address, kind, language, latest_case, wrote_in_case, wrote_in_case_at)
        SELECT md5('s' || (n / 2)), {_CHANNEL}, '+62812' || n, 'phone', 'id', {_NUMBER}, {_NUMBER}, {_WHEN}
        FROM numbers WHERE n % 2 = 0""",
    f"""INSERT INTO cases (number, sender_key, channel_type, channel, state, anonymous, confidential, language,
            opened_at, updated_at)
        SELECT {_NUMBER}, md5('s' || (n / 2)), {_CHANNEL}, {_CHANNEL}, 'received', n % 20 = 0, n % 20 = 1, 'id',
            {_WHEN}, {_WHEN}
        FROM numbers WHERE true
        ON CONFLICT DO NOTHING""",
    f"""INSERT INTO messages (event_id, kind, channel_type, channel, provider_id, sender_key, received_at, case_number,
            disposition, words, document)
        SELECT md5('e' || n), 'message', {_CHANNEL}, {_CHANNEL}, md5('p' || n), md5('s' || (n / 2)), {_WHEN}, {_NUMBER},
            'complaint', md5('w' || n), :document
        FROM numbers""",
    f"""INSERT INTO outbox (id, channel_type, channel, sender_key, address, text, template, case_number, event_id,
            received_at, created_at, state, due_at, attempts, settled_at)
        SELECT md5('o' || n), {_CHANNEL}, {_CHANNEL}, md5('s' || (n / 2)), '+62812' || n, :text, 'acknowledgement',
            {_NUMBER}, md5('e' || n), {_WHEN}, {_WHEN}, 'sent', {_WHEN}, 1, {_WHEN}
        FROM numbers""",
    f"""INSERT INTO deliveries (outbox_id, channel, step, at, outcome, provider_id)
        SELECT md5('o' || n), {_CHANNEL}, 'attempt', {_WHEN}, 'sent', md5('d' || n)
        FROM numbers""",
    f"""INSERT INTO gatherings (id, channel, sender_key, ref, total, opened_at, deadline, joined, case_number)
        SELECT n, {_CHANNEL}, md5('s' || (n / 2)), 'r', 2, {_WHEN}, {_WHEN}, true, {_NUMBER}
        FROM numbers WHERE n % 4 = 1""",
    f"""INSERT INTO attachments (event_id, position, channel_type, channel, case_number, name, media_type, size,
            reference, state, created_at, due_at, attempts, settled_at)
        SELECT md5('e' || n), 0, {_CHANNEL}, {_CHANNEL}, {_NUMBER}, 'jalan.jpg', 'image/jpeg', 100000, 'f', 'stored',
            {_WHEN}, {_WHEN}, 1, {_WHEN}
        FROM numbers WHERE n % 8 = 0""",
    f"""INSERT INTO updates (id, number, status, text, at, received_at, state_changed, outcome)
        SELECT md5('u' || n), {_NUMBER}, 'in_progress', '', {_WHEN}, {_WHEN}, true, 'silent'
        FROM numbers WHERE n % 2 = 1""",
)
_REPLY = (
    "Laporan Anda kami terima dengan nomor 482 913 7065. Simpan nomor ini. Tanya kemajuan: ketik STATUS dan nomornya."
)


def sender_key(n: int) -> str:
    """The key of who opened the ``n``-th case, and of the event, the reply and the like below."""
    return _md5(f"s{n // 2}")


def number(n: int) -> str:
    """The ``n``-th case's number; its check digit is as it falls."""
    return str(1_000_000_000 + n * _FACTOR % _NUMBERS)


def provider_id(n: int) -> str:
    """What the provider called the ``n``-th case's first message."""
    return _md5(f"p{n}")


def answer_id(n: int) -> str:
    """What the provider called our answer to it."""
    return _md5(f"d{n}")


def reply_id(n: int) -> str:
    """Our own id of it."""
    return _md5(f"o{n}")


async def grow(store: Store, first: int, last: int, *, ahead: int, now: float) -> None:
    """Add the cases ``first`` to ``last`` (from 1) to a migrated store.

    The ``ahead``-th is an hour older than ``now`` (Unix seconds), each other one ten seconds older than the next.
    """
    values = {"first": first, "last": last, "ahead": ahead, "now": now, "document": _document(), "text": _REPLY}
    if store.sqlite:
        # Only a file that nobody else has open can do without its journal.
        await store.close()
        await asyncio.to_thread(_grow_sqlite, store.url.database or "", values)
        return
    # Filling takes longer than the gateway allows any statement of its own to take.
    engine = create_async_engine(store.url, connect_args={"command_timeout": FILL_SECONDS})
    numbers = "WITH numbers AS (SELECT generate_series(CAST(:first AS int), CAST(:last AS int)) AS n) "
    try:
        for statement in _STATEMENTS:
            async with engine.begin() as connection:
                await connection.execute(text(_inlined(numbers + statement, values)))
        async with engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM ANALYZE"))
            await plain.execute(text("CHECKPOINT"))
    finally:
        await engine.dispose()


def _grow_sqlite(path: str, values: dict[str, object]) -> None:
    connection = sqlite3.connect(path, timeout=60.0)
    try:
        connection.create_function("md5", 1, _md5, deterministic=True)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {pragma}")
        numbers = "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last) "
        for statement in _STATEMENTS:
            with connection:
                connection.execute(numbers + statement, values)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _inlined(statement: str, values: dict[str, object]) -> str:
    """The values in the place of their names: PostgreSQL cannot tell the type of a parameter that stands alone."""
    for name, value in values.items():
        literal = f"'{value}'" if isinstance(value, str) else str(value)
        statement = statement.replace(f":{name}", literal.replace(":", r"\:"))
    return statement


def _document() -> str:
    """An event as an SMS makes one, the same for all: about as long as most."""
    said = "Jalan rusak dan lampu jalan mati di depan SD Negeri 3, sudah dua bulan belum diperbaiki. Mohon bantuannya."
    event = ComplaintEvent(
        id=_md5("e"),
        channel=EventChannel("sms", "sms", _md5("p")),
        sender=EventSender(_md5("s"), "+6281234567890", "phone"),
        recipient="1708",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        text=said,
        language="id",
        raw=Raw("application/x-www-form-urlencoded", 200, said.encode() + b"from=%2B6281234567890&to=1708"),
    )
    return encode(event).decode()


def _md5(value: object) -> str:
    return hashlib.md5(str(value).encode(), usedforsecurity=False).hexdigest()
