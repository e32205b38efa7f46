"""Scores and contrasts: against every way in which requests can be dealt out, and against what they must not notice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.ranks import Contrast, contrast, savage, score_of, variance_of


def compared(candidate: Sequence[float], stable: Sequence[float], scores: Sequence[float]) -> Contrast:
    """Compare two sides by their buckets."""
    return contrast((sum(candidate), score_of(candidate, scores)), (sum(stable), score_of(stable, scores)))


buckets = st.lists(st.integers(0, 50), min_size=2, max_size=14)


@given(buckets.filter(any))
def test_scores_rise_and_are_nothing_on_average(pooled: list[int]) -> None:
    scores = savage(pooled)

    mean = sum(count * score for count, score in zip(pooled, scores, strict=True)) / sum(pooled)
    assert mean == pytest.approx(0.0, abs=1e-9)
    assert list(scores) == sorted(scores)


def test_one_request_in_each_bucket_scores_as_in_the_textbook() -> None:
    """Savage's scores of n values are sums of 1/n, 1/(n-1), …; the bucket's mean is their limit for many values."""
    n = 400
    scores = savage([1.0] * n)

    exact = sum(1.0 / (n - rank) for rank in range(300))
    assert scores[299] + 1.0 == pytest.approx(exact, rel=0.01)


def test_nobody_asked_scores_nothing() -> None:
    assert savage([0, 0, 0]) == (0.0, 0.0, 0.0)
    assert compared([0, 0], [3, 4], [0.0, 1.0]) == (0.0, 0.0)
    assert variance_of([0, 0], [0.0, 1.0]) == 0.0


def test_mean_and_variance_are_those_of_dealing_the_same_requests_out_at_random() -> None:
    """Exact, over all ways to give three of seven requests to the candidate."""
    requests = [0, 0, 1, 1, 1, 2, 2]
    scores = savage([requests.count(bucket) for bucket in range(3)])

    def dealt(ours: tuple[int, ...]) -> Contrast:
        candidate, stable = [0.0] * 3, [0.0] * 3
        for number, bucket in enumerate(requests):
            (candidate if number in ours else stable)[bucket] += 1
        return compared(candidate, stable, scores)

    every = [dealt(ours) for ours in combinations(range(7), 3)]

    one = variance_of([requests.count(bucket) for bucket in range(3)], scores)

    assert fmean(found for found, _ in every) == pytest.approx(0.0, abs=1e-12)
    assert pvariance(found for found, _ in every) == pytest.approx(every[0].weight * one * 7 / 6)
    assert {weight for _, weight in every} == {3 * 4 / 7}


@given(buckets, buckets)
def test_the_sides_swapped_give_the_opposite(one: list[int], other: list[int]) -> None:
    size = min(len(one), len(other))
    ours, theirs = one[:size], other[:size]
    scores = savage([a + b for a, b in zip(ours, theirs, strict=True)])

    forth, back = compared(ours, theirs, scores), compared(theirs, ours, scores)

    assert forth[0] == pytest.approx(-back[0], abs=1e-9)
    assert forth[1] == pytest.approx(back[1])


def test_a_service_that_gets_slower_as_a_whole_shows_no_difference() -> None:
    scores = savage([100, 80, 20])

    assert compared([2, 10, 20], [20, 100, 200], scores)[0] == pytest.approx(0.0, abs=1e-9)


def test_a_slow_tail_is_seen() -> None:
    healthy, tail = [900, 80, 16, 4], [882, 78, 16, 24]
    both = [a + b for a, b in zip(healthy, tail, strict=True)]
    scores = savage(both)

    found, weight = compared(tail, healthy, scores)

    assert found / (weight * variance_of(both, scores)) ** 0.5 > 2.0
