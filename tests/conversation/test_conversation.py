"""Every message lands where a careful clerk would put it."""

from __future__ import annotations

import pytest

from tests.conversation.conftest import Played
from tests.conversation.stage import expected
from tests.conversation.story import Row
from tests.conversation.tables import TABLES

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _marks(row: Row) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.xfail(reason=row.differs, strict=True),) if row.differs else ()


ROWS = [
    pytest.param(title, row, id=f"{title}: {row.name} ({row.on})", marks=_marks(row))
    for title, rows in TABLES.items()
    for row in rows
]


@pytest.mark.parametrize(("table", "row"), ROWS)
async def test_a_message_lands_where_the_design_puts_it(played: Played, table: str, row: Row) -> None:
    assert await played.heard(table, row) == expected(row)
