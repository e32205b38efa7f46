"""When a candidate may pass: what has to be excluded, what may be left out, and what leans."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.harmless import LEFT_OUT, ODD_ERRORS, Harmless
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.subtle import SubtleLane
from cd_provider.core.judge.view import scene
from tests.unit.core.judge.hand_made import EDGES, buckets

HOW = JudgeSettings(fresh=True)
SHAPE = Shape.of(EDGES, buckets(1e5), HOW)
PAST = Past(cluster=1.0, errors_differ=(0.0,) * 3, scores_differ=(0.0,) * 3)
ErrorsOf = Callable[[int, float], float]  # pod and second → errors in that tick of ten seconds


def passed(
    errors: ErrorsOf, *, slower: float = 1.0, requests: float = 500.0, usual: float = 0.01, upto_s: float = 900.0,
    tail: float = 0.0, at_end: bool = True, how: JudgeSettings = HOW,
) -> Harmless:  # fmt: skip
    """Show it two pods and a steady stable; ``tail``: that share of requests takes over five seconds."""
    subtle = SubtleLane(how, PAST)
    found = Harmless(how, subtle)
    slow = buckets(requests, slower)
    slow = (*(count * (1 - tail) for count in slow[:12]), requests * tail, *slow[13:])
    for number in range(1, round(upto_s / 10.0) + 1):
        at = 10.0 * number
        ours = {f"c{pod}": Counts(requests, errors(pod, at), slow) for pod in range(2)}
        theirs = {"s": Counts(4 * requests, 4 * requests * usual, buckets(4 * requests))}
        tick = Tick(at, 10.0, ours, theirs, EDGES)
        seen = scene(tick, began_at=0.0, known=list(ours), shape=SHAPE)
        subtle.step(seen, SHAPE)
        found.step(tick, seen, SHAPE)
    return found


def share(of: float, requests: float = 500.0) -> ErrorsOf:
    return lambda pod, at: of * requests


def test_a_candidate_like_stable_passes_by_the_quotient() -> None:
    found = passed(share(0.01))

    assert found.excluded(at_end=False)
    assert found.errors_by == "times"


def test_a_small_share_passes_whatever_the_quotient() -> None:
    found = passed(share(0.002), usual=0.0001)

    assert found.excluded(at_end=False)
    assert found.errors_by == "share"


@pytest.mark.parametrize("times", [2.0, 2.5, 10.0])
def test_what_is_unacceptable_never_passes(times: float) -> None:
    found = passed(share(0.01 * times))

    assert not found.excluded(at_end=False)
    assert not found.excluded(at_end=True)


@pytest.mark.parametrize(("slower", "passes"), [(1.0, True), (1.1, True), (1.25, False), (1.5, False)])
def test_a_quarter_slower_never_passes(slower: float, passes: bool) -> None:
    assert passed(share(0.001), slower=slower).excluded(at_end=True) is passes


def test_a_quarter_slower_passes_where_latency_is_not_judged() -> None:
    how = JudgeSettings(fresh=True, latency=False)

    assert passed(share(0.001), slower=1.5, how=how).excluded(at_end=False)


def test_few_requests_exclude_nothing_and_at_the_end_a_little_less_is_enough() -> None:
    few = passed(share(0.01, 2.0), requests=2.0)
    assert not few.excluded(at_end=True)

    some = passed(share(0.01, 8.0), requests=8.0)
    assert (some.excluded(at_end=False), some.excluded(at_end=True)) == (False, True)


def test_nothing_is_excluded_before_the_cold_start_is_over() -> None:
    found = passed(share(0.0), upto_s=110.0)

    assert not found.excluded(at_end=False)
    assert found.still_open() == ("errors", "latency")


@pytest.mark.parametrize(
    ("times", "slower", "still_open"),
    [
        (1.0, 1.0, ()),
        (2.0, 1.0, ("errors",)),
        (1.0, 1.25, ("latency",)),
        (2.0, 1.25, ("errors", "latency")),
    ],
)
def test_people_are_told_of_the_harm_that_is_not_excluded_and_of_no_other(
    times: float, slower: float, still_open: tuple[str, ...]
) -> None:
    assert passed(share(0.01 * times), slower=slower).still_open() == still_open


def test_what_does_not_decide_is_never_still_open() -> None:
    how = JudgeSettings(fresh=True, latency=False)

    assert passed(share(0.02), slower=1.25, how=how).still_open() == ("errors",)


def out_for(minutes: int, pods: tuple[int, ...] = (0,)) -> ErrorsOf:
    """Give a pod that fails a fifth of its requests for so many whole minutes."""

    def errors(pod: int, at: float) -> float:
        return 100.0 if pod in pods and 300.0 < at <= 300.0 + 60.0 * minutes else 5.0

    return errors


@pytest.mark.parametrize(("minutes", "pods"), [(1, (0,)), (1, (0, 1)), (2, (1,))])
def test_two_odd_minutes_of_a_pod_do_not_keep_a_version_from_passing(
    minutes: int, pods: tuple[int, ...]
) -> None:
    assert LEFT_OUT == 2
    assert passed(out_for(minutes, pods)).excluded(at_end=True)


@pytest.mark.parametrize(("minutes", "pods"), [(4, (0,)), (2, (0, 1)), (9, (0, 1))])
def test_more_of_them_do(minutes: int, pods: tuple[int, ...]) -> None:
    assert not passed(out_for(minutes, pods)).excluded(at_end=True)


def test_a_version_that_is_bad_all_the_time_has_no_odd_minutes() -> None:
    found = passed(share(0.05))

    assert found.minutes.odd(1.0) == Counts()


def test_a_minute_with_hardly_any_errors_is_not_odd() -> None:
    few = passed(lambda pod, at: float(pod == 0 and at == 310.0) * (ODD_ERRORS - 1.0))
    enough = passed(lambda pod, at: float(pod == 0 and at == 310.0) * ODD_ERRORS)

    assert few.minutes.odd(1.0) == Counts()
    assert enough.minutes.odd(1.0).errors == ODD_ERRORS


def test_a_slow_tail_leans_and_a_service_like_stable_does_not() -> None:
    assert passed(share(0.01), tail=0.02).tail_leans
    assert not passed(share(0.01)).tail_leans


def test_the_order_of_pods_with_as_many_errors_does_not_matter_to_what_is_left_out() -> None:
    def minutes(order: list[str]) -> Counts:
        found = passed(share(0.0))
        pods = {"a": Counts(100.0, 9.0), "b": Counts(300.0, 9.0), "c": Counts(200.0, 9.0)}
        found.minutes.open = {pod: pods[pod] for pod in order}
        found.minutes.sums = found.minutes.sums + Counts(600.0, 27.0)
        return found.minutes.odd(1.0)

    assert minutes(["a", "b", "c"]) == minutes(["c", "b", "a"])
