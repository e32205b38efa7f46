"""What is foreseen of a service is what another generator's canaries of the same service come to."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from statistics import median

import pytest

from benchmarks.canary_bench.acceptance import Upto
from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges.ours import OurEntry
from benchmarks.canary_bench.outcome import Outcome, follow
from benchmarks.canary_bench.regressions import REGRESSIONS
from benchmarks.canary_bench.samples import Setting
from benchmarks.canary_bench.steps import coarse, steps
from cd_provider.core.judge.draws import Draws
from cd_provider.core.judge.foresight import QUESTIONS, Answer, Course, ask, enough, tries, unlimited
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.service import HEALTHY, Harm, Pod, Service, World, parts
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.traffic import Step
from tests.unit.core.judge.hand_made import EDGES, buckets, canary, pods

FAMILY = Family(
    name="foreseen", number=99, rate=80.0, errors=0.01, candidate_pods=2, stable_pods=4, fresh=False,
    steps=((0.0, 0.25),),
)  # fmt: skip
COURSE = Course((Step(25, 60.0),), JudgeSettings(max_s=900.0), candidate_min=2)
RUNS = 7


@cache
def truth(regression: str) -> tuple[Outcome, ...]:
    """Judge what the benchmark's own generator makes."""
    found = []
    for run in range(RUNS):
        made = record(FAMILY, REGRESSIONS[regression], seed=5, run=run, history_s=3600.0)
        setting = Setting(interval_s=FAMILY.interval_s, max_s=COURSE.settings.max_s)
        judge, ticks = OurEntry().begin(made, setting)
        found.append(follow(judge, Upto(ticks, COURSE.settings.max_s)))
    return tuple(found)


@cache
def service() -> Service:
    """Read the hour before one of its canaries."""
    before = record(FAMILY, REGRESSIONS["healthy"], seed=5, run=0, history_s=3600.0).before
    assert before is not None
    found = Service.of(list(coarse(steps(before), 5.0).ticks()))
    assert found is not None
    return found


@cache
def foreseen(name: str) -> Answer:
    return ask(service(), QUESTIONS[name], COURSE, runs=RUNS)


SCRAPE_S = 5.0


def near(one: float | None, other: float) -> bool:
    """Whether two medians differ by less than chance, a model and a scrape may make of them."""
    return one is not None and (other / 1.6 <= one <= other * 1.6 or abs(one - other) <= SCRAPE_S)


def test_a_service_is_read_as_it_is() -> None:
    assert service().rate == pytest.approx(80.0, rel=0.03)
    assert service().past.share == pytest.approx(0.01, rel=0.1)
    assert (service().pods, service().interval_s) == (4, 5.0)


def test_a_healthy_candidate_passes_when_it_was_foreseen_to() -> None:
    seen = [one.pass_s for one in truth("healthy") if one.pass_s is not None]

    assert len(seen) >= RUNS - 1
    assert foreseen("like stable").share("PASS") >= 0.8
    assert near(foreseen("like stable").after_s("PASS"), median(seen))


@pytest.mark.parametrize(
    ("regression", "question"),
    [("errors_x10", "10x the errors"), ("latency_plus_50", "50 % slower")],
)
def test_a_bad_one_is_taken_off_when_it_was_foreseen_to(regression: str, question: str) -> None:
    off = [min(s for s in (one.trip_s, one.fail_s) if s is not None) for one in truth(regression)]

    assert foreseen(question).off_share == 1.0
    assert near(foreseen(question).off_s, median(off))


def test_the_floor_is_sooner_than_any_traffic_allows() -> None:
    fast = ask(unlimited(service(), COURSE), HEALTHY, COURSE, runs=2)

    assert 180.0 <= (fast.after_s("PASS") or 0.0) <= (foreseen("like stable").after_s("PASS") or 0.0)


def test_the_least_share_is_the_least_that_decides() -> None:
    past = replace(service().past, errors=0.0)
    quick = Course(COURSE.steps, JudgeSettings(max_s=300.0), 1)
    small = Service(past, 40.0, 4, 15.0)

    found = enough(small, HEALTHY, quick, kind="PASS", runs=3)

    assert found.weight is not None
    below = [weight for weight in (1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50) if weight < found.weight]
    assert ask(small, HEALTHY, quick.at(found.weight), runs=3).share("PASS") >= 0.8
    assert not below or ask(small, HEALTHY, quick.at(below[-1]), runs=3).share("PASS") < 0.8


def test_what_half_of_the_traffic_does_not_decide_has_no_share() -> None:
    lonely = Service(service().past, 0.05, 2, 15.0)

    assert (
        enough(lonely, HEALTHY, Course(COURSE.steps, JudgeSettings(max_s=300.0)), kind="PASS", runs=2).weight
        is None
    )
    assert tries() == 4


def test_a_service_without_a_request_is_none() -> None:
    assert Service.of([]) is None
    assert Service.of(canary([], pods(2, 0.0), upto_s=60.0)) is None


@pytest.mark.parametrize("table", [(0.04, 0.02, 0.01), (0.02, 0.02, 0.02), (0.03, 0.0, 0.0)])
def test_the_parts_of_a_spread_make_the_whole_again(table: tuple[float, float, float]) -> None:
    passing, slower, stays = parts(table)

    assert passing + slower + stays == pytest.approx(table[0], abs=0.008)
    assert passing / 5 + slower + stays == pytest.approx(table[1], abs=0.008)
    assert min(passing, slower, stays) >= 0


def test_pods_differ_from_minute_to_minute_as_they_did() -> None:
    found = [Pod(Draws(seed), (0.04, 0.02, 0.01), (0.0,) * 3).factors(10.0)[0] for seed in range(3000)]

    mean = sum(found) / len(found)
    assert mean == pytest.approx(1.0, abs=0.02)
    assert sum((one - mean) ** 2 for one in found) / len(found) == pytest.approx(0.07, rel=0.2)


def test_what_is_slower_lies_in_later_buckets_and_harm_is_the_candidates_alone() -> None:
    past = Past(1e6, 1e4, buckets(1e6), EDGES, 1.0, True, (0.0,) * 3, (0.0,) * 3)
    world = World(
        Service(past, 1e5, 2, 5.0), Harm(errors_times=5.0, slow_times=1.5), JudgeSettings(), Draws(1)
    )

    tick = world.tick(5.0, 0.5, 1)

    ours, theirs = tick.candidate["c0"], tick.stable["s0"]
    assert ours.error_share == pytest.approx(0.05, rel=0.05)
    assert theirs.error_share == pytest.approx(0.01, rel=0.1)
    exact = buckets(ours.requests, 1.5)
    assert ours.slow[6] == pytest.approx(exact[6], rel=0.05)
    assert sum(ours.slow) == ours.requests


def test_draws_are_as_many_and_as_unsteady_as_they_should_be() -> None:
    for mean in (0.3, 4.0, 11.0, 50.0, 3000.0):
        draws = Draws(str(mean))
        found = [draws.poisson(mean) for _ in range(4000)]
        middle = sum(found) / len(found)
        assert middle == pytest.approx(mean, rel=0.05)
        assert sum((one - middle) ** 2 for one in found) / len(found) == pytest.approx(mean, rel=0.1)
    together = [Draws(seed).together(20.0, 4.0) for seed in range(3000)]
    assert sum((one - 20.0) ** 2 for one in together) / len(together) == pytest.approx(80.0, rel=0.12)


def test_the_same_seed_draws_the_same() -> None:
    assert ask(service(), HEALTHY, COURSE, runs=1) == ask(service(), HEALTHY, COURSE, runs=1)
