"""The likelihood ratio: fair under what it doubts, quick when that is false, deaf to what hits both sides."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.likelihood import (
    ALTERNATIVES,
    BLOCK_CAP,
    BLOCK_S,
    RatioEvidence,
    ShareEvidence,
)

EXPOSURE = (20.0, 180.0)


def chance(ours: int, of: int, share: float) -> float:
    return math.comb(of, ours) * share**ours * (1 - share) ** (of - ours)


@pytest.mark.parametrize("worse", ALTERNATIVES)
@pytest.mark.parametrize(("m", "n"), [(20.0, 180.0), (50.0, 50.0), (1.0, 999.0), (90.0, 10.0)])
@pytest.mark.parametrize("of", [1, 7, 40])
def test_it_is_a_fair_bet_at_the_tolerance_and_a_losing_one_below(
    worse: float, m: float, n: float, of: int
) -> None:
    """Exact: the mean of the ratio over every way in which ``of`` events can fall."""

    def ratio(ours: int) -> float:
        seen = RatioEvidence(alternatives=(worse,), times=(1.5,))
        seen.step(1.0, (ours,), (of - ours,), (m, n))
        return math.exp(seen.block[0][0])

    def mean(true_times: float) -> float:
        share = true_times * m / (true_times * m + n)
        return sum(chance(k, of, share) * ratio(k) for k in range(of + 1))

    assert mean(1.5) == pytest.approx(1.0)
    assert mean(1.0) < 1.0
    assert mean(0.2) < mean(1.0)


def looked_at(
    seen: RatioEvidence, at: float, events: tuple[float, float], exposure: tuple[float, float] = EXPOSURE
) -> float:
    """Take a tick; give the evidence then."""
    seen.step(at, events[:1], events[1:], exposure)
    return seen.evidence


def test_what_makes_both_sides_worse_for_a_while_says_nothing() -> None:
    """Events that fall as the exposures do: twenty times as many of them are no evidence either."""
    seen = RatioEvidence(times=(1.5,))
    for second in range(1, 121):
        looked_at(seen, float(second), (2.0, 18.0))

    assert seen.evidence < 1.0


def test_a_candidate_far_beyond_is_found() -> None:
    seen = RatioEvidence(times=(1.5,))

    steps = [looked_at(seen, float(second), (1.0, 0.1)) for second in range(1, 181)]

    assert max(steps[:60]) <= BLOCK_CAP
    assert steps[-1] > 100.0


def test_no_single_minute_convicts_whatever_happens_in_it() -> None:
    seen = RatioEvidence(times=(1.5,))

    assert looked_at(seen, 1.0, (1000.0, 0.0)) == pytest.approx(BLOCK_CAP)
    assert looked_at(seen, 1.0 + BLOCK_S, (1000.0, 0.0)) == pytest.approx(BLOCK_CAP)
    assert looked_at(seen, 2.0 + BLOCK_S, (0.0, 0.0)) < BLOCK_CAP  # the next block; a part began anew


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_it_never_grows_beyond_the_most_it_can_before_its_minute_is_over(
    events: list[tuple[int, int]],
) -> None:
    """Whoever needs more than that need not ask: what it convicts by is the same."""
    ratio, share = RatioEvidence(times=(1.5,)), ShareEvidence(share=0.01)
    for number, (ours, theirs) in enumerate(events, 1):
        ratio.step(10.0 * number, (ours,), (theirs,), EXPOSURE)
        share.step(10.0 * number, ours, EXPOSURE[0])

        assert ratio.evidence <= ratio.most
        assert share.evidence <= share.most


def test_a_late_regression_is_not_drowned_by_a_good_start() -> None:
    seen = RatioEvidence(times=(1.5,))
    for second in range(1, 1801):
        looked_at(seen, float(second), (0.01, 0.9))
    assert seen.evidence < 0.2

    late = [looked_at(seen, 1800.0 + second, (1.0, 0.1)) for second in range(1, 361)]

    assert max(late) > 20.0


def test_one_sided_ticks_say_nothing() -> None:
    seen = RatioEvidence(times=(1.5,))

    assert looked_at(seen, 1.0, (5.0, 0.0), (20.0, 0.0)) == 1.0
    assert looked_at(seen, 2.0, (0.0, 5.0), (0.0, 180.0)) == 1.0


def test_of_several_kinds_it_is_the_mean() -> None:
    kinds = [((3.0, 9.0), 1.2), ((0.0, 0.0), 3.0), ((7.0, 1.0), 2.0)]
    both = RatioEvidence(kinds=3, times=[times for _, times in kinds])
    alone = [RatioEvidence(times=(times,)) for _, times in kinds]

    for minute in range(1, 4):
        both.step(60.0 * minute, [ours for (ours, _), _ in kinds], [its for (_, its), _ in kinds], EXPOSURE)
        each = [looked_at(one, 60.0 * minute, events) for one, (events, _) in zip(alone, kinds, strict=True)]
        assert both.evidence == pytest.approx(sum(each) / 3)
        assert both.most == pytest.approx(sum(one.most for one in alone) / 3)


@given(st.integers(1, 30), st.integers(0, 30), st.integers(1, 200), st.integers(1, 200))
def test_another_error_of_the_candidate_never_weakens_the_evidence(
    ours: int, theirs: int, m: int, n: int
) -> None:
    def evidence(errors: int) -> float:
        return looked_at(RatioEvidence(times=(1.5,)), 1.0, (errors, theirs), (m, n))

    assert evidence(ours) >= evidence(ours - 1)


def test_healthy_services_are_convicted_no_more_often_than_promised() -> None:
    """Two thousand canaries exactly at the tolerance, looked at every second for five minutes, alpha 5 %."""
    dice, wrong = random.Random(7), 0
    share = 1.5 * EXPOSURE[0] / (1.5 * EXPOSURE[0] + EXPOSURE[1])
    for _ in range(2000):
        seen = RatioEvidence(times=(1.5,))
        for second in range(0, 300, 3):
            ours = dice.random() < share
            if looked_at(seen, float(second), (float(ours), float(not ours))) >= 20.0:
                wrong += 1
                break

    assert wrong / 2000 <= 0.05
