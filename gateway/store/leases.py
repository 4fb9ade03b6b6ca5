"""Work that one process does at a time: a lease by name, by the database's clock, that lapses unless renewed."""

from __future__ import annotations

from sqlalchemy import Delete, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.engine import Store
from gateway.store.tables import leases


async def acquire(store: Store, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease ``name`` for ``owner``; false while another owner's lease holds.

    Raises :class:`~gateway.store.engine.StoreUnavailable`.
    """
    clock = store.clock()
    insert = sqlite.insert(leases) if store.sqlite else postgresql.insert(leases)
    first = insert.values(name=name, owner=owner, until=clock + seconds).on_conflict_do_nothing()
    renew = (
        update(leases)
        .where(leases.c.name == name, or_(leases.c.owner == owner, leases.c.until <= clock))
        .values(owner=owner, until=clock + seconds)
    )
    async with store.write() as connection:
        if (await connection.execute(renew)).rowcount:
            return True
        return bool((await connection.execute(first)).rowcount)


async def release(store: Store, name: str, owner: str) -> None:
    """Give the lease back, if it is ours."""
    async with store.write() as connection:
        await connection.execute(given_back(name, owner))


def given_back(name: str, owner: str) -> Delete:
    """The statement that gives the lease back, for a transaction that does something else too."""
    return leases.delete().where(leases.c.name == name, leases.c.owner == owner)
