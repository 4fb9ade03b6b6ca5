"""One store and one dispatcher for all rows, on each database in turn; each row has people of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import pytest
import pytest_asyncio

from gateway.store.engine import Store
from normalizer import tracking
from tests.conversation.stage import Heard, Stage
from tests.conversation.story import Row
from tests.fixtures.migrated import copy_to
from tests.fixtures.postgres import Postgres


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return copy_to(tmp_path_factory.mktemp("store"))
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_migrated()


_TAILS = ("001", "010", "011", "100", "101", "110")


@pytest.fixture(scope="module")
def telling_numbers() -> Iterator[None]:
    """Numbers whose last group is of 0 and 1 alone, or the rows about look-alike letters would show nothing."""
    drawn = tracking.draw

    def draw(count: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            for number in drawn(count):
                nine = number[:6] + random.choice(_TAILS)
                if (check := tracking.check_digit(nine)) in "01":
                    found[nine + check] = None
        return list(found)[:count]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "draw", draw)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(shared_store_url: str, telling_numbers: None) -> AsyncIterator[Stage]:
    store = Store(shared_store_url)
    async with Stage(store).open() as opened:
        yield opened
    await store.close()


class Played:
    """What came of the rows, a table at a time: all that this run asks for of a table are played at once.

    So the dispatcher takes many people's messages in one batch, as it does in the field; a row chosen with ``-k`` is
    played alone; and two workers that share the rows play hardly any of them twice.
    """

    def __init__(self, stage: Stage, chosen: Mapping[str, Sequence[Row]]) -> None:
        self._stage = stage
        self._chosen = chosen
        self._heard: dict[str, Mapping[Row, Heard | BaseException]] = {}

    async def heard(self, table: str, row: Row) -> Heard:
        """What came of one row of a table; raises what went wrong with it."""
        if table not in self._heard:
            rows = self._chosen[table]
            results = await asyncio.gather(*map(self._stage.play, rows), return_exceptions=True)
            self._heard[table] = dict(zip(rows, results, strict=True))
        found = self._heard[table][row]
        if isinstance(found, BaseException):
            raise found
        return found


@pytest.fixture(scope="module")
def played(stage: Stage, request: pytest.FixtureRequest) -> Played:
    """The rows that this run asks for, none of them played yet."""
    chosen: dict[str, dict[Row, None]] = {}
    for item in request.session.items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if "row" in params and "table" in params:
            chosen.setdefault(params["table"], {})[params["row"]] = None
    return Played(stage, {table: list(rows) for table, rows in chosen.items()})
