from __future__ import annotations

import math
import pickle
from dataclasses import replace

import pytest

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.family import Cold, Family, Incident, Retries
from benchmarks.canary_bench.generate import generate
from benchmarks.canary_bench.judges.increase import Increase, quantile
from benchmarks.canary_bench.regressions import AT_IGNORE, HEALTHY, REGRESSIONS, Regression
from benchmarks.canary_bench.samples import HORIZON_S, Counters, Samples

IDEAL = FAMILIES["ideal"]


def totals(scrapes: list[Samples], *, since: float = -math.inf) -> tuple[Counters, Counters]:
    candidate, stable = Increase(), Increase()
    for samples in scrapes:
        if samples.at >= since:
            candidate.see(samples.candidate)
            stable.see(samples.stable)
    return candidate.take(), stable.take()


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (generate(FAMILIES["lost-restarts"], AT_IGNORE, seed=7, run=3) for _ in range(2))

    assert pickle.dumps(first) == pickle.dumps(second)


@pytest.mark.parametrize(
    ("family", "regression", "seed", "run"),
    [
        pytest.param("ideal", "healthy", 8, 3, id="another seed"),
        pytest.param("ideal", "healthy", 7, 4, id="another run"),
        pytest.param("shocks", "healthy", 7, 3, id="another family"),
        pytest.param("ideal", "errors_x2", 7, 3, id="another regression"),
    ],
)
def test_every_part_of_the_seed_counts(family: str, regression: str, seed: int, run: int) -> None:
    one = generate(IDEAL, HEALTHY, seed=7, run=3)
    other = generate(FAMILIES[family], REGRESSIONS[regression], seed=seed, run=run)

    assert [samples.stable for samples in one] != [samples.stable for samples in other]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_a_run_has_the_scrapes_of_half_an_hour(family: Family) -> None:
    scrapes = generate(family, HEALTHY, seed=1, run=0)

    assert [samples.at for samples in scrapes[:3]] == [0.0, family.interval_s, 2 * family.interval_s]
    assert scrapes[-1].at == HORIZON_S
    assert all(len(samples.candidate) <= family.candidate_pods for samples in scrapes)
    assert totals(scrapes)[1].requests > 0


def test_the_ideal_service_is_as_it_says() -> None:
    candidate, stable = totals(generate(IDEAL, HEALTHY, seed=1, run=0))

    for side in (candidate, stable):
        assert side.requests == pytest.approx(20 * HORIZON_S, rel=0.03)
        assert side.errors / side.requests == pytest.approx(0.001, rel=0.6)
        assert quantile(side.buckets, 0.5) == pytest.approx(0.060, rel=0.05)
        assert side.buckets[6] / side.requests == pytest.approx(0.9792, abs=0.004)  # up to 250 ms
        assert side.buckets[7] / side.requests == pytest.approx(0.99877, abs=0.001)  # up to 500 ms


@pytest.mark.parametrize(
    ("regression", "errors", "median_s"),
    [
        pytest.param("errors_x10", 0.10, 0.060, id="ten times the errors"),
        pytest.param("errors_plus_5", 0.06, 0.060, id="five points more"),
        pytest.param("crash_loop", 0.60, 0.060, id="most of all requests"),
        pytest.param("latency_plus_50", 0.01, 0.090, id="half slower"),
        pytest.param("at_ignore", 0.0125, 0.063, id="as much worse as is to be ignored"),
    ],
)
def test_a_regression_is_the_candidates_alone(regression: str, errors: float, median_s: float) -> None:
    family = replace(IDEAL, errors=0.01)

    candidate, stable = totals(generate(family, REGRESSIONS[regression], seed=1, run=0))

    assert candidate.errors / candidate.requests == pytest.approx(errors, rel=0.15)
    assert quantile(candidate.buckets, 0.5) == pytest.approx(median_s, rel=0.04)
    assert stable.errors / stable.requests == pytest.approx(0.01, rel=0.15)
    assert quantile(stable.buckets, 0.5) == pytest.approx(0.060, rel=0.04)


def test_a_slow_tail_is_two_requests_in_a_hundred() -> None:
    candidate, stable = totals(generate(IDEAL, REGRESSIONS["slow_tail"], seed=1, run=0))

    assert quantile(candidate.buckets, 0.5) == pytest.approx(quantile(stable.buckets, 0.5), rel=0.05)
    slower = 0.02 * 0.32  # six times 83 ms are 500 ms, and 32 % of all requests take longer than that
    assert 1 - candidate.buckets[7] / candidate.requests == pytest.approx(0.0012 + slower, abs=0.003)


def test_a_late_regression_begins_late() -> None:
    scrapes = generate(replace(IDEAL, errors=0.01), REGRESSIONS["late_errors_x10"], seed=1, run=0)
    late = REGRESSIONS["late_errors_x10"].from_s

    before, _ = totals([samples for samples in scrapes if samples.at <= late])
    after, _ = totals(scrapes, since=late)

    assert before.errors / before.requests == pytest.approx(0.01, rel=0.3)
    assert after.errors / after.requests == pytest.approx(0.10, rel=0.1)


def test_a_ramp_changes_who_has_the_traffic() -> None:
    scrapes = generate(FAMILIES["shop-50"], HEALTHY, seed=1, run=0)

    def rates(begin: float, end: float) -> list[float]:
        sides = totals([samples for samples in scrapes if begin <= samples.at <= end])
        return [side.requests / (end - begin) for side in sides]

    assert rates(0, 60) == pytest.approx([2.5, 47.5], rel=0.25)
    assert rates(60, 120) == pytest.approx([12.5, 37.5], rel=0.15)
    assert rates(120, 1800) == pytest.approx([25, 25], rel=0.05)


def test_a_restart_begins_the_counters_anew_and_loses_nothing_to_a_reader_that_knows() -> None:
    family = replace(IDEAL, restarts_per_h=20.0)
    scrapes = generate(family, HEALTHY, seed=1, run=0)

    falls = [
        name
        for before, now in zip(scrapes, scrapes[1:], strict=False)
        for name in now.candidate
        if now.candidate[name].requests < before.candidate[name].requests
    ]

    assert len(falls) == pytest.approx(30, abs=20)
    assert totals(scrapes)[0].requests == pytest.approx(20 * HORIZON_S, rel=0.03)


def test_a_lost_scrape_is_a_missing_pod() -> None:
    scrapes = generate(replace(IDEAL, lost=0.2), HEALTHY, seed=1, run=0)
    seen = sum(len(samples.candidate) for samples in scrapes)

    assert seen / (3 * len(scrapes)) == pytest.approx(0.8, abs=0.04)
    assert totals(scrapes)[0].requests == pytest.approx(20 * HORIZON_S, rel=0.03)


def test_buckets_are_cumulative_and_hold_every_request() -> None:
    scrapes = generate(FAMILIES["retries-3s"], HEALTHY, seed=1, run=0)

    for samples in scrapes:
        for pod in (*samples.candidate.values(), *samples.stable.values()):
            assert list(pod.buckets) == sorted(pod.buckets)
            assert pod.buckets[-1] == pod.requests >= pod.errors


def test_history_is_stable_alone_and_changes_nothing_after() -> None:
    family = FAMILIES["rps-1"]

    without = generate(family, HEALTHY, seed=1, run=0)
    scrapes = generate(family, HEALTHY, seed=1, run=0, history_s=3600)
    before = [samples for samples in scrapes if samples.at < 0]

    assert scrapes[len(before) :] == without
    assert before[0].at == -3600
    assert not any(samples.candidate for samples in before)
    assert before[-1].stable.keys() == without[0].stable.keys()
    for name, pod in without[0].stable.items():
        assert 0 < before[0].stable[name].requests < before[-1].stable[name].requests <= pod.requests


@pytest.mark.parametrize("run", range(5))
def test_old_pods_that_begin_anew_count_from_nothing_and_have_not_done_so_before(run: int) -> None:
    family = replace(FAMILIES["shop-50"], restarts_per_h=8.0)
    scrapes = generate(family, HEALTHY, seed=7, run=run, history_s=3600)
    before = [one for one in scrapes if one.at < 0]
    past, stable = 50 * 3600, 50 * (60 * 0.95 + 60 * 0.75 + 1680 * 0.5)

    assert totals(before)[1].requests == pytest.approx(past, rel=0.05)
    assert totals(scrapes)[1].requests == pytest.approx(past + stable, rel=0.05)
    for name, first in before[0].stable.items():
        last = before[-1].stable[name].buckets
        assert all(low <= high for low, high in zip(first.buckets, last, strict=True))


def test_a_fresh_baseline_has_no_history_of_its_own() -> None:
    scrapes = generate(IDEAL, HEALTHY, seed=1, run=0, history_s=60)

    assert scrapes[0].stable.keys().isdisjoint(scrapes[-1].stable.keys())


def test_an_outage_of_one_pod_is_that_pods_alone() -> None:
    family = replace(FAMILIES["pod-out-60s"], errors=0.0)

    first, last = (generate(family, HEALTHY, seed=1, run=0)[index] for index in (0, -1))
    errors = [last.candidate[name].errors - first.candidate[name].errors for name in first.candidate]

    assert sorted(errors)[:2] == [0, 0]
    assert max(errors) == pytest.approx(50 * 0.1 / 3 * 60 * 0.75, rel=0.5)


def test_what_fails_first_on_one_side_fails_on_both() -> None:
    incident = Incident(on="candidate", for_s=60.0, errors_to=(0.8, 0.8), lead_s=10.0)
    family = replace(IDEAL, errors=0.0, rate=2000.0, incidents=(incident,), interval_s=5.0)
    scrapes = generate(family, HEALTHY, seed=1, run=0)

    candidate = next(it.at for it in scrapes if any(pod.errors for pod in it.candidate.values()))
    stable = next(it.at for it in scrapes if any(pod.errors for pod in it.stable.values()))

    assert stable - candidate == pytest.approx(10.0, abs=5.0)


def test_retries_come_together_and_add_up_to_the_same_share() -> None:
    family = replace(IDEAL, errors=0.01, rate=20.0, interval_s=1.0)

    alone = generate(family, HEALTHY, seed=1, run=0)
    together = generate(replace(family, retries=Retries(size=4, within_s=0.3)), HEALTHY, seed=1, run=0)

    def most(scrapes: list[Samples]) -> float:
        pairs = zip(scrapes, scrapes[1:], strict=False)
        return max(
            now.stable[name].errors - was.stable[name].errors for was, now in pairs for name in now.stable
        )

    assert most(together) >= 4 > most(alone)
    assert sum(side.errors for side in totals(together)) == pytest.approx(72, abs=40)


def test_a_young_pod_is_slow_at_first() -> None:
    family = replace(IDEAL, cold=Cold(slow_times=3.0, half_s=20.0), fresh=False)
    scrapes = generate(family, HEALTHY, seed=1, run=0)

    early, stable = totals([samples for samples in scrapes if samples.at <= 20])
    later, _ = totals(scrapes, since=300)

    assert quantile(early.buckets, 0.5) == pytest.approx(0.060 * 2.4, rel=0.2)
    assert quantile(later.buckets, 0.5) == pytest.approx(0.060, rel=0.05)
    assert quantile(stable.buckets, 0.5) == pytest.approx(0.060, rel=0.05)


def test_numbers_are_never_given_twice() -> None:
    assert len({one.number for one in FAMILIES.values()}) == len(FAMILIES) == 39
    assert len({one.number for one in REGRESSIONS.values()}) == len(REGRESSIONS) == 12


def test_a_regression_that_is_none_changes_nothing_but_the_seed() -> None:
    nothing = Regression(name="nothing", number=0)

    assert generate(IDEAL, nothing, seed=1, run=0) == generate(IDEAL, HEALTHY, seed=1, run=0)
    assert generate(IDEAL, replace(nothing, number=99), seed=1, run=0) != generate(
        IDEAL, HEALTHY, seed=1, run=0
    )
