"""One store and one dispatcher for all rows, on each database in turn; each row has people of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
import pytest_asyncio

from gateway.store.engine import Store
from gateway.store.migrate import migrate
from normalizer import tracking
from tests.conversation.stage import Heard, Stage
from tests.conversation.story import Row
from tests.fixtures.postgres import Postgres


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('store')}/gateway.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create()


@pytest.fixture(scope="module")
def telling_numbers() -> Iterator[None]:
    """Numbers with a 0 and a 1 in them, or a row about look-alike letters would show nothing."""
    drawn = tracking.draw

    def draw(count: int) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            found += [number for number in drawn(count) if "0" in number and "1" in number]
        return found[:count]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "draw", draw)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(shared_store_url: str, telling_numbers: None) -> AsyncIterator[Stage]:
    store = Store(shared_store_url)
    await migrate(store)
    async with Stage(store).open() as opened:
        yield opened
    await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(stage: Stage, request: pytest.FixtureRequest) -> Mapping[Row, Heard | BaseException]:
    """What came of every row that this run asks for, all of them played at once.

    So the dispatcher takes many people's messages in one batch, as it does in the field, and a row chosen with ``-k``
    is played alone.
    """
    chosen = (getattr(item, "callspec", None) for item in request.session.items)
    rows = list(dict.fromkeys(spec.params["row"] for spec in chosen if spec and "row" in spec.params))
    return dict(zip(rows, await asyncio.gather(*map(stage.play, rows), return_exceptions=True), strict=True))
