"""``gateway demo``: the story told in the terminal."""

from __future__ import annotations

from typer.testing import CliRunner

from gateway.cli import app
from tests.process import free_port


def test_the_command_starts_a_gateway_of_its_own_and_tells_the_story() -> None:
    shown = CliRunner().invoke(app, ["demo", "--pause", "0"], env={"NO_COLOR": "1", "COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "All 7 steps came as told." in shown.output
    assert "7. The citizen asks once more" in shown.output


def test_where_no_gateway_answers_the_command_says_so() -> None:
    shown = CliRunner().invoke(app, ["demo", "--url", f"http://127.0.0.1:{free_port()}"])
    assert shown.exit_code == 1
    assert "gateway: the story stopped after step 0: http://127.0.0.1:" in shown.output
