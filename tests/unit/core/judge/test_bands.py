"""Bands for people: known intervals, weights that change, and what is told where there is nothing to tell."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cd_provider.core.judge.bands import Band, Comparison, Slower
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.view import Arm, scene
from tests.unit.core.judge.hand_made import EDGES, all_in, buckets, canary, pods

ALIKE = Past(cluster=1.0, known=True, errors_differ=(0.0,) * 3, scores_differ=(0.0,) * 3)


def shaped(edges: tuple[float, ...], counts: tuple[float, ...]) -> Shape:
    found = Shape.of(edges, counts, JudgeSettings())
    assert found is not None
    return found


SHAPE = shaped(EDGES, buckets(1e5))


def compared(*rows: tuple[float, float, float, float], past: Past = ALIKE) -> Comparison:
    """Compare ticks of (candidate's errors, its requests, stable's errors, its requests)."""
    found = Comparison(past)
    for errors, requests, theirs, asked in rows:
        found.add(Arm(requests, errors), Arm(asked, theirs), score_variance=0.0)
    return found


def errors(*rows: tuple[float, float, float, float], past: Past = ALIKE) -> Band | None:
    return compared(*rows, past=past).error_band(600.0, (2, 2))


def test_the_band_of_errors_is_the_exact_one() -> None:
    found = errors((10.0, 1000.0, 5.0, 1000.0))  # 10 of 15: 0.3838 to 0.8818

    assert found is not None
    assert found.middle == pytest.approx(2.0, rel=1e-4)
    assert found.low == pytest.approx(0.3838 / 0.6162, rel=1e-3)
    assert found.high == pytest.approx(0.8818 / 0.1182, rel=1e-3)


def test_weights_that_change_do_not_distort_the_ratio() -> None:
    little, much = (15.0, 500.0, 95.0, 9500.0), (300.0, 5000.0, 100.0, 5000.0)  # three times as many in each

    found = errors(little, much)

    assert found is not None
    assert found.middle == pytest.approx(3.0, rel=1e-4)
    crude = (315.0 / 5500.0) / (195.0 / 14500.0)
    assert crude > 4.0


@pytest.mark.parametrize(
    ("row", "low", "middle", "high"),
    [
        pytest.param((0.0, 1000.0, 5.0, 1000.0), 0.0, 0.0, 1.0911, id="the candidate has none"),
        pytest.param((5.0, 1000.0, 0.0, 1000.0), 0.9165, math.inf, math.inf, id="stable has none"),
    ],
)
def test_one_side_without_errors_has_half_a_band(
    row: tuple[float, float, float, float], low: float, middle: float, high: float
) -> None:
    found = errors(row)

    assert found is not None
    assert (found.low, found.middle, found.high) == pytest.approx((low, middle, high), rel=1e-3)


def test_without_any_error_there_is_no_ratio_but_a_share() -> None:
    seen = compared((0.0, 1000.0, 0.0, 1000.0))
    share = seen.share_band()

    assert seen.error_band(600.0, (2, 2)) is None
    assert share is not None
    assert (share.low, share.middle) == (0.0, 0.0)
    assert share.high == pytest.approx(1.0 - 0.025 ** (1 / 1000), rel=1e-3)


def test_ticks_without_the_other_side_compare_nothing() -> None:
    seen = compared((5.0, 1000.0, 0.0, 0.0), (0.0, 0.0, 5.0, 1000.0))

    assert seen.error_band(600.0, (2, 2)) is None
    assert seen.share_band() is None
    assert seen.latency_band(600.0, (2, 2), Slower(SHAPE)) is None


@pytest.mark.parametrize(
    "past",
    [
        pytest.param(replace(ALIKE, cluster=4.0), id="errors come together"),
        pytest.param(replace(ALIKE, errors_differ=(0.05,) * 3), id="pods of one version differ"),
    ],
)
def test_what_makes_chance_larger_makes_the_band_wider(past: Past) -> None:
    row = (40.0, 1000.0, 20.0, 1000.0)
    plain, wider = errors(row), errors(row, past=past)

    assert plain is not None
    assert wider is not None
    assert wider.middle == pytest.approx(plain.middle)
    assert wider.low < 0.9 * plain.low
    assert wider.high > 1.1 * plain.high


@pytest.mark.parametrize("times", [0.5, 0.8, 1.0, 1.05, 1.25, 1.5, 3.0])
def test_a_shift_of_scores_is_told_as_the_factor_that_makes_it(times: float) -> None:
    slower = Slower(SHAPE)

    assert slower.times(SHAPE.shift(times)) == pytest.approx(times, rel=2e-3)
    assert slower.times(99.0) == pytest.approx(8.0)
    assert slower.times(-99.0) == pytest.approx(0.2)


@pytest.mark.parametrize("times", [1.0, 1.25, 1.5])
def test_a_candidate_that_is_slower_by_a_factor_has_it_in_its_band(times: float) -> None:
    seen = Comparison(ALIKE)
    for tick in canary(pods(2, 20.0, 0.0, times), pods(2, 20.0), upto_s=300.0):
        at = scene(tick, began_at=0.0, known=(), shape=SHAPE)
        seen.add(at.whole, at.stable, score_variance=at.score_variance)

    found = seen.latency_band(300.0, (2, 2), Slower(SHAPE))

    assert found is not None
    assert found.low < times < found.high
    assert found.middle == pytest.approx(times, rel=0.02)
    assert found.high / found.low < 1.2


@pytest.mark.parametrize("bucket", range(len(EDGES)))
@pytest.mark.parametrize("asked", range(1, 12))
def test_a_short_canary_whose_requests_are_all_as_fast_has_a_band_without_width(
    bucket: int, asked: int
) -> None:
    tick = Tick(5.0, 5.0, {"a": all_in(bucket, asked)}, {"s": all_in(bucket, 3 * asked)}, EDGES)
    at = scene(tick, began_at=0.0, known=(), shape=SHAPE)
    seen = Comparison(ALIKE)
    seen.add(at.whole, at.stable, score_variance=at.score_variance)

    found = seen.latency_band(5.0, (2, 2), Slower(SHAPE))

    assert found is not None
    assert found.low == pytest.approx(found.high, rel=0.02)


def test_buckets_that_do_not_tell_have_no_band() -> None:
    edges = (100.0, 200.0, 300.0, math.inf)
    shape = shaped(edges, (1e4, 0.0, 0.0, 0.0))

    assert not Slower(shape).tells
