"""Every message lands where a careful clerk would put it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.conversation.stage import Heard, expected
from tests.conversation.story import Row
from tests.conversation.tables import TABLES

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _marks(row: Row) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.xfail(reason=row.differs, strict=True),) if row.differs else ()


ROWS = [
    pytest.param(row, id=f"{title}: {row.name} ({row.on})", marks=_marks(row))
    for title, rows in TABLES.items()
    for row in rows
]


@pytest.mark.parametrize("row", ROWS)
async def test_a_message_lands_where_the_design_puts_it(played: Mapping[Row, Heard | BaseException], row: Row) -> None:
    heard = played[row]
    if isinstance(heard, BaseException):
        raise heard
    assert heard == expected(row)
