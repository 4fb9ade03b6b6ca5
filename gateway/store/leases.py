"""Work that one process does at a time: a lease by name, by the database's clock, that lapses unless renewed."""

from __future__ import annotations

from sqlalchemy import bindparam, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import Store
from gateway.store.sql import clock
from gateway.store.tables import leases

_RENEW = (
    update(leases)
    .where(
        leases.c.name == bindparam("at_name"), or_(leases.c.owner == bindparam("to_owner"), leases.c.until <= clock())
    )
    .values(owner=bindparam("to_owner"), until=clock() + bindparam("seconds"))
)
_GIVE_BACK = leases.delete().where(leases.c.name == bindparam("at_name"), leases.c.owner == bindparam("at_owner"))


async def acquire(store: Store, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease ``name`` for ``owner``; false while another owner's lease holds.

    Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    async with store.write() as connection:
        return await acquired(connection, store, name, owner, seconds)


async def acquired(connection: AsyncConnection, store: Store, name: str, owner: str, seconds: float) -> bool:
    """The same as part of a transaction that does something else too."""
    if (await connection.execute(_RENEW, {"at_name": name, "to_owner": owner, "seconds": seconds})).rowcount:
        return True
    first = store.insert(leases).values(name=name, owner=owner, until=clock() + seconds).on_conflict_do_nothing()
    return bool((await connection.execute(first)).rowcount)


async def release(store: Store, name: str, owner: str) -> None:
    """Give the lease back, if it is ours."""
    async with store.write() as connection:
        await give_back(connection, name, owner)


async def give_back(connection: AsyncConnection, name: str, owner: str) -> None:
    """The same as part of a transaction that does something else too."""
    await connection.execute(_GIVE_BACK, {"at_name": name, "at_owner": owner})
