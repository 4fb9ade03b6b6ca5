"""What an operator has in hand finds the case or the message, however it is typed, and tells no more than it should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.console.search import Found, message_id, search
from gateway.store.engine import Store
from gateway.store.tables import deliveries, outbox
from normalizer.tracking import shown
from tests.console.world import KEY, PHONE, World, opened, said


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(store, tmp_path) as made:
        yield made


async def looked(world: World, term: str, *, unnamed: bool = True) -> Found:
    return await search(world.store, term, channels=world.console.channels, secret=KEY.encode(), unnamed=unnamed)


async def test_one_case_is_found_by_its_number_its_citizen_and_its_messages(world: World) -> None:
    number = await world.case()
    (reply,) = await world.rows(outbox)
    attempt = {"outbox_id": reply.id, "channel": "sms", "step": "attempt", "at": 1.0, "outcome": "sent"}
    await world.add(deliveries, attempt | {"provider_id": "kannel-77"})

    for term in (number, shown(number), f"{number[:3]}-{number[3:6]}.{number[6:]}", f"LAPOR {number}"):
        assert [hit.number for hit in (await looked(world, term)).cases] == [number], term
    for term in (PHONE, "081298765432", "0812-9876-5432", "6281298765432", " (0812) 9876 5432 "):
        found = await looked(world, term)
        assert [(hit.number, hit.by) for hit in found.cases] == [(number, "sender")], term
        assert found.cases[0].sender == "+62812•••••32"
    for term in ("m-1", "kannel-77", reply.id, reply.event_id):
        assert [hit.event_id for hit in (await looked(world, term)).messages] == [reply.event_id], term
    for term in ("4829137065", "+6281200000000", "m-2", "", "%"):
        assert await looked(world, term) == Found(), term


async def test_an_account_is_found_by_its_id_with_messages_that_opened_no_case(world: World) -> None:
    event = said("/help", address="5551234567", kind="user_id", channel=("twitter", "x"))
    await world.bench.take(event)
    found = await looked(world, "5551234567")
    assert [(hit.event_id, hit.disposition, hit.number) for hit in found.messages] == [(event.id, "help", "")]


async def test_who_may_not_ask_finds_no_anonymous_case_by_its_citizen(world: World) -> None:
    number = await world.case(said("ANONIM jalan rusak parah"))
    assert not (await looked(world, PHONE, unnamed=False)).cases
    (hit,) = (await looked(world, PHONE)).cases
    assert (hit.number, hit.sender) == (number, "•••••")
    (hit,) = (await looked(world, number, unnamed=False)).cases
    assert PHONE not in str(msgspec.to_builtins(hit))


@pytest.mark.parametrize(
    ("term", "id_"),
    [
        ("https://x.com/warga/status/1790000000000000001?s=20", "1790000000000000001"),
        ("twitter.com/warga/status/17", "17"),
        ("<mail@example.go.id>", "<mail@example.go.id>"),
    ],
)
def test_the_address_of_a_post_is_its_id(term: str, id_: str) -> None:
    assert message_id(term) == id_
