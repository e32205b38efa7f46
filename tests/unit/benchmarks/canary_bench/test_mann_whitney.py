from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.canary_bench.judges.kayenta import classify
from benchmarks.canary_bench.judges.mann_whitney import deviation, shift
from cd_provider.core.judge.kayenta.mann_whitney import LEVEL, Shift

NUMBERS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=12)


def test_five_against_five_end_at_the_outermost_differences() -> None:
    # mn/2 - 0.5 - 2.326 * sqrt(25 * 11 / 12) = 0.86: the first of 25 differences
    found = shift([11, 12, 13, 14, 15], [1, 2, 3, 4, 5], level=LEVEL)

    assert found == Shift(estimate=10, lower=6, upper=14)


def test_six_against_six_leave_out_three_differences_at_each_end() -> None:
    # mn/2 - 0.5 - 2.326 * sqrt(36 * 13 / 12) = 2.97: the third of 36 differences, and the third last
    found = shift([1, 2, 4, 8, 16, 32], [0, 0.3, 0.7, 1.1, 1.9, 2.3], level=LEVEL)

    differences = sorted(
        one - other for one in (1, 2, 4, 8, 16, 32) for other in (0, 0.3, 0.7, 1.1, 1.9, 2.3)
    )
    assert (found.lower, found.upper) == (differences[2], differences[-3])
    assert found.estimate == pytest.approx((differences[17] + differences[18]) / 2)


def test_ties_within_a_sample_narrow_the_statistic() -> None:
    # m = n = 4, ties of 3 and 2: 16/12 * (9 - (24 + 6) / (8 * 7))
    assert deviation([1, 1, 1, 2], [3, 3, 4, 5]) == pytest.approx(math.sqrt(16 / 12 * (9 - 30 / 56)))


@given(ours=NUMBERS, theirs=NUMBERS)
def test_the_sides_mirror_each_other(ours: list[float], theirs: list[float]) -> None:
    one, other = shift(ours, theirs, level=LEVEL), shift(theirs, ours, level=LEVEL)

    assert (one.lower, one.estimate, one.upper) == (-other.upper, -other.estimate, -other.lower)
    assert one.lower <= one.estimate <= one.upper


@pytest.mark.parametrize(
    ("worse", "expected"), [pytest.param(7, "Pass", id="7 of 10"), pytest.param(8, "High", id="8 of 10")]
)
def test_its_known_hole_seven_of_ten_points_a_hundred_times_worse_pass(worse: int, expected: str) -> None:
    assert classify([1.0] * (10 - worse) + [100.0] * worse, [1.0] * 10).label == expected


def test_a_shift_that_may_be_small_beside_its_estimate_passes() -> None:
    stable = [1.0, 1.01, 1.02, 1.03, 1.04]

    assert classify([1.1, 9.0, 9.1, 9.2, 9.3], stable).label == "Pass"  # 0.06 at least, 8 most likely
    assert classify([5.1, 9.0, 9.1, 9.2, 9.3], stable).label == "High"


def test_one_point_above_another_is_high() -> None:
    assert classify([1.1], [1.0]).label == "High"
    assert classify([1.0], [1.1]).label == "Pass"


def test_points_without_a_value_are_left_out() -> None:
    assert classify([None, 2.0, None], [1.0]).label == "High"
    assert classify([None], [1.0]).label == "Nodata"
    assert classify([2.0, 1.0], [1.0, 2.0]).label == "Pass"
