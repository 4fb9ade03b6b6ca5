"""The figures of the overview's benchmark."""

from __future__ import annotations

from benchmarks.overview import Took, took


def test_the_figures_of_one_kind_of_page() -> None:
    times = [0.5, *(n / 100 for n in range(1, 20))]
    assert took(times, 2.0) == Took(pages=20, median_ms=100.0, p95_ms=190.0, longest_ms=500.0, cpu_ms=100.0)


def test_a_machine_so_slow_that_no_page_was_shared() -> None:
    assert took([], 0.0).pages == 0
