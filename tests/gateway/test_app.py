"""One process of the gateway: how it begins and ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.inside import running, settings


async def test_a_stop_in_the_first_moment_cuts_nothing_off(tmp_path: Path) -> None:
    """The schema is being made meanwhile: that is finished, and no task is left that waits for ever."""
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with running(settings(folder)):
            pass
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (folder / "gateway.db").stat().st_size > 0
