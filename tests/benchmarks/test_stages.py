"""Every stage of a message's way is measured, on the program's own parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stages import STAGES, measure


async def test_every_stage_has_its_share(tmp_path: Path) -> None:
    stages = await measure(tmp_path / "line", messages=40, rounds=1)
    assert {stage.name for stage in stages} == STAGES.keys()
    assert all(stage.microseconds >= 0 for stage in stages)
    assert [stage.microseconds for stage in stages] == sorted((s.microseconds for s in stages), reverse=True)
    assert sum(stage.share for stage in stages) == pytest.approx(1)
