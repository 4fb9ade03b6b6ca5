"""The audit log: everything an operator did, and whose address they asked to see. Rows are only ever added."""

from __future__ import annotations

import time

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import Store
from gateway.store.operations import audit


async def record(
    where: Store | AsyncConnection,
    operator: str,
    action: str,
    subject: str = "",
    detail: str = "",
    *,
    at: float | None = None,
) -> None:
    """Add a row: by whom, what (``"pause"``, ``"replay"``, …), on what, and more in words; never an address or a text.

    ``at`` is in Unix seconds, now unless given. With a connection the row stands or falls with its transaction, as what
    changes the store should have it. Raises :class:`StoreUnavailable`.
    """
    row = insert(audit).values(
        at=time.time() if at is None else at, operator=operator, action=action, subject=subject, detail=detail
    )
    if isinstance(where, AsyncConnection):
        await where.execute(row)
        return
    async with where.write() as connection:
        await connection.execute(row)
