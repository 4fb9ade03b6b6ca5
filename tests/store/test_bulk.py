"""Many rows by one statement: what is in the store is what SQLAlchemy itself would have put there."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.store.bulk import execute_each
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.tables import cases, publications

INSERT = cases.insert()
SAY = publications.insert()
ON_POSTGRESQL = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
ANSWER = (
    update(cases)
    .where(cases.c.number == bindparam("to_number"), cases.c.state == "received")
    .values(state="answered", updated_at=bindparam("to_at"))
)


def case(number: str, **more: object) -> dict[str, object]:
    known = {"sender_key": "k'?$1", "channel_type": "sms", "channel": "sms", "state": "received", "language": "id"}
    return {"number": number, **known, "anonymous": True, "confidential": False, "region": "", **more}


async def test_rows_are_inserted_as_they_are(store: Store) -> None:
    rows = [case("1", opened_at=1.5, updated_at=2, join_answered_at=None), case("2", opened_at=3, updated_at=4.25)]
    rows[1]["join_answered_at"] = 5.0
    async with store.write() as connection:
        await execute_each(connection, INSERT, rows)
        await execute_each(connection, SAY, [{"topic": "t", "key": b"\x00\xff", "value": b"", "headers": b"[]"}])
    async with store.read() as connection:
        found = (await connection.execute(select(cases).order_by(cases.c.number))).mappings().all()
        [said] = (await connection.execute(select(publications.c.key, publications.c.value))).all()
    assert [{name: one[name] for name in row} for one, row in zip(found, rows, strict=True)] == rows
    assert tuple(said) == (b"\x00\xff", b"")


async def test_columns_that_are_not_named_have_their_defaults(store: Store) -> None:
    rows = [case("1", opened_at=1.0, updated_at=1.0)]
    async with store.write() as connection:
        await execute_each(connection, INSERT, rows)
        # The same statement with more columns.
        await execute_each(connection, INSERT, [case("2", opened_at=1.0, updated_at=1.0, repeat_answered=True)])
        found = await connection.execute(select(cases.c.repeat_answered).order_by(cases.c.number))
        assert found.scalars().all() == [False, True]


async def test_an_update_has_its_own_constants_beside_each_row(store: Store) -> None:
    states = ["received", "closed", "received"]
    rows = [case(str(n), opened_at=1.0, updated_at=1.0) | {"state": state} for n, state in enumerate(states)]
    async with store.write() as connection:
        await execute_each(connection, INSERT, rows)
        await execute_each(connection, ANSWER, [{"to_number": str(n), "to_at": 2.0, "unused": n} for n in range(2)])
        found = await connection.execute(select(cases.c.state, cases.c.updated_at).order_by(cases.c.number))
        assert [tuple(row) for row in found] == [("answered", 2.0), ("closed", 1.0), ("received", 1.0)]


@pytest.mark.parametrize("count", [1, 3, 4, 63, 64, 65, 150])
async def test_any_number_of_rows_in_their_order(store: Store, count: int) -> None:
    rows = [{"topic": f"t{n}", "key": b"%d" % n, "value": b"\xff", "headers": b""} for n in range(count)]
    async with store.write() as connection:
        await execute_each(connection, SAY, rows)
        found = await connection.execute(select(publications.c.topic, publications.c.key).order_by(publications.c.id))
        assert [tuple(row) for row in found] == [(row["topic"], row["key"]) for row in rows]


async def test_what_is_too_long_is_never_cut(store: Store) -> None:
    long = "x" * 1000
    with contextlib.suppress(DBAPIError):
        async with store.write() as connection:
            await execute_each(connection, INSERT, [case("1", opened_at=1.0, updated_at=1.0, channel_type=long)])
    async with store.read() as connection:
        found = (await connection.execute(select(cases.c.channel_type))).scalars().all()
    assert found in ([], [long])


async def test_no_rows_are_no_statement(store: Store) -> None:
    async with store.write() as connection:
        await execute_each(connection, INSERT, [])


async def test_an_error_is_sqlalchemys_and_shows_no_parameters(store: Store) -> None:
    rows = [case("1", opened_at=1.0, updated_at=1.0)] * 2
    with pytest.raises(IntegrityError) as caught:
        async with store.write() as connection:
            await execute_each(connection, INSERT, rows)
    assert "k'?$1" not in str(caught.value)


async def test_as_the_first_statement_too_it_is_part_of_the_transaction(store: Store) -> None:
    async with store.engine.connect() as connection:
        await execute_each(connection, INSERT, [case("1", opened_at=1.0, updated_at=1.0)])
        await connection.rollback()
    async with store.read() as connection:
        assert (await connection.execute(select(cases.c.number))).all() == []


@pytest.mark.parametrize("value", [["never"], "never", 1j, 10**400])
async def test_a_value_of_no_use_is_not_taken_for_a_store_that_is_away(value: object, store: Store) -> None:
    if store.sqlite and value == "never":
        return  # any column takes a text
    rows = [case("1", opened_at=1.0, updated_at=1.0), case("2", opened_at=value, updated_at=1.0)]
    with pytest.raises((DBAPIError, OverflowError)):
        await _insert(store, rows)
    await _insert(store, rows[:1])


@ON_POSTGRESQL
async def test_a_connection_that_is_lost_is_a_store_that_is_away(store: Store) -> None:
    async def lose() -> None:
        async with store.write() as connection:
            own = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with store.write() as other:
                await other.execute(text("SELECT pg_terminate_backend(:own, 10000)"), {"own": own})
            await execute_each(connection, INSERT, [case("1", opened_at=1.0, updated_at=1.0)])

    with pytest.raises(StoreUnavailable):
        await lose()
    await _insert(store, [case("1", opened_at=1.0, updated_at=1.0)])


async def _insert(store: Store, rows: list[dict[str, object]]) -> None:
    async with store.write() as connection:
        await execute_each(connection, INSERT, rows)
