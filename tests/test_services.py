"""How tests ask for the real parts they use."""

from __future__ import annotations

import pytest

from tests import services
from tests.services import Service, Unavailable, available, main, require


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Service]:
    """A table of its own: one part that is there, one that can be had, one that cannot."""
    had: list[str] = []

    def refuse() -> None:
        raise Unavailable("no such thing in this world")

    table = {
        "here": Service("Here", lambda: "", refuse),
        "near": Service("Near", lambda: "" if had else "not fetched", lambda: had.append("near")),
        "far": Service("Far", lambda: "no far", refuse),
    }
    monkeypatch.setattr(services, "SERVICES", table)
    monkeypatch.delenv("CI", raising=False)
    return table


def test_what_is_there_is_available(parts: dict[str, Service]) -> None:
    assert available("here") is None
    require("here")


def test_what_is_missing_skips_the_test_and_says_why(parts: dict[str, Service]) -> None:
    assert available("far") == "no far"
    with pytest.raises(pytest.skip.Exception, match="Far is missing: no far"):
        require("far")


def test_what_is_missing_fails_the_test_in_ci(parts: dict[str, Service], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Far is missing: no far"):
        require("far")


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_the_command_provides_and_tells(
    parts: dict[str, Service],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ci: str,
    status: int,
) -> None:
    monkeypatch.setenv("CI", ci)
    assert main() == status
    said = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert said[:3] == ["Here: is there", "Near: installed", "Far: cannot be had: no such thing in this world"]


def test_the_command_ends_well_in_ci_where_everything_is_there(
    parts: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    del parts["far"]
    assert main() == 0
