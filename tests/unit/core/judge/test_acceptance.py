"""What a judge was promised to say, to the word and the second; and what must hold of it whatever the numbers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged
from tests.unit.core.judge.hand_made import EDGES, HALF_HOUR_S, Pod, buckets, canary, pods, usual, verdicts
from tests.unit.core.judge.test_pitfalls_clock import series

SPAN_S = 15.0
USUAL = usual()
Sides = tuple[Sequence[Pod], Sequence[Pod]]


def judged(
    candidate: Sequence[Pod], stable: Sequence[Pod], how: JudgeSettings | None = None
) -> list[tuple[str, str, float]]:
    """Give every verdict of half an hour: its kind, its reason or lane, and when."""
    return said(verdicts(canary(candidate, stable, span_s=SPAN_S), how, USUAL))


def said(found: Sequence[Judged]) -> list[tuple[str, str, float]]:
    return [(one.kind, one.reason or one.lane, one.at) for one in found]


# --- to the word and the second -----------------------------------------------------------------------------

ROWS: dict[str, tuple[Sides, tuple[str, str]]] = {
    "nobody is there": (([], []), ("NO_DATA", "no traffic")),
    "no pod of the candidate": (([], pods(3, 10.0)), ("NO_DATA", "no traffic")),
    "no request to the candidate": ((pods(3, 0.0), pods(3, 10.0)), ("NO_DATA", "no traffic")),
    "no pod of stable": ((pods(3, 5.0), []), ("INCONCLUSIVE", "no baseline")),
    "no request to stable": ((pods(3, 5.0, 0.01), pods(3, 0.0)), ("INCONCLUSIVE", "no baseline")),
    "ten requests": ((pods(1, 10 / 1800), pods(1, 90 / 1800)), ("INCONCLUSIVE", "too few requests")),
    "all fail everywhere": ((pods(3, 5.0, 1.0), pods(3, 10.0, 1.0)), ("INCONCLUSIVE", "baseline unhealthy")),
    "one pod fails": (([*pods(2, 5.0), Pod(5.0, 0.2)], pods(3, 10.0, 0.001)), ("INCONCLUSIVE", "one pod")),
}


@pytest.mark.parametrize(("sides", "expected"), [pytest.param(*row, id=name) for name, row in ROWS.items()])
def test_what_cannot_be_decided_is_said_once_at_the_very_end(sides: Sides, expected: tuple[str, str]) -> None:
    assert judged(*sides) == [(*expected, HALF_HOUR_S)]


def test_without_a_baseline_a_candidate_fails_by_what_no_version_may_do() -> None:
    assert judged(pods(3, 5.0, 0.3), pods(3, 0.0)) == [("FAIL", "never above", 75.0)]


def test_errors_without_requests_are_no_data() -> None:
    ticks = [
        Tick(SPAN_S * number, SPAN_S, {"c": Counts(0.0, 5.0)}, {"s": Counts(150.0, 0.0)})
        for number in range(1, 121)
    ]

    assert said(verdicts(ticks, JudgeSettings(latency=False), USUAL)) == [("NO_DATA", "no traffic", 1800.0)]


def test_a_service_of_few_requests_whose_errors_lie_in_its_past_is_told_how_many_it_takes() -> None:
    """Stable had an error in the first minutes, and nobody one since: nothing to compare, and no reason to break."""
    ticks = canary(pods(2, 1 / 60), pods(3, 3 / 60, lambda at: 0.5 if at < 180.0 else 0.0), span_s=SPAN_S)

    (found,) = verdicts(ticks, JudgeSettings(latency=False))

    assert (found.kind, found.reason, found.at) == ("INCONCLUSIVE", "too few requests", 1800.0)
    assert found.need.startswith("about ")


@pytest.mark.parametrize("per_second", [0.5, 5.0, 50.0])
def test_a_healthy_candidate_passes_once_and_never_before_three_minutes(per_second: float) -> None:
    found = judged(pods(3, per_second, 0.001), pods(3, 2 * per_second, 0.001))

    assert [kind for kind, _, _ in found][:1] in (["PASS"], ["INCONCLUSIVE"])
    assert all(at > 180.0 for _, _, at in found)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("share", "upto_s"),
    [(0.02, 300.0), (0.05, 90.0), (0.3, 15.0), (1.0, 15.0)],
    ids=["2 %", "5 %", "30 %", "100 %"],
)
def test_the_worse_it_is_the_sooner_it_is_off_traffic(share: float, upto_s: float) -> None:
    first = judged(pods(3, 5.0, share), pods(3, 10.0, 0.001))[0]

    assert first[0] in ("TRIP", "FAIL")
    assert first[2] <= upto_s


def test_an_end_is_an_end_and_later_ticks_change_nothing() -> None:
    judge = Judge(JudgeSettings(), past=USUAL)
    ticks = canary(pods(3, 5.0, 0.02), pods(3, 10.0, 0.001), span_s=SPAN_S)
    found = [one for tick in ticks if (one := judge.step(tick))]
    healthy = [
        replace(tick, at=tick.at + 1800.0) for tick in canary(pods(3, 5.0), pods(3, 10.0), span_s=SPAN_S)
    ]

    assert [one.kind for one in found][-1] == "FAIL"
    assert not any(judge.step(tick) for tick in healthy)
    assert judge.verdict is found[-1]


# --- whenever one looks -------------------------------------------------------------------------------------

FIFTEEN_MIN = JudgeSettings(max_s=900.0)
RUNS = {
    name: series(canary(pods(2, 5.0, share, slower), pods(2, 10.0, 0.001), upto_s=900.0, span_s=SPAN_S))
    for name, share, slower in (("healthy", 0.001, 1.0), ("errors", 0.01, 1.0), ("slow", 0.001, 1.3))
}
looks = st.sets(st.integers(1, 59), max_size=12).map(lambda some: [*sorted(some), 60])


def read(name: str, answers: Sequence[int]) -> list[tuple[str, str, float]]:
    """Judge a run of which the server is asked after so many ticks, each time for what it has had since."""
    aligner, judge, found, since = (
        Aligner(started_at=0.0, interval_s=SPAN_S),
        Judge(FIFTEEN_MIN, past=USUAL),
        [],
        -1.0,
    )
    for number in answers:
        upto = SPAN_S * number
        answer = [
            replace(one, samples=[each for each in one.samples if since < each[0] <= upto])
            for one in RUNS[name]
        ]
        found += [verdict for tick in aligner.feed(answer) if (verdict := judge.step(tick))]
        since = upto - 2 * SPAN_S  # answers overlap
    return said(found)


ONCE = {name: read(name, [60]) for name in RUNS}


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(sorted(RUNS)), looks)
def test_however_often_one_looks_the_verdict_and_its_second_are_the_same(
    name: str, answers: list[int]
) -> None:
    assert read(name, answers) == ONCE[name]


def test_each_tick_each_minute_and_once_at_the_end_are_the_same() -> None:
    for name in RUNS:
        assert read(name, list(range(1, 61))) == read(name, list(range(4, 61, 4))) == ONCE[name]
    assert [found[0][0] for found in ONCE.values()] == ["PASS", "FAIL", "FAIL"]


# --- with chance in it --------------------------------------------------------------------------------------

TEN_MIN = JudgeSettings(fresh=True, max_s=600.0)
DRAWS = range(12)


def drawn(
    seed: int, shares: tuple[float, float], *, per_second: float = 10.0, swapped: bool = False
) -> list[Tick]:
    """Draw ten minutes of two sides of three pods; swapped, the same draws under the other's name."""
    rng = np.random.default_rng(seed)
    requests = rng.poisson(per_second * SPAN_S, (40, 2, 3))
    errors = rng.binomial(requests, np.array(shares)[None, :, None])
    slow = buckets(per_second * SPAN_S)
    order = (1, 0) if swapped else (0, 1)

    def side(tick: int, which: int, name: str) -> dict[str, Counts]:
        both = zip(requests[tick, which], errors[tick, which], strict=True)
        return {f"{name}{pod}": Counts(float(all_), float(bad), slow) for pod, (all_, bad) in enumerate(both)}

    return [
        Tick(SPAN_S * (tick + 1), SPAN_S, side(tick, order[0], "c"), side(tick, order[1], "s"), EDGES)
        for tick in range(40)
    ]


def convicts(ticks: Sequence[Tick], how: JudgeSettings = TEN_MIN) -> float:
    """Give the second in which it is failed, or taken off traffic for a while; infinity: never."""
    found = [one.at for one in verdicts(ticks, how, USUAL) if one.kind in ("TRIP", "FAIL")]
    return found[0] if found else float("inf")


@pytest.mark.parametrize("shares", [(0.001, 0.001), (0.02, 0.001), (0.02, 0.02), (0.3, 0.02), (0.5, 0.5)])
def test_of_two_sides_that_change_places_never_both_are_convicted(shares: tuple[float, float]) -> None:
    for seed in DRAWS:
        forth, back = convicts(drawn(seed, shares)), convicts(drawn(seed, shares, swapped=True))
        assert float("inf") in (forth, back), seed


@pytest.mark.parametrize("stable", [0.004, 0.02, 0.1, 0.6])
def test_a_candidate_that_is_better_than_stable_is_never_failed(stable: float) -> None:
    for seed in DRAWS:
        assert convicts(drawn(seed, (stable / 2, stable))) == float("inf"), seed


@pytest.mark.parametrize("times", [0.3, 0.6, 0.9])
def test_a_candidate_that_is_faster_than_stable_is_never_failed(times: float) -> None:
    assert [kind for kind, _, _ in judged(pods(3, 5.0, 0.001, times), pods(3, 10.0, 0.001))] == ["PASS"]


@pytest.mark.parametrize("shares", [(0.004, 0.001), (0.01, 0.001), (0.05, 0.001), (0.06, 0.02)])
def test_ten_times_the_traffic_finds_it_no_later_in_the_median(shares: tuple[float, float]) -> None:
    little = median(convicts(drawn(seed, shares)) for seed in DRAWS)
    much = median(convicts(drawn(seed, shares, per_second=100.0)) for seed in DRAWS)

    assert much <= little


more = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 2), st.integers(1, 40)), min_size=1, max_size=12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.001, 0.01, 0.1]), more)
def test_more_errors_of_the_candidate_are_never_found_later_and_never_turn_a_fail_into_a_pass(
    seed: int, share: float, added: Sequence[tuple[int, int, int]]
) -> None:
    plain, worse = drawn(seed, (share, share / 4)), list(drawn(seed, (share, share / 4)))
    for at, pod, amount in added:
        side = dict(worse[at].candidate)
        one = side[f"c{pod}"]
        side[f"c{pod}"] = replace(one, errors=min(one.requests, one.errors + amount))
        worse[at] = replace(worse[at], candidate=side)

    assert not {("FAIL", "PASS"), ("FAIL", "INCONCLUSIVE")} & set(
        zip(states(plain), states(worse), strict=True)
    )


def states(ticks: Sequence[Tick]) -> list[str]:
    """Give the verdict that stands after each tick."""
    judge, found = Judge(TEN_MIN, past=USUAL), list[str]()
    for tick in ticks:
        judge.step(tick)
        found.append(judge.verdict.kind if judge.verdict else "")
    return found


def test_the_draws_are_what_they_are_called() -> None:
    ticks: list[Tick] = drawn(1, (0.5, 0.0))
    counted: Callable[[str], float] = lambda which: sum(  # noqa: E731
        one.errors for tick in ticks for one in getattr(tick, which).values()
    )

    assert counted("candidate") > 8000
    assert counted("stable") == 0
    assert all(after.at - before.at == SPAN_S for before, after in pairwise(ticks))
