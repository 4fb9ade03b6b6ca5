"""The comparison: interleaved rounds, medians, ratios, and books that must balance."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import intake
from benchmarks.intake import Load, Plan, figures, measure
from benchmarks.load import Result
from benchmarks.servers import Bare, NotStarted


def loaded(server: str, number: int, rate: float, *, durable: int | None = None, **answers: int) -> Load:
    result = Result(
        connections=64,
        requests=100,
        seconds=1.0,
        rate=rate,
        p50=1000 / rate,
        p99=2000 / rate,
        p999=3000 / rate,
        answers={name.removeprefix("s"): count for name, count in (answers or {"s200": 100}).items()},
    )
    return Load(server, number, result, durable)


def test_each_round_loads_every_server_in_turn(tmp_path: Path) -> None:
    one, two = Bare(tmp_path / "one"), Bare(tmp_path / "two")
    plan = Plan(connections=(1, 64), rounds=2)
    assert list(plan.loads([one, two])) == [
        (1, 1, one),
        (1, 1, two),
        (2, 1, one),
        (2, 1, two),
        (1, 64, one),
        (1, 64, two),
        (2, 64, one),
        (2, 64, two),
    ]


def test_figures_are_medians_with_their_ratio_to_the_reference() -> None:
    loads = [
        *(loaded("bare", n, rate) for n, rate in enumerate((900, 1000, 5000))),
        *(loaded("gateway", n, rate, durable=100) for n, rate in enumerate((100, 800, 850))),
    ]
    bare, gateway = figures(loads, "bare")
    assert (bare.rate, bare.of_bare, bare.p99_of_bare) == (1000, 1.0, 1.0)
    assert (gateway.rate, gateway.of_bare, gateway.p99_of_bare) == pytest.approx((800, 0.8, 1.25))


@pytest.mark.parametrize(
    ("durable", "answers", "lost", "doubled"),
    [
        pytest.param(100, {"s200": 100}, 0, 0, id="each one once"),
        pytest.param(99, {"s200": 100}, 1, 0, id="one lost"),
        pytest.param(101, {"s200": 100}, 0, 1, id="one doubled"),
        pytest.param(95, {"s200": 90, "s503": 10}, 0, 0, id="a refused one may be durable"),
        pytest.param(101, {"s200": 90, "closed": 10}, 0, 1, id="but not more than were sent"),
        pytest.param(None, {"s200": 100}, 0, 0, id="a server that keeps nothing"),
    ],
)
def test_the_books(durable: int | None, answers: dict[str, int], lost: int, doubled: int) -> None:
    load = loaded("gateway", 1, 100.0, durable=durable, **answers)
    assert (load.lost, load.doubled) == (lost, doubled)


class Forgetful(Bare):
    """Says yes to every message and has kept only 53 of them."""

    name = "forgetful"
    asked = False

    async def durable(self) -> int:
        before, self.asked = not self.asked, True
        return 0 if before else 53


async def test_a_lost_message_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SETTLE_SECONDS", 0.0)
    heard: list[Load] = []
    plan = Plan(connections=(2,), rounds=1, requests=500, warmup=50)
    async with Bare(tmp_path / "bare") as bare, Forgetful(tmp_path / "forgetful") as forgetful:
        loads = await measure(plan, [bare, forgetful], heard.append)
    assert loads == heard
    assert [(load.server, load.result.answers, load.lost) for load in loads] == [
        ("bare aiohttp", {"200": 55}, 0),
        ("forgetful", {"200": 55}, 2),
    ]


async def test_a_server_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    class Broken(Bare):
        name = "broken"

        def command(self) -> list[str]:
            return ["-c", "raise SystemExit('the disk is full')"]

    with pytest.raises(NotStarted, match=r"broken did not become ready\. It ended with status 1\.\s+the disk is full"):
        async with Broken(tmp_path / "broken"):
            pass
