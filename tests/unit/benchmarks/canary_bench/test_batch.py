"""Runs as arrays: the same events as in the scrapes that a judge is shown one by one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.canary_bench.batch import batch, in_ticks_of
from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.generate import generate
from benchmarks.canary_bench.judges.increase import Increase
from benchmarks.canary_bench.regressions import HEALTHY


@pytest.mark.parametrize("family", ["ideal", "lost-restarts", "H-15s"])
def test_an_array_has_the_events_that_the_scrapes_show(family: str) -> None:
    made = batch(FAMILIES[family], HEALTHY, seed=5, runs=range(2))

    for run in range(2):
        seen = Increase()
        for samples in generate(FAMILIES[family], HEALTHY, seed=5, run=run):
            seen.see(samples.candidate)
        done = seen.take()
        mine = made.candidate[run].sum(axis=(0, 1))
        assert mine[0] == done.errors
        assert mine[1:].sum() == done.requests


def test_a_run_does_not_depend_on_its_neighbours() -> None:
    both = batch(FAMILIES["ideal"], HEALTHY, seed=5, runs=range(2), history_s=600.0)
    second = batch(FAMILIES["ideal"], HEALTHY, seed=5, runs=range(1, 2), history_s=600.0)

    assert np.array_equal(both.stable[1], second.stable[0])
    assert np.array_equal(both.past[1], second.past[0])
    assert both.past.shape[1] == 120


def test_ticks_are_put_together_from_the_end() -> None:
    steps = np.arange(5, dtype=np.float32).reshape(1, 5)

    assert in_ticks_of(steps, times=2).tolist() == [[3.0, 7.0]]
