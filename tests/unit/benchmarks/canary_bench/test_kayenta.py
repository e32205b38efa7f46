"""The reference judge says what it always said, and the product's shadow says the same of the same service."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import pytest

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.generate import generate
from benchmarks.canary_bench.judges.increase import Increase
from benchmarks.canary_bench.judges.kayenta import Kayenta, classify
from benchmarks.canary_bench.judges.mann_whitney import shift
from benchmarks.canary_bench.regressions import REGRESSIONS
from benchmarks.canary_bench.samples import EDGES, Samples, Setting
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.kayenta.shadow import KayentaShadow

RUNS = [
    (family, regression)
    for family in ("ideal", "rps-2", "cold-fresh")
    for regression in ("healthy", "errors_x2", "errors_x10", "latency_plus_10", "latency_plus_50")
]


def plain(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """State the rule once more: the lower end beyond a quarter of the estimate."""
    if sorted(ours) == sorted(theirs) or len({*ours, *theirs}) == 1:
        return "Pass"
    found = shift(ours, theirs, level=0.98)
    return "High" if found.lower > 0.25 * abs(found.estimate) else "Pass"


def points(rng: random.Random, scale: float) -> list[float]:
    digits = rng.choice((1, 3, 8))  # few digits make ties
    return [scale * round(rng.lognormvariate(0.0, 0.5) - 0.6, digits) for _ in range(rng.randint(1, 30))]


def test_over_four_hundred_runs_its_labels_are_those_of_the_rule() -> None:
    rng, seen = random.Random(5), []
    for _ in range(400):
        theirs, ours = points(rng, 1.0), points(rng, rng.choice((1.0, 1.5, 3.0)))
        seen.append((classify(ours, theirs).label, plain(ours, theirs)))

    assert [one for one in seen if one[0] != one[1]] == []
    assert {one for one, _ in seen} == {"Pass", "High"}


def ticks(scrapes: Iterable[Samples]) -> Iterator[Tick]:
    """Make ticks of scrapes, all pods of a side as one."""
    sides, before = (Increase(), Increase()), 0.0
    for samples in scrapes:
        done = []
        for side, pods in zip(sides, (samples.candidate, samples.stable), strict=True):
            side.see(pods)
            counted = side.take()
            slow = tuple(
                upper - lower for lower, upper in zip((0.0, *counted.buckets), counted.buckets, strict=False)
            )
            done.append({"all": Counts(counted.requests, counted.errors, slow)})
        if samples.at > 0:
            yield Tick(samples.at, samples.at - before, done[0], done[1], EDGES)
        before = samples.at


def labels(family: str, regression: str) -> tuple[list[str], list[str]]:
    """Give what the reference judge calls the metrics after half an hour, and what the shadow does."""
    seen = generate(FAMILIES[family], REGRESSIONS[regression], seed=3, run=0)
    judge, shadow = Kayenta(Setting(), 1800.0, (0.99,)), KayentaShadow(every_s=1800.0)

    for samples in seen:
        judge.step(samples)
    looks = [look for tick in ticks(seen) if (look := shadow.step(tick)) is not None]

    assert [(look.at, look.points) for look in looks] == [(1800.0, 30)]
    ours = [classify(candidate, stable).label for candidate, stable in judge._points]
    return [*ours], [one.label for one in looks[0].metrics]


@pytest.mark.parametrize(("family", "regression"), RUNS)
def test_the_shadow_calls_a_service_the_same(family: str, regression: str) -> None:
    ours, shadows = labels(family, regression)

    assert shadows == ours


def test_after_an_outage_of_stable_alone_the_shadow_passes_ten_times_the_errors_as_kayenta_does() -> None:
    # the outage makes stable's mean the larger one, and Kayenta asks for a mean that rose; the reference judge does not
    assert labels("stable-out", "errors_x10") == (["High", "Pass"], ["Pass", "Pass"])
