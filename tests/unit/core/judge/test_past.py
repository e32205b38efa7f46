"""What an hour of stable's own pods tells: clusters of errors, how far pods differ; an incident is not usual."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.past import MOST_CLUSTER, ONE_UNIT, UNKNOWN_CLUSTER, Past, differ, look_back
from cd_provider.exceptions import ArgumentError

SPAN_S = 10.0
EDGES = (0.1, 0.2, 0.4, float("inf"))


def hour(
    errors: Callable[[random.Random, int, float], float],
    *,
    pods: int = 3,
    requests: float = 500.0,
    slow: Callable[[random.Random, int], tuple[float, ...]] | None = None,
    upto_s: float = 3600.0,
) -> list[Tick]:
    """Give ticks in which each pod has as many errors as ``errors(dice, pod, at)`` says."""
    dice, found = random.Random(5), []
    for number in range(1, round(upto_s / SPAN_S) + 1):
        at = number * SPAN_S
        side = {
            f"s{pod}": Counts(requests, errors(dice, pod, at), slow(dice, pod) if slow else ())
            for pod in range(pods)
        }
        found.append(Tick(at, SPAN_S, {}, side, EDGES if slow else ()))
    return found


def in_bursts(size: int, chance: float = 0.2) -> Callable[[random.Random, int, float], float]:
    """Give bursts of errors: each pod has one in so many ticks."""
    return lambda dice, pod, at: float(size * (dice.random() < chance))


@pytest.mark.parametrize("size", [2, 4, 6])
@pytest.mark.parametrize("pods", [1, 3])
def test_retries_are_counted_as_what_comes_together(size: int, pods: int) -> None:
    found = look_back(hour(in_bursts(size), pods=pods))

    assert found.known
    assert found.cluster == pytest.approx(size, rel=0.25)


def test_errors_that_come_alone_are_no_cluster_and_none_is_endless() -> None:
    assert look_back(hour(in_bursts(1, 0.3))).cluster < 1.4
    assert look_back(hour(in_bursts(60))).cluster == MOST_CLUSTER


def test_too_few_errors_tell_nothing_about_clusters() -> None:
    found = look_back(hour(lambda dice, pod, at: float(at == 1000.0 and pod == 0) * 19))

    assert (found.cluster, found.known) == (UNKNOWN_CLUSTER, False)


@pytest.mark.parametrize("pods", ["every", "one"])
def test_an_incident_within_the_hour_does_not_change_what_is_usual(pods: str) -> None:
    calm = in_bursts(1, 0.5)

    def incident(dice: random.Random, pod: int, at: float) -> float:
        usual = calm(dice, pod, at)
        return 200.0 if 1000.0 < at <= 1240.0 and (pods == "every" or pod == 0) else usual

    before, with_it = look_back(hour(calm)), look_back(hour(incident))

    assert with_it.cluster == pytest.approx(before.cluster, rel=0.2)
    assert max(with_it.errors_differ) <= max(before.errors_differ) + 0.01


def unequal(by: float) -> Callable[[random.Random, int, float], float]:
    """Give one pod more errors than the others, each tick as chance has it."""
    return lambda dice, pod, at: float(
        sum(dice.random() < 0.05 * (1.0 + by * (pod == 0)) for _ in range(100))
    )


def test_pods_that_differ_are_found_to_and_pods_alike_are_not() -> None:
    alike, apart = (look_back(hour(unequal(by), requests=100.0)) for by in (0.0, 1.0))

    assert max(alike.errors_differ) < 0.01
    # Shares of 2, 1 and 1 twentieths: a relative variance of 1/8.
    assert apart.errors_differ[-1] == pytest.approx(0.125, rel=0.6)


def test_longer_stretches_never_differ_more() -> None:
    for by in (0.0, 0.3, 1.0):
        found = look_back(hour(unequal(by), requests=100.0)).errors_differ
        assert list(found) == sorted(found, reverse=True)


def test_a_slow_pod_is_seen_in_the_scores() -> None:
    def alike(dice: random.Random, pod: int) -> tuple[float, ...]:
        moved = dice.choice((-2.0, 0.0, 2.0))
        return (400.0 - moved, 80.0 + moved, 18.0, 2.0)

    def apart(dice: random.Random, pod: int) -> tuple[float, ...]:
        return alike(dice, pod) if pod else (250.0, 180.0, 60.0, 10.0)

    none = in_bursts(1, 0.1)
    assert max(look_back(hour(none, slow=alike)).scores_differ) < 1e-4
    assert min(look_back(hour(none, slow=apart)).scores_differ) > 0.01


def test_one_pod_tells_how_often_but_not_how_far_pods_differ() -> None:
    found = look_back(hour(in_bursts(1), pods=1))

    assert found.share == pytest.approx(0.2 / 500.0, rel=0.2)
    assert (found.errors_differ, found.scores_differ) == ONE_UNIT


def test_no_ticks_and_no_requests_give_what_is_assumed() -> None:
    assert look_back([]) == Past()
    assert look_back([Tick(10.0, 10.0, {}, {"s": Counts()})]) == Past()
    assert (Past().share, Past().cluster, Past().known) == (0.0, UNKNOWN_CLUSTER, False)


def test_without_latency_buckets_it_is_assumed_how_far_pods_differ_in_it() -> None:
    assert look_back(hour(in_bursts(1))).scores_differ == ONE_UNIT[1]


def test_pods_that_a_deploy_replaced_are_pods_of_their_own() -> None:
    """Each pod is compared with those beside it, whatever they were called before."""
    ticks = hour(in_bursts(1, 0.5))
    deployed = [
        replace(tick, stable={f"new-{pod}": one for pod, one in tick.stable.items()})
        if tick.at > 1800
        else tick
        for tick in ticks
    ]

    before, after = look_back(ticks), look_back(deployed)

    assert (after.requests, after.errors, after.share) == (before.requests, before.errors, before.share)
    assert after.cluster == pytest.approx(before.cluster, rel=0.1)


def test_buckets_that_changed_within_the_hour_are_not_added_up() -> None:
    ticks = hour(in_bursts(1), slow=lambda dice, pod: (400.0, 80.0, 18.0, 2.0))
    other = [replace(tick, edges=(1.0, 2.0, 4.0, float("inf"))) for tick in ticks[:300]]

    found = look_back([*other, *ticks[300:]])

    assert found.edges == EDGES
    assert sum(found.buckets) == 60 * 3 * 500.0
    assert found.requests == 360 * 3 * 500.0


def test_what_no_counter_can_do_is_an_error_that_names_the_pod() -> None:
    with pytest.raises(ArgumentError, match="stable pod s1 at 10: saw nan errors"):
        look_back([Tick(10.0, 10.0, {}, {"s0": Counts(5.0), "s1": Counts(5.0, float("nan"))})])


def test_between_the_scales_it_goes_by_the_logarithm_of_time() -> None:
    table = (0.04, 0.02, 0.01)

    assert [differ(table, at) for at in (0.0, 60.0, 300.0, 900.0, 9000.0)] == [0.04, 0.04, 0.02, 0.01, 0.01]
    assert differ(table, (60.0 * 300.0) ** 0.5) == pytest.approx(0.03)
